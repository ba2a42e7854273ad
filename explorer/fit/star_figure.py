"""One fitted star: its flux with both fits, and the residuals of each in sigma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.models.ranges import Range1d
from numpy.typing import NDArray

from ..figures.theme import paint, surface
from ..figures.wavelength_axis import Wavelengths, wavelength_figure
from ..session.fitted_star import KINDS, FittedStar
from ..workarounds.fast_repaint import drop_spare_glyphs
from .residual_counts import Spread
from .residual_figure import (
    Distribution,
    SigmaLines,
    colour_of,
    grid_of,
    sigma_range,
)


class StarFigure(pn.viewable.Viewer):
    """Flux, raw and adapted fit; below residuals, with their distributions beside them.

    As Fig. 3 of O'Briain et al. (2020), for one star.

    Parameters
    ----------
    wavelengths : Wavelengths
        The axis, shared with other figures.
    """

    def __init__(self, wavelengths: Wavelengths) -> None:
        super().__init__()
        self.wavelengths = wavelengths
        self.star: FittedStar | None = None
        x = wavelengths.positions
        empty = np.full(x.size, np.nan, np.float32)
        names = ["observed", *KINDS, *(f"residual_{k}" for k in KINDS)]
        self.source = ColumnDataSource({"x": x} | dict.fromkeys(names, empty))
        self.flux_range = Range1d(start=0.3, end=1.15)
        self.sigma_range = sigma_range()
        self.flux = wavelength_figure("flux", wavelengths.range, self.flux_range)
        self.lines = {
            name: self.flux.line("x", name, source=self.source, line_width=1)
            for name in ("observed", *KINDS)
        }
        self.residuals = {
            kind: wavelength_figure(
                f"{name} (\u03c3)", wavelengths.range, self.sigma_range, last=kind == KINDS[-1]
            )
            for kind, name in zip(KINDS, ("raw", "adapted"), strict=True)
        }
        self.residual_lines = {
            kind: plot.line("x", f"residual_{kind}", source=self.source, line_width=1)
            for kind, plot in self.residuals.items()
        }
        self.sigmas = [SigmaLines(plot) for plot in self.residuals.values()]
        self.distributions = {
            kind: Distribution(kind, self.sigma_range, last=kind == KINDS[-1]) for kind in KINDS
        }
        rows: list[list[Any]] = [[self.flux, None]]
        rows += [[self.residuals[k], self.distributions[k].plot] for k in KINDS]
        drop_spare_glyphs(self.flux, *self.residuals.values())
        self.grid = grid_of(rows, ["1.45fr", "1fr", "1.3fr"])
        self.show_axis()

    def draw(self, star: FittedStar | None) -> None:
        """Show a star; nothing for None or a star without fits."""
        self.star = star
        spread = self.wavelengths.axis.spread
        p = self.wavelengths.axis.grid.n_pixels
        empty = np.full(p, np.nan, np.float32)
        observed = empty
        if star is not None and star.shown is not None:
            observed = np.where(star.shown.ivar[0] > 0, star.shown.flux[0], np.nan)
        columns: dict[str, NDArray[np.float32]] = {"observed": spread(observed)}
        for kind in KINDS:
            fits = star.fits.get(kind) if star is not None else None
            residual = empty if fits is None else fits.residual[0]
            columns[kind] = spread(empty if fits is None else fits.model[0])
            columns[f"residual_{kind}"] = spread(residual)
            self.distributions[kind].show(Spread.of(residual))
        self.source.data.update(columns)
        self._fit_flux([columns["observed"], *(columns[k] for k in KINDS)])

    def hide(self, names: Sequence[str]) -> None:
        """Hide curves of the flux: ``observed``, ``emulated`` or ``adapted``."""
        for name, line in self.lines.items():
            line.visible = name not in names

    def _fit_flux(self, curves: Sequence[NDArray[np.float32]]) -> None:
        """Make room for the curves, but not for single wild pixels."""
        values = np.concatenate(curves)
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, [0.05, 99.9]) if values.size else (0.3, 1.1)
        start, end = max(-0.1, float(low) - 0.06), min(2.5, max(1.06, float(high) + 0.02))
        self.flux_range.update(start=start, end=end, reset_start=start, reset_end=end)

    def show_axis(self) -> None:
        """Follow the unit and the medium of the wavelengths."""
        self.source.data.update({"x": self.wavelengths.positions})
        self.residuals[KINDS[-1]].xaxis.axis_label = self.wavelengths.label

    def paint(self, dark: bool) -> None:
        """Give everything the colours of a theme."""
        for plot in (self.flux, *self.residuals.values()):
            paint(plot, dark)
        self.lines["observed"].glyph.line_color = surface(dark).observed
        for kind in KINDS:
            self.lines[kind].glyph.line_color = colour_of(kind, dark)
            self.residual_lines[kind].glyph.line_color = colour_of(kind, dark)
            self.distributions[kind].paint(dark)
        for sigma in self.sigmas:
            sigma.paint(dark)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.pane.Bokeh(self.grid, sizing_mode="stretch_both", margin=0)
