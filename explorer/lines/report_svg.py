"""A feature as a picture in a page: spectra, known lines, derivatives; SVG, no script.

Sharp at any size and on paper. Names come from line lists and bundles, which may be a
stranger's: everything is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.lines import Candidate
from ..figures.chip_axis import ChipAxis
from ..figures.label_placement import place, text_width
from ..figures.theme import ADAPTED, EMULATED, LIGHT, TRUTH, element_colour
from .reference_star import ReferenceStar, StarLines, window_of

WIDTH, HEIGHT = 520.0, 316.0
"""Size of a picture in its own units; pages scale it."""

_LEFT, _RIGHT = 52.0, 512.0
_NAMES = (4.0, 40.0)
_FLUX = (42.0, 200.0)
_SLOPES = (212.0, 288.0)
_NAME_ROWS = 3
_NAME_SIZE = 10.0

CURVES = (
    ("observed", LIGHT.observed, 1.1, ""),
    ("truth", TRUTH, 1.6, "5 3"),
    ("emulated", EMULATED, 1.6, ""),
    ("adapted", ADAPTED, 1.6, ""),
)
"""Name, colour, width and dashes of the spectra, in the order in which they are painted."""


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers between two ends, at most so many.

    Raises
    ------
    ValueError
        If the ends are not finite or not in order.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"Expected two ends in order; found {low} and {high}.")
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _label(value: float, step: float) -> str:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value + 0.0:.{digits}f}".replace("-", "\u2212")


class _Panel:
    """Part of a picture with its own vertical axis."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], box: tuple[float, float]
    ) -> None:
        self.x, self.y, self.box = x, y, box

    def across(self, x: ArrayLike) -> NDArray[np.float64]:
        low, high = self.x
        return _LEFT + (np.asarray(x, dtype=float) - low) / (high - low) * (_RIGHT - _LEFT)

    def down(self, y: ArrayLike) -> NDArray[np.float64]:
        (top, bottom), (low, high) = self.box, self.y
        return bottom - (np.asarray(y, dtype=float) - low) / (high - low) * (bottom - top)

    def path(self, x: ArrayLike, y: ArrayLike) -> str:
        """Return the data of a path, broken where a value is not a number."""
        across, down = self.across(x), self.down(y)
        out, pen = [], "M"
        for a, d in zip(across, down, strict=True):
            if not (math.isfinite(a) and math.isfinite(d)):
                pen = "M"
                continue
            out.append(f"{pen}{a:.1f} {d:.1f}")
            pen = "L"
        return "".join(out)

    def frame(self, title: str, numbers: int) -> str:
        """Return the box with grid lines and numbers on the left."""
        top, bottom = self.box
        marks = ticks(*self.y, numbers)
        step = marks[1] - marks[0] if len(marks) > 1 else self.y[1] - self.y[0]
        out = []
        for value in marks:
            d = float(self.down(value))
            out.append(f'<path class="g" d="M{_LEFT} {d:.1f}H{_RIGHT}"/>')
            text = _label(value, step)
            out.append(f'<text x="{_LEFT - 5}" y="{d + 3.5:.1f}" class="r">{text}</text>')
        middle = (top + bottom) / 2
        out.append(
            f'<text class="m" transform="translate(11 {middle:.1f}) rotate(-90)">'
            f"{escape(title)}</text>"
        )
        return "".join(out) + _box(self.box, ' class="f"')


def line_picture(
    candidate: Candidate,
    axis: ChipAxis,
    star: ReferenceStar,
    slopes: Mapping[str, ArrayLike],
    known: StarLines | None = None,
) -> str:
    """Return a picture of a feature and its surroundings.

    Parameters
    ----------
    candidate : Candidate
        The feature.
    axis : ChipAxis
        Of the spectra's grid.
    star : ReferenceStar
        Spectra, each of shape ``(n_pixels,)``.
    slopes : mapping of str to array, shape ``(n_pixels,)``
        Adapted minus emulated derivative by element, in flux per dex.
    known : StarLines, optional
        Lines to mark and, as far as there is room, to name.

    Returns
    -------
    str
        An ``svg`` element.
    """
    low, high = window_of(candidate)
    x = axis.positions()
    # One pixel more on each side, so that curves reach the frame.
    start, stop = np.searchsorted(x, [low, high])
    part = slice(max(0, int(start) - 1), int(stop) + 1)
    wave = x[part]
    spectra = {
        name: axis.spread(values)[part]
        for name, *_ in CURVES
        if (values := getattr(star, name)) is not None
    }
    flux = _Panel((low, high), _range([*spectra.values()], 0.06), _FLUX)
    steep = {name: axis.spread(values)[part] for name, values in slopes.items()}
    below = _Panel((low, high), _range([*steep.values(), np.zeros(1)], 0.12), _SLOPES)

    out = [f'<clipPath id="c-{escape(candidate.id)}">']
    out += [_box(_FLUX), _box(_SLOPES), "</clipPath>"]
    ends = flux.across([max(low, candidate.low), min(high, candidate.high)])
    for top, bottom in (_FLUX, _SLOPES):
        out.append(
            f'<rect class="e" x="{ends[0]:.1f}" y="{top}" width="{ends[1] - ends[0]:.1f}" '
            f'height="{bottom - top}"/>'
        )
    out += [flux.frame("flux", 5), below.frame("per dex", 4), _wavelengths(flux)]
    if known is not None:
        out.append(_known(known, flux))
    out.append(f'<g clip-path="url(#c-{escape(candidate.id)})" fill="none">')
    zero = float(below.down(0.0))
    out.append(f'<path class="z" d="M{_LEFT} {zero:.1f}H{_RIGHT}"/>')
    for name, colour, width, dashes in CURVES:
        if name in spectra:
            dash = f' stroke-dasharray="{dashes}"' if dashes else ""
            out.append(
                f'<path stroke="{colour}" stroke-width="{width}"{dash} '
                f'd="{flux.path(wave, spectra[name])}"/>'
            )
    for name, values in steep.items():
        out.append(
            f'<path stroke="{element_colour(name)}" stroke-width="1.6" '
            f'd="{below.path(wave, values)}"/>'
        )
    out.append("</g>")
    out.append(_legend([(n, c) for n, c, *_ in CURVES if n in spectra], _FLUX[1] - 7))
    out.append(_legend([(n, element_colour(n)) for n in steep], _SLOPES[1] - 6))
    about = f"{candidate.wavelength:.2f} angstrom: " + ", ".join([*spectra, *steep])
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(about)}">'
        f"{''.join(out)}</svg>"
    )


def _box(ends: tuple[float, float], extra: str = "") -> str:
    top, bottom = ends
    size = f'width="{_RIGHT - _LEFT}" height="{bottom - top}"'
    return f'<rect{extra} x="{_LEFT}" y="{top}" {size}/>'


def _range(curves: list[Any], margin: float) -> tuple[float, float]:
    """Return ends that all curves fit between."""
    values = np.concatenate([np.asarray(c, dtype=float).ravel() for c in curves] or [np.zeros(0)])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    # Noise of rounding is not blown up to fill the panel.
    pad = max(margin * (high - low), 0.002)
    return low - pad, high + pad


def _wavelengths(panel: _Panel) -> str:
    out = []
    bottom = _SLOPES[1]
    for value in ticks(*panel.x, 6):
        a = float(panel.across(value))
        out.append(f'<path class="t" d="M{a:.1f} {bottom}v4"/>')
        out.append(f'<text class="m" x="{a:.1f}" y="{bottom + 14}">{value:.0f}</text>')
    middle = (_LEFT + _RIGHT) / 2
    out.append(f'<text class="m" x="{middle}" y="{HEIGHT - 3}">vacuum wavelength (\u212b)</text>')
    return "".join(out)


def _known(known: StarLines, panel: _Panel) -> str:
    """Return marks of known lines, and the names for which there is room."""
    low, high = panel.x
    inside = np.flatnonzero((known.wavelength >= low) & (known.wavelength <= high))
    at = panel.across(known.wavelength[inside])
    names = [known.names[known.species[i]] for i in inside]
    colours = [element_colour(known.elements[known.species[i]]) for i in inside]
    strength = known.strength[inside]
    placed = place(
        at,
        [text_width(n, _NAME_SIZE) for n in names],
        strength,
        low=_LEFT,
        high=_RIGHT,
        rows=_NAME_ROWS,
        gap=5,
    )
    out = []
    top = _FLUX[0]
    for k in placed.shown:
        base = _NAMES[1] - 2 - 12 * float(placed.row[k])
        out.append(
            f'<path stroke="{colours[k]}" stroke-width="1" d="M{at[k]:.1f} {top}v7"/>'
            f'<text class="m" x="{placed.centre[k]:.1f}" y="{base:.1f}" style="fill:{colours[k]}">'
            f"{escape(names[k])}</text>"
        )
    return "".join(out)


def _legend(entries: list[tuple[str, str]], y: float) -> str:
    """Return names in their colours, from left to right."""
    out, x = [], _LEFT + 7
    for name, colour in entries:
        out.append(
            f'<text class="h" x="{x:.1f}" y="{y}" style="fill:{colour}">{escape(name)}</text>'
        )
        x += text_width(name, 11) + 10
    return "".join(out)
