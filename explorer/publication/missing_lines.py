"""Features that a simulator lacks, as in Fig. 4 of O'Briain et al. (2020).

The figure is made with HoloViews, for notebooks and papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.bundle import Bundle
from ...core.errors import LinesError
from ...core.lines import PAIRS, Candidates
from ..computed.derivatives import DerivativeCache
from ..figures.theme import ADAPTED, EMULATED, OTHER_ELEMENT, TRUTH, element_colour
from ..lines.reference_star import columns_by_element, reference_star
from .style import INCH, Backend, band, line, load

ELEMENTS = ("Mg", "Si", "Fe", "C")
"""Elements whose derivatives are drawn if none are named."""

WIDTH, HEIGHT = 860, 150
"""Size of a panel, in pixels."""


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
    import holoviews as hv

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
    wavelength = model.grid.wavelength
    low, high = _ends(model.grid, low, high)
    inside = (wavelength >= low) & (wavelength <= high) & _on_chips(model.grid)
    if not inside.any():
        raise LinesError(
            f"No pixel of {bundle.name} lies from {low:g} to {high:g} angstrom; its pixels go "
            f"from {wavelength[0]:.0f} to {wavelength[-1]:.0f}."
        )
    star = reference_star(bundle, candidates)
    found = (derivatives or DerivativeCache(model)).get(star.values)

    x = np.where(inside, wavelength, np.nan)[inside]
    gaps = np.flatnonzero(np.diff(np.flatnonzero(inside)) > 1) + 1

    def curve(values: NDArray[Any], label: str, colour: str, y: str, dashed: bool = False) -> Any:
        at = np.insert(x, gaps, np.nan)
        data = (at, np.insert(np.asarray(values, float)[inside], gaps, np.nan))
        drawn = hv.Curve(data, "wavelength in vacuum (\u00c5)", y, label=label)
        return line(drawn, backend, colour, dashed)

    flux = "normalised flux"
    panels = [
        hv.Overlay([curve(star.emulated, "emulated", EMULATED, flux)]),
        hv.Overlay([curve(star.adapted, "adapted", ADAPTED, flux)]),
    ]
    difference = star.adapted - star.emulated
    bottom, top = np.nanmin(difference[inside]), np.nanmax(difference[inside])
    drawn = []
    names = []
    for candidate in candidates or ():
        if candidate.high < low or candidate.low > high:
            continue
        name = _element(candidate.best)
        label = candidate.best if candidate.best not in names else ""
        names.append(candidate.best)
        axes = ["wavelength in vacuum (\u00c5)", "difference", "end", "top"]
        area = hv.Rectangles(
            [(candidate.low, bottom, candidate.high, top)], axes, label=label or candidate.best
        )
        colour = element_colour(name) if name else OTHER_ELEMENT
        drawn.append(band(area, backend, colour))
    label = "adapted \u2212 emulated"
    drawn.append(curve(difference, label, ADAPTED, "difference"))
    if star.truth is not None:
        truth = star.truth - star.emulated
        drawn.append(curve(truth, "truth \u2212 emulated", TRUTH, "difference", True))
    panels.append(hv.Overlay(drawn))
    slopes = "\u0394 \u2202flux/\u2202[X/H]"
    panels.append(
        hv.Overlay(
            [curve(found.difference[:, columns[e]], e, element_colour(e), slopes) for e in elements]
        )
    )
    for k, panel in enumerate(panels):
        last = k == len(panels) - 1
        look: dict[str, Any] = {
            "xaxis": "bottom" if last else "bare",
            "xlim": (low, high),
            "title": "",
            "ylabel": (flux, flux, "difference", slopes)[k],
            "show_legend": True,
            "legend_position": "right",
            "show_grid": True,
        }
        if backend == "bokeh":
            look |= {"width": WIDTH, "height": HEIGHT + (45 if last else 0), "toolbar": "right"}
        else:
            look |= {"aspect": WIDTH / HEIGHT}
        panels[k] = panel.opts(**look, backend=backend)
    layout = hv.Layout(panels).cols(1)
    if backend == "bokeh":
        return layout.opts(shared_axes=True, backend=backend)
    inches = ((WIDTH + 150) / INCH, 4.6 * HEIGHT / INCH)
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


def _on_chips(grid: Any) -> NDArray[np.bool_]:
    inside = np.zeros(grid.n_pixels, bool)
    inside[grid.chip_pixels] = True
    return inside
