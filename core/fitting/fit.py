"""Fit stellar labels to observed spectra, many stars at once.

Labels, radial velocity and, if asked for, split latents are fitted by damped least squares
on the pixels; a polynomial per chip is solved for with them. The adapted spectra and the
plain emulator's go through the same code (O'Briain et al. 2020, section 3.2, Fig. 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bundle.bundle import Bundle
from ..bundle.model import Model
from ..errors import FitError
from ..spectra.spectra import Spectra
from ..spectra.wavelength import SPEED_OF_LIGHT
from .clipping import far_above
from .flags import Evidence, NoiseEvidence, flags_of, noise_evidence
from .forward_model import Forward
from .initial_labels import StartReader, draw_like
from .levenberg import Minimum, better_of, cheapest, minimise
from .population import LabelSpace, Population
from .preparation import Prepared, prepare
from .problem import Problem
from .result import LabelFits
from .settings import FitSettings
from .velocity import MAX_SHIFT_PIXELS, log_step, shift, to_velocity
from .windows import window_pixels

STARS_PREPARED_AT_ONCE = 512
"""Stars normalised and searched for a velocity at a time."""

NEGLIGIBLE_SHIFT_PIXELS = 0.02
"""Shifts of derivatives by less than this many pixels are left out."""

VELOCITY_UNIT_PIXELS = 0.25
"""Unit, in pixels, of the coordinate of the velocity."""

VELOCITY_SPREAD = 4.0
"""Width of the prior of that coordinate, which keeps it from running off in empty spectra."""

SMALLEST_SPLIT_UNIT = 0.1
"""Smallest unit of fitted split latents; else it is their spread over the training stars."""

MAX_SPLIT_UNITS = 4.0
"""Fitted split latents stay within so many units of the typical ones."""

Progress = Callable[[int, int], None]
"""Called with (stars done, stars)."""


class Fitter:
    """Fits spectra with one model and one choice of settings; keeps what that needs.

    Parameters
    ----------
    model : Model
        Emulator and adaptation.
    population : array_like, shape ``(n_stars, n_labels)``
        Labels of the stars that the adaptation was trained on.
    settings : FitSettings, optional
        How to fit.

    Raises
    ------
    FitError
        If settings do not fit the model.
    GridError
        If a velocity is asked for and the grid is not logarithmic.
    """

    def __init__(
        self,
        model: Model,
        population: NDArray[np.float64] | Tensor,
        settings: FitSettings | None = None,
    ) -> None:
        self.model = model
        self.settings = s = settings or FitSettings()
        stars = torch.as_tensor(np.asarray(population), dtype=torch.float32)
        if stars.dim() != 2 or stars.shape[1] != len(model.labels) or len(stars) < 2:
            raise FitError(
                f"Expected the labels of a population, (n_stars, {len(model.labels)}); found shape "
                f"{tuple(stars.shape)}."
            )
        if not torch.isfinite(stars).all():
            raise FitError("The labels of the population must be finite.")
        self._used = window_pixels(s.windows, model.grid)
        self._stars = stars
        self.forward = Forward(model, s.spectrum)
        self.space = LabelSpace.of(model.labels, stars, s.fixed)
        widening = s.widening if s.prior == "population" else None
        self.population = Population.of(self.space, stars, widening)
        self._step = log_step(model.grid) if s.velocity or s.search else 0.0
        self._reader = StartReader.train(self.forward, self.space, stars)
        order = torch.argsort(stars[:, 0])
        self._templates = stars[order[torch.linspace(0, len(order) - 1, 3).long()]].numpy()
        self.n_split = self.forward.n_split if s.split == "fitted" else 0
        self._on_device = self.space.to(model.device)
        self._typical = model.adapter.split_mean.flatten().to(model.device)
        spread = model.adapter.split_std.flatten().to(model.device)
        self._split_unit = spread.clamp_min(SMALLEST_SPLIT_UNIT)

    # ------------------------------------------------------------------ whole sets

    def prepare(self, spectra: Spectra) -> Prepared:
        """Return spectra as they are fitted; see :func:`~.preparation.prepare`."""
        ready = prepare(spectra, self.model, self._templates, self.settings.search)
        if not self.settings.windows:
            return ready
        seen = replace(ready.spectra, ivar=np.where(self._used, ready.spectra.ivar, 0))
        enough = (seen.ivar > 0).sum(axis=1) > len(self.space.names)
        return replace(ready, spectra=seen, usable=ready.usable & enough)

    def fit(self, spectra: Spectra, progress: Progress | None = None) -> LabelFits:
        """Fit all spectra.

        Parameters
        ----------
        spectra : Spectra
            On the model's grid or the apStar grid, normalised or not; see
            :func:`~spectrabridge.core.fitting.preparation.prepare`.
        progress : callable, optional
            See :data:`Progress`.

        Returns
        -------
        LabelFits
            One row per spectrum, in their order. What cannot be fitted is flagged.
        """
        n, size = len(spectra), self.settings.chunk
        out = LabelFits.empty(
            spectra.ids, self.model.labels, self.settings, self.model.grid.n_pixels, self.n_split
        )
        # Preparing takes many times the memory of the spectra, so it goes in blocks.
        for first in range(0, n, STARS_PREPARED_AT_ONCE):
            ready = self.prepare(spectra[first : first + STARS_PREPARED_AT_ONCE])
            rows = np.flatnonzero(ready.usable)
            for start in range(0, len(rows), size):
                some = rows[start : start + size]
                self._fit_some(ready, some, out, first)
                if progress is not None:
                    progress(first + int(some[-1]) + 1, n)
        if progress is not None and n:
            progress(n, n)
        return out

    # ------------------------------------------------------------------ one batch

    def _fit_some(
        self, ready: Prepared, rows: NDArray[np.intp], out: LabelFits, first: int
    ) -> None:
        """Fit some rows of a block that starts at row `first` of the results."""
        s, space, device = self.settings, self._on_device, self.model.device
        flux = torch.from_numpy(ready.spectra.flux[rows]).to(device)
        ivar = torch.from_numpy(ready.spectra.ivar[rows]).to(device)
        ivar = _add_variance(ivar, torch.tensor(s.floor**2, device=device))
        split = self._encoded_split(flux, ivar)
        problem = self._problem(flux, ivar, split)
        guesses = [
            self._start(space.coordinates(space.labels(x.to(device))))
            for x in self._reader(flux, ivar)
        ]
        best = minimise(problem, cheapest(problem, guesses), s.iterations)
        for i in range(1, s.starts):
            other = draw_like(self._stars, self.space, len(rows), s.seed + i).to(device)
            best = better_of(best, minimise(problem, self._start(other), s.iterations))
        if s.member_spread:
            # Networks disagree most far from the solution, so it takes a first fit to know.
            labels, latents, _ = self._parts(best.x, split)
            variance = self.forward.spread(labels, latents).square()
            problem = self._problem(flux, _add_variance(ivar, variance), split)
            best = minimise(problem, best.x, s.iterations)
        if s.clip:
            residual = problem.residual(best.x, torch.arange(len(rows), device=device))[2]
            far = far_above(residual, problem.ivar > 0, s.clip)
            if far.any():
                problem = self._problem(flux, problem.ivar.masked_fill(far, 0.0), split)
                best = minimise(problem, best.x, s.iterations)
        self._write(ready, rows, first, problem, best, out)

    def _encoded_split(self, flux: Tensor, ivar: Tensor) -> Tensor | None:
        """Return the split latents read off the spectra, if these are asked for."""
        if self.settings.split != "encoded" or not self.forward.n_split:
            return None
        return self.model.adapter.encode_observed(flux, ivar)[1]

    def _start(self, labels: Tensor) -> Tensor:
        """Return parameters of a start: these labels, typical split latents, at rest."""
        return torch.cat([labels, labels.new_zeros(len(labels), self.n_split + 1)], 1)

    def _parts(self, x: Tensor, split: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return labels, split latents and the shift in pixels that parameters stand for.

        Parameters are the coordinates of the labels, those of fitted split latents, and
        that of the velocity; `split` are the latents where they are not fitted.
        """
        k = len(self.space.names)
        if self.n_split:
            split = self._typical + x[:, k:-1] * self._split_unit
        return self._on_device.labels(x[:, :k]), split, x[:, -1] * VELOCITY_UNIT_PIXELS

    def _problem(self, flux: Tensor, ivar: Tensor, split: Tensor | None) -> Problem:
        """Return what is to be minimised for a batch."""
        s, space, grid = self.settings, self._on_device, self.model.grid
        device, k, m = flux.device, len(space.names), self.n_split

        def value(x: Tensor, rows: Tensor) -> Tensor:
            labels, latents, pixels = self._parts(x, None if split is None else split[rows])
            out = self.forward.flux(labels, latents)
            return shift(out, pixels, grid) if s.velocity else out

        def slopes(x: Tensor, rows: Tensor) -> Tensor:
            labels, latents, pixels = self._parts(x, None if split is None else split[rows])
            # A direction without any change makes the row that the velocity's goes to.
            along = x.new_zeros(len(x), k + 1 if not m else k, k)
            along[:, :k].diagonal(dim1=1, dim2=2).copy_(space.rates(labels))
            flux, by = self.forward.slopes(labels, latents, along, by_split=bool(m))
            if m:
                by[:, k:] *= self._split_unit[:, None]
                by = torch.cat([by, torch.zeros_like(by[:, :1])], 1)
            if not s.velocity:
                return by
            far = pixels.abs() > NEGLIGIBLE_SHIFT_PIXELS
            if far.any():
                by = shift(by, pixels * far, grid)
            by[:, -1] = VELOCITY_UNIT_PIXELS * shift(flux, pixels, grid, derivative=True)
            return by

        def every(labels: Tensor, split: float, velocity: float) -> Tensor:
            rest = torch.full((m + 1,), split, device=device)
            rest[-1] = velocity
            return torch.cat([labels.to(rest), rest])

        most = MAX_SHIFT_PIXELS / VELOCITY_UNIT_PIXELS
        precision = torch.eye(k + m + 1, dtype=torch.float64, device=device)
        precision[:k, :k] = self.population.precision.to(device)
        precision[-1, -1] = VELOCITY_SPREAD**-2
        return Problem(
            flux,
            ivar,
            value,
            slopes,
            low=every(space.low, -MAX_SPLIT_UNITS, -most),
            high=every(space.high, MAX_SPLIT_UNITS, most),
            free=every(space.free.float(), 1.0, float(s.velocity)) > 0,
            centre=every(self.population.centre, 0.0, 0.0),
            precision=precision,
            grid=grid,
            degree=s.degree,
        )

    def _write(
        self,
        ready: Prepared,
        some: NDArray[np.intp],
        first: int,
        problem: Problem,
        found: Minimum,
        out: LabelFits,
    ) -> None:
        """Turn parameters into labels with errors, and judge the fits."""
        space, s = self._on_device, self.settings
        rows = some + first
        k = len(space.names)
        everyone = torch.arange(len(rows), device=found.x.device)
        model, continuum, residual = problem.residual(found.x, everyone)
        x = found.x[:, :k]
        labels, latents, pixels = self._parts(found.x, None)
        rates = space.rates(labels).double()
        good = problem.ivar > 0
        count = good.sum(1)
        mean = (residual * good).sum(1) / count
        std = (((residual - mean[:, None]) * good).square().sum(1) / count).sqrt()
        n_free = int(problem.free.sum()) + len(problem.polynomials) * (s.degree + 1)
        out.labels[rows] = _plain(labels)
        out.covariance[rows] = _plain(
            found.covariance[:, :k, :k] * rates[:, :, None] * rates[:, None, :]
        )
        variance = np.diagonal(out.covariance[rows], axis1=1, axis2=2)
        out.errors[rows] = np.sqrt(np.maximum(variance, 0))
        out.chi2[rows] = _plain(found.chi2)
        out.n_pixels[rows] = count.cpu().numpy()
        out.reduced_chi2[rows] = _plain(found.chi2 / (count - n_free).clamp_min(1))
        out.residual_mean[rows] = _plain(mean)
        out.residual_std[rows] = _plain(std)
        out.evaluations[rows] = found.evaluations.cpu().numpy()
        if s.velocity or s.search:
            total = _plain(pixels) + ready.shifted[some]
            out.velocity[rows] = to_velocity(total, self._step)
        if s.velocity:
            error = found.covariance[:, -1, -1].clamp_min(0).sqrt() * VELOCITY_UNIT_PIXELS
            out.velocity_error[rows] = _plain(error) * self._step * SPEED_OF_LIGHT
        if latents is not None:
            out.split[rows] = _plain(latents)
        out.model[rows] = (model * continuum).cpu().numpy()
        out.residual[rows] = torch.where(good, residual, torch.nan).cpu().numpy()
        noise = noise_evidence(
            ready.spectra[some], residual.cpu().numpy(), good.cpu().numpy(), s.floor
        )
        self._judge(rows, x, pixels, found.converged, good, noise, out)

    def _judge(
        self,
        rows: NDArray[np.intp],
        x: Tensor,
        pixels: Tensor,
        converged: Tensor,
        good: Tensor,
        noise: list[NoiseEvidence],
        out: LabelFits,
    ) -> None:
        """Set flags and remarks of fits whose results are written."""
        space = self._on_device
        near = 1e-3 * (space.high - space.low)
        at_low = space.free & (x <= space.low + near)
        at_high = space.free & (x >= space.high - near)
        at_bound = at_low | at_high
        width = space.names.index("vmacro") if "vmacro" in space.names else None
        outside = self.population.outside(x.cpu()).tolist()
        at_edge = (pixels.abs() > 0.99 * MAX_SHIFT_PIXELS).tolist()
        part = (good.sum(1) / int(self._used.sum())).tolist()
        for i, row in enumerate(rows.tolist()):
            bounds = tuple(
                label.title
                for label, at in zip(out.label_set.labels, at_bound[i].tolist(), strict=True)
                if at
            )
            lines_are = ""
            if width is not None and at_bound[i, width]:
                lines_are = "narrower" if at_low[i, width] else "broader"
            evidence = Evidence(
                converged=bool(converged[i]),
                at_bound=bounds,
                velocity_at_bound=at_edge[i],
                reduced_chi2=float(out.reduced_chi2[row]),
                extrapolated=tuple(e.title for e in self.model.extrapolations(out.labels[row])),
                outside_population=outside[i],
                good_part=part[i],
                velocity=float(out.velocity[row]),
                lines_are=lines_are,
                noise=noise[i],
            )
            out.flags[row], out.remarks[row] = flags_of(evidence)


def _plain(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()


def _add_variance(ivar: Tensor, variance: Tensor) -> Tensor:
    """Return inverse variances with a variance added; bad pixels stay bad."""
    return torch.where(ivar > 0, 1 / (1 / ivar.clamp_min(1e-12) + variance), ivar)


def population_of(bundle: Bundle) -> NDArray[np.float64]:
    """Return labels ``(n_stars, n_labels)`` of stars like those a bundle was trained on.

    Raises
    ------
    FitError
        If the bundle keeps none.
    """
    if bundle.sample is None:
        raise FitError(
            f"The bundle {bundle.name!r} keeps no sample of its stars, so nothing is known of the "
            "population. Train it again with this version, or give labels of a population."
        )
    return bundle.sample.synthetic_labels.double().numpy()


def fit_labels(
    bundle: Bundle,
    spectra: Spectra,
    settings: FitSettings | None = None,
    *,
    progress: Progress | None = None,
) -> LabelFits:
    """Fit labels to spectra with a bundle's model.

    Parameters
    ----------
    bundle : Bundle
        From :func:`~spectrabridge.core.bundle.open_bundle`.
    spectra : Spectra
        Observed spectra on the bundle's grid or the apStar grid, normalised or not.
    settings : FitSettings, optional
        How to fit; adapted spectra with the population as prior if not given.
    progress : callable, optional
        Called with (stars done, stars).
    """
    return Fitter(bundle.model, population_of(bundle), settings).fit(spectra, progress)


def fit_both(
    bundle: Bundle,
    spectra: Spectra,
    settings: FitSettings | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[LabelFits, LabelFits]:
    """Fit labels with the plain emulator and with the adapted spectra, in this order."""
    settings = settings or FitSettings()
    n = len(spectra)

    def half(offset: int) -> Progress | None:
        return None if progress is None else lambda done, total: progress(offset + done, 2 * n)

    raw = fit_labels(bundle, spectra, replace(settings, spectrum="emulated"), progress=half(0))
    adapted = fit_labels(bundle, spectra, replace(settings, spectrum="adapted"), progress=half(n))
    return raw, adapted
