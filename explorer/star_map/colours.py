"""What points of a map are coloured by, their palettes and legends."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.embedding import Embedding
from ..figures.theme import ADAPTED, surface
from ..state.label_text import decimals, number, short_unit
from .rasteriser import COLOURS

DOMAIN = "domain"
"""Key of the colouring by domain."""

SNR, CHI2 = "snr", "chi2"

_UNKNOWN = "#8a8f96"


@dataclass(frozen=True)
class Colouring:
    """Values of all stars, scaled for a palette.

    Parameters
    ----------
    key : str
        :data:`DOMAIN`, :data:`SNR`, :data:`CHI2`, or the name of a label.
    title : str
        What is shown, with its unit.
    values : ndarray, shape ``(n,)``
        From 0 to 1, NaN where unknown.
    low, high : float
        What 0 and 1 stand for; NaN for domains.
    digits : int
        Decimals with which they are written.
    clipped : tuple of bool
        Whether some values are below or above.
    some_unknown : bool
        Whether the values of some stars are unknown.
    """

    key: str
    title: str
    values: NDArray[np.float32]
    low: float = math.nan
    high: float = math.nan
    digits: int = 2
    clipped: tuple[bool, bool] = (False, False)
    some_unknown: bool = False


def choices(embedding: Embedding) -> list[list[str]]:
    """Return what a map can be coloured by, ``[key, title]`` each."""
    stars = embedding.stars
    out = [[DOMAIN, "domain"]]
    out += [
        [label.name, label.title]
        for i, label in enumerate(stars.label_set)
        if np.isfinite(stars.labels[:, i]).any()
    ]
    if np.isfinite(stars.snr).any():
        out.append([SNR, "S/N"])
    if np.isfinite(embedding.chi2).any():
        out.append([CHI2, "misfit (\u03c7\u00b2 of the reconstruction)"])
    return out


def colouring(embedding: Embedding, key: str) -> Colouring:
    """Return the values of all stars for one of :func:`choices`; by domain for another key."""
    stars = embedding.stars
    if key == SNR:
        return _scaled(key, "S/N", stars.all_snr, 0)
    if key == CHI2:
        return _scaled(key, "misfit (\u03c7\u00b2)", embedding.chi2, 2)
    if key in stars.label_set.names:
        i = stars.label_set.index(key)
        label = stars.label_set[key]
        unit = short_unit(label)
        title = f"{label.title} ({unit})" if unit not in ("", "dex") else label.title
        return _scaled(key, title, stars.labels[:, i], decimals(label))
    return Colouring(DOMAIN, "domain", stars.domain.astype(np.float32))


def _scaled(key: str, title: str, values: NDArray[np.float32], digits: int) -> Colouring:
    known = values[np.isfinite(values)]
    low, high = (float(v) for v in np.percentile(known, [2, 98])) if len(known) else (0.0, 1.0)
    if high <= low:
        high = low + 1.0
    scaled = (values - np.float32(low)) / np.float32(high - low)
    clipped = (bool((known < low).any()), bool((known > high).any()))
    return Colouring(
        key,
        title,
        np.clip(scaled, 0, 1).astype(np.float32),
        low,
        high,
        digits,
        clipped,
        len(known) < len(values),
    )


def synthetic_colour(panel: str, dark: bool) -> str:
    """Return the colour of synthetic stars: that of adapted spectra where they are adapted."""
    return ADAPTED if panel == "adapted" else surface(dark).emulated


def colours_of(what: Colouring, panel: str, dark: bool) -> list[str]:
    """Return the colours of a panel, from the lowest value to the highest."""
    if what.key == DOMAIN:
        return _between(synthetic_colour(panel, dark), surface(dark).observed)
    # Safe for colour-blind eyes (Kovesi 2015, arXiv:1509.03700), blue to yellow; the part of it
    # that stands out from the background of the theme.
    import colorcet

    scale = colorcet.CET_CBL2
    first, last = (85, 255) if dark else (25, 205)
    return [scale[i] for i in np.linspace(first, last, COLOURS).round().astype(int)]


def unknown_colour() -> str:
    """Return the colour of stars whose value is unknown, in both themes."""
    return _UNKNOWN


def _between(first: str, last: str) -> list[str]:
    a, b = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (first, last))
    mixed = [a + (b - a) * i / (COLOURS - 1) for i in range(COLOURS)]
    return ["#" + "".join(f"{round(float(v)):02x}" for v in m) for m in mixed]


def legend_html(what: Colouring, dark: bool) -> str:
    """Return a colour bar with its ends; nothing for domains, which panels name themselves."""
    if what.key == DOMAIN:
        return ""
    colours = colours_of(what, "latents", dark)
    low = ("\u2264 " if what.clipped[0] else "") + number(what.low, what.digits)
    high = ("\u2265 " if what.clipped[1] else "") + number(what.high, what.digits)
    unknown = f'<div style="margin-top:3px">{_dot(_UNKNOWN)}unknown</div>'
    return (
        f'<div role="img" aria-label="{html.escape(what.title)} from {low} to {high}">'
        f'<div style="height:9px;border-radius:2px;background:linear-gradient(to right,'
        f'{",".join(colours[::5])})"></div>'
        '<div style="display:flex;justify-content:space-between">'
        f"<span>{low}</span><span>{html.escape(what.title)}</span><span>{high}</span></div></div>"
        + (unknown if what.some_unknown else "")
    )


def _dot(colour: str) -> str:
    return (
        f'<span style="display:inline-block;width:9px;height:9px;border-radius:50%;'
        f'background:{colour};margin-right:5px"></span>'
    )


def panel_title_html(panel: str, title: str, what: Colouring, dark: bool) -> str:
    """Return the title of a panel, with the colours of its domains if it has such."""
    if what.key != DOMAIN:
        return f"<b>{title}</b>"
    synthetic = "adapted" if panel == "adapted" else "synthetic"
    return (
        # In a narrow panel the names of the domains stand below.
        '<span style="display:flex;flex-wrap:wrap;column-gap:6px"><b style="flex:1 0 auto;'
        f'max-width:100%;overflow:hidden;text-overflow:ellipsis" title="{title}">{title}</b>'
        f"<span>{_dot(synthetic_colour(panel, dark))}{synthetic}"
        f"&ensp;{_dot(surface(dark).observed)}observed</span></span>"
    )
