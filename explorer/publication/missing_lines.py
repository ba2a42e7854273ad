"""Features that a simulator lacks, as in Fig. 4 of O'Briain et al. (2020).

The figure is made with HoloViews, for notebooks and papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.bundle import Bundle
from ...core.errors import LinesError
from ...core.lines import PAIRS, Candidates
from ...core.spectra.wavelength import WavelengthGrid
from ..computed.derivatives import DerivativeCache
from ..figures.theme import ADAPTED, EMULATED, OTHER_ELEMENT, TRUTH, element_colour
from ..lines.reference_star import ReferenceStar, columns_by_element, reference_star
from .style import PIXELS_PER_INCH, Backend, band, line, load

ELEMENTS = ("Mg", "Si", "Fe", "C")
"""Elements whose derivatives are drawn if none are named."""

WIDTH, HEIGHT = 860, 150
"""Size of a panel, in pixels."""

WAVELENGTH = "wavelength in vacuum (\u00c5)"
FLUX = "normalised flux"
DIFFERENCE = "difference"
SLOPES = "\u0394 \u2202flux/\u2202[X/H]"
"""What the axes are called."""


def line_figure(
    bundle: Bundle,
    candidates: Candidates | None = None,
    low: float | None = None,
    high: float | None = None,
    elements: Sequence[str] = ELEMENTS,
    derivatives: DerivativeCache | None = None,
    backend: Backend = "bokeh",
) -> Any:
    """Return four panels: emulated and adapted flux, their difference, and derivatives.

    The difference has the candidates in the colours of the elements that they most likely
    belong to, and, where it is known, the truth. The lowest panel has the difference of
    the derivatives, adapted minus emulated, of each element.

    Parameters
    ----------
    bundle : Bundle
        Gives the spectra of the reference star.
    candidates : Candidates, optional
        Those attached to the bundle if not given; none if there are none.
    low, high : float, optional
        Ends, vacuum angstrom; the middle of the first chip, 150 angstrom wide, if not given.
    elements : sequence of str
        Whose derivatives are drawn.
    derivatives : DerivativeCache, optional
        To take the derivatives from.
    backend : {"bokeh", "matplotlib"}
        What it is drawn with.

    Returns
    -------
    holoviews.Layout
        Of four overlays.

    Raises
    ------
    LinesError
        If the bundle has no abundance of an element, or no pixel lies between the ends.
    """
    load(backend)
    if candidates is None:
        from ...core.lines.attached import candidates_of

        candidates = candidates_of(bundle)
    model = bundle.model
    columns = columns_by_element(model.labels)
    unknown = [e for e in elements if e not in columns]
    if unknown:
        raise LinesError(
            f"The bundle {bundle.name} has no abundance of {', '.join(unknown)}; it has "
            f"{', '.join(columns)}."
        )
    low, high = _ends(model.grid, low, high)
    window = _Window.of(model.grid, low, high, backend)
    if not window.inside.any():
        wavelength = model.grid.wavelength
        raise LinesError(
            f"No pixel of {bundle.name} lies from {low:g} to {high:g} angstrom; its pixels go "
            f"from {wavelength[0]:.0f} to {wavelength[-1]:.0f}."
        )
    star = reference_star(bundle, candidates)
    found = (derivatives or DerivativeCache(model)).get(star.values)
    return _layout(
        [
            (FLUX, [window.curve(star.emulated, "emulated", EMULATED, FLUX)]),
            (FLUX, [window.curve(star.adapted, "adapted", ADAPTED, FLUX)]),
            (DIFFERENCE, _difference(window, star, candidates)),
            (
                SLOPES,
                [
                    window.curve(found.difference[:, columns[e]], e, element_colour(e), SLOPES)
                    for e in elements
                ],
            ),
        ],
        (low, high),
        backend,
    )


@dataclass(frozen=True)
class _Window:
    """The pixels that are drawn.

    Parameters
    ----------
    low, high : float
        Ends, vacuum angstrom.
    inside : ndarray of bool, shape ``(n_pixels,)``
        Which pixels of the grid lie between the ends and on a chip.
    wavelength : ndarray, shape ``(n_inside,)``
        Of these, vacuum angstrom.
    backend : {"bokeh", "matplotlib"}
        What it is drawn with.
    """

    low: float
    high: float
    inside: NDArray[np.bool_]
    wavelength: NDArray[np.float64]
    backend: Backend

    @classmethod
    def of(cls, grid: WavelengthGrid, low: float, high: float, backend: Backend) -> _Window:
        """Return the pixels of a grid between two wavelengths."""
        inside = np.zeros(grid.n_pixels, bool)
        inside[grid.chip_pixels] = True
        inside &= (grid.wavelength >= low) & (grid.wavelength <= high)
        return cls(low, high, inside, grid.wavelength[inside], backend)

    def curve(
        self, values: NDArray[Any], label: str, colour: str, y: str, dashed: bool = False
    ) -> Any:
        """Return values of all pixels as a curve with gaps between chips."""
        import holoviews as hv

        gaps = np.flatnonzero(np.diff(np.flatnonzero(self.inside)) > 1) + 1
        data = (
            np.insert(self.wavelength, gaps, np.nan),
            np.insert(np.asarray(values, float)[self.inside], gaps, np.nan),
        )
        return line(hv.Curve(data, WAVELENGTH, y, label=label), self.backend, colour, dashed)


def _difference(window: _Window, star: ReferenceStar, candidates: Candidates | None) -> list[Any]:
    """Return the candidates as bands, the difference of the spectra, and the true one."""
    import holoviews as hv

    difference = star.adapted - star.emulated
    inside = difference[window.inside]
    bottom, top = np.nanmin(inside), np.nanmax(inside)
    drawn = []
    for candidate in candidates or ():
        if candidate.high < window.low or candidate.low > window.high:
            continue
        area = hv.Rectangles(
            [(candidate.low, bottom, candidate.high, top)],
            [WAVELENGTH, DIFFERENCE, "end", "top"],
            label=candidate.best,
        )
        name = _element(candidate.best)
        drawn.append(band(area, window.backend, element_colour(name) if name else OTHER_ELEMENT))
    drawn.append(window.curve(difference, "adapted \u2212 emulated", ADAPTED, DIFFERENCE))
    if star.truth is not None:
        truth = star.truth - star.emulated
        drawn.append(window.curve(truth, "truth \u2212 emulated", TRUTH, DIFFERENCE, True))
    return drawn


def _layout(
    panels: list[tuple[str, list[Any]]], ends: tuple[float, float], backend: Backend
) -> Any:
    """Return panels below each other, each with what it shows and its parts."""
    import holoviews as hv

    overlays = []
    for k, (title, parts) in enumerate(panels):
        last = k == len(panels) - 1
        look: dict[str, Any] = {
            "xaxis": "bottom" if last else "bare",
            "xlim": ends,
            "title": "",
            "ylabel": title,
            "show_legend": True,
            "legend_position": "right",
            "show_grid": True,
        }
        if backend == "bokeh":
            look |= {"width": WIDTH, "height": HEIGHT + (45 if last else 0), "toolbar": "right"}
        else:
            look |= {"aspect": WIDTH / HEIGHT}
        overlays.append(hv.Overlay(parts).opts(**look, backend=backend))
    layout = hv.Layout(overlays).cols(1)
    if backend == "bokeh":
        return layout.opts(shared_axes=True, backend=backend)
    inches = ((WIDTH + 150) / PIXELS_PER_INCH, 4.6 * HEIGHT / PIXELS_PER_INCH)
    return layout.opts(fig_inches=inches, sublabel_format="", vspace=0.15, backend=backend)


def _element(answer: str) -> str:
    """Return the element in whose colour an answer is drawn; empty for none."""
    named = PAIRS.get(answer, (answer,))
    return named[0] if named else ""


def _ends(grid: Any, low: float | None, high: float | None) -> tuple[float, float]:
    chip = grid.chips[0]
    middle = float(grid.wavelength[(chip.start + chip.stop) // 2])
    if low is None:
        low = middle - 75.0 if high is None else high - 150.0
    if high is None:
        high = low + 150.0
    if not low < high:
        raise LinesError(f"Expected two wavelengths, the lower first; found {low:g}, {high:g}.")
    return float(low), float(high)
