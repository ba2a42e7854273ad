"""The paper's Fig. 3 as a figure for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.bundle import Bundle
from ...core.fitting.residuals import MAX_Z_SCORE, ResidualDensity
from ...core.fitting.result import LabelFits
from ...core.fitting.settings import Kind
from ..figures.theme import ADAPTED, EMULATED, surface
from .style import Backend, line, load

MAX_BINS = 600
"""Bins in wavelength, at most."""


def residual_figure(
    bundle: Bundle, fits: Mapping[Kind, LabelFits], backend: Backend = "bokeh", width: int = 620
) -> Any:
    """Return residuals against wavelength, and how they are distributed beside.

    As Fig. 3 of O'Briain et al. (2020): a row for each kind of fit, with the mean and the
    standard deviation of all its residuals, (observed - model) / error.

    Parameters
    ----------
    bundle : Bundle
        What was fitted with.
    fits : mapping
        Fits by kind, ``emulated`` and ``adapted`` or one of them.
    backend : {"bokeh", "matplotlib"}
        What it is drawn with.
    width : int
        Width of the residuals, in pixels.

    Returns
    -------
    holoviews.Layout
        Two elements a row.
    """
    import holoviews as hv

    load(backend)
    rows: list[Any] = []
    for kind, found in fits.items():
        density = ResidualDensity(bundle.grid)
        density.add(found.residual)
        colour = ADAPTED if kind == "adapted" else EMULATED
        rows += [_against_wavelength(density, kind, backend, width)]
        rows += [_distribution(density, colour, backend)]
    layout = hv.Layout(rows).cols(2)
    if backend == "matplotlib":
        return layout.opts(
            fig_inches=(9.5, 2.4 * len(fits)),
            aspect_weight=1,
            sublabel_format="",
            hspace=0.2,
            vspace=0.25,
            shared_axes=False,
            backend=backend,
        )
    return layout.opts(shared_axes=False, backend=backend)


def _against_wavelength(density: ResidualDensity, kind: str, backend: Backend, width: int) -> Any:
    import holoviews as hv

    wavelength = density.grid.wavelength
    n = min(MAX_BINS, len(wavelength))
    edges = np.linspace(wavelength[0], wavelength[-1], n + 1)
    column = np.clip(np.searchsorted(edges, wavelength, side="right") - 1, 0, n - 1)
    counts = np.zeros((len(density.counts), n))
    np.add.at(counts.T, column, density.counts.T)
    values = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan)
    ends = (float(wavelength[0]), -MAX_Z_SCORE, float(wavelength[-1]), MAX_Z_SCORE)
    axes = ["wavelength in vacuum (\u00c5)", "residual (\u03c3)"]
    image = hv.Image(values[::-1], kdims=axes, vdims="log count", bounds=ends)
    title = f"{kind}: mean {density.mean:+.2f}, standard deviation {density.std:.2f}"
    look: dict[str, Any] = {"cmap": "Blues", "colorbar": False, "title": title, "clim": (-1, None)}
    if backend == "bokeh":
        return image.opts(**look, width=width, height=230, backend=backend)
    return image.opts(**look, aspect=2.9, xticks=5, interpolation="nearest", backend=backend)


def _distribution(density: ResidualDensity, colour: str, backend: Backend) -> Any:
    import holoviews as hv

    middle = (density.edges[1:] + density.edges[:-1]) / 2
    axes = ("residual (\u03c3)", "density")
    normal = np.exp(-0.5 * middle**2) / np.sqrt(2 * np.pi)
    found = line(hv.Curve((middle, density.distribution()), *axes), backend, colour)
    drawn = found * line(
        hv.Curve((middle, normal), *axes), backend, surface(False).observed, dashed=True
    )
    title = "and N(0, 1), dashed"
    if backend == "bokeh":
        return drawn.opts(width=260, height=230, title=title, show_legend=False, backend=backend)
    return drawn.opts(aspect=1.2, title=title, show_legend=False, backend=backend)
