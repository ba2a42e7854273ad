"""All fitted stars: the density of their residuals against wavelength."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, LinearColorMapper

from ...core.fitting.settings import Kind
from ...core.spectra.wavelength import convert
from ..figures.theme import paint
from ..figures.wavelength_axis import Wavelengths, wavelength_figure
from ..session.fitted_star import KINDS, FittedStar
from ..workarounds.fast_repaint import drop_spare_glyphs
from .residual_counts import MAX_SIGMA, ResidualCounts
from .residual_figure import (
    Distribution,
    SigmaLines,
    colour_of,
    grid_of,
    sigma_range,
)

SHADES = 64


def palette(colour: str) -> tuple[str, ...]:
    """Return shades of a colour from clear to opaque, which stand on any background."""
    return tuple(
        f"{colour}{round(255 * (0.06 + 0.94 * i / (SHADES - 1))):02x}" for i in range(SHADES)
    )


class DensityFigure(pn.viewable.Viewer):
    """Where, and how often, residuals of all stars fall, raw above adapted.

    As Fig. 3 of O'Briain et al. (2020), for a set of stars.

    Parameters
    ----------
    wavelengths : Wavelengths
        The axis, shared with other figures.
    """

    def __init__(self, wavelengths: Wavelengths) -> None:
        super().__init__()
        self.wavelengths = wavelengths
        grid = wavelengths.axis.grid
        self.counts: dict[Kind, ResidualCounts] = {k: ResidualCounts(grid) for k in KINDS}
        self._counted: dict[Kind, dict[str, Any]] = {k: {} for k in KINDS}
        self.sigma_range = sigma_range()
        self.sources: dict[Kind, ColumnDataSource] = {}
        self.mappers: dict[Kind, LinearColorMapper] = {}
        self.plots: dict[Kind, Any] = {}
        self.distributions: dict[Kind, Distribution] = {}
        for kind, name in zip(KINDS, ("raw", "adapted"), strict=True):
            last = kind == KINDS[-1]
            plot = wavelength_figure(f"{name} (\u03c3)", wavelengths.range, self.sigma_range, last)
            source = ColumnDataSource({"image": [], "x": [], "dw": []})
            mapper = LinearColorMapper(palette=["#000000"], low=0, high=1)
            # Bins without any residual stay clear.
            mapper.low, mapper.low_color = 1e-6, "#00000000"
            plot.image(
                "image", "x", -MAX_SIGMA, "dw", 2 * MAX_SIGMA, source=source, color_mapper=mapper
            )
            self.sources[kind], self.mappers[kind], self.plots[kind] = source, mapper, plot
            self.distributions[kind] = Distribution(kind, self.sigma_range, last)
        drop_spare_glyphs(*self.plots.values())
        self.sigmas = [SigmaLines(plot) for plot in self.plots.values()]
        rows = [[self.plots[k], self.distributions[k].plot] for k in KINDS]
        self.grid = grid_of(rows, ["1fr", "1.13fr"])
        self.show_axis()

    def draw(self, stars: Iterable[FittedStar]) -> None:
        """Show these stars; those that were counted before are not counted anew."""
        every = list(stars)
        for kind in KINDS:
            counts, old = self.counts[kind], self._counted[kind]
            new = {s.key: s.fits[kind].residual[0] for s in every if kind in s.fits}
            new = {key: r for key, r in new.items() if np.isfinite(r).any()}
            for key in [k for k in old if new.get(k) is not old[k]]:
                counts.add(old.pop(key), -1)
            for key, residual in new.items():
                if key not in old:
                    counts.add(residual)
                    old[key] = residual
            self.distributions[kind].show(counts.spread)
            self._show_image(kind)

    def _show_image(self, kind: Kind) -> None:
        counts = self.counts[kind]
        ends = convert(
            np.array(counts.ends), self.wavelengths.state.unit, self.wavelengths.state.medium
        )
        self.sources[kind].data = {
            "image": [counts.image],
            "x": [float(ends[0])],
            "dw": [float(ends[1] - ends[0])],
        }

    def show_axis(self) -> None:
        """Follow the unit and the medium of the wavelengths."""
        for kind in KINDS:
            self._show_image(kind)
        self.plots[KINDS[-1]].xaxis.axis_label = self.wavelengths.label

    def paint(self, dark: bool) -> None:
        """Give everything the colours of a theme."""
        for kind in KINDS:
            paint(self.plots[kind], dark)
            self.mappers[kind].palette = palette(colour_of(kind, dark))
            self.distributions[kind].paint(dark)
        for sigma in self.sigmas:
            sigma.paint(dark)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.pane.Bokeh(self.grid, sizing_mode="stretch_both", margin=0)
