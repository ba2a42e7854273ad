"""Results of fits, and the table they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray

from ..labels.label_set import LabelSet
from .settings import FitSettings


def set_units(table: Table, labels: LabelSet) -> None:
    """Give columns of labels, of their errors and of velocities their units."""
    known = {label.name: _UNITS.get(label.unit) for label in labels.labels}
    known["rv"] = units.km / units.s
    for name in table.colnames:
        plain = name.removeprefix("raw_").removeprefix("survey_").removesuffix("_err")
        if plain in known:
            table[name].unit = known[plain]


_UNITS = {"K": units.K, "km s-1": units.km / units.s, "dex": units.dex}


@dataclass
class LabelFits:
    """Labels fitted to spectra, a row per star; NaN where a star could not be fitted.

    Parameters
    ----------
    ids : tuple of str
        Names of the stars.
    label_set : LabelSet
        What the columns of `labels` are.
    settings : FitSettings
        How they were fitted.
    labels, errors : ndarray, shape ``(n_stars, n_labels)``
        Values and 1-sigma errors in physical units; an error of 0 means held.
    covariance : ndarray, shape ``(n_stars, n_labels, n_labels)``
        Of the labels.
    velocity, velocity_error : ndarray, shape ``(n_stars,)``
        km/s relative to the frame of the spectrum, receding positive.
    chi2, reduced_chi2 : ndarray, shape ``(n_stars,)``
        Of the spectrum alone, without the prior.
    residual_mean, residual_std : ndarray, shape ``(n_stars,)``
        Of the residuals in sigma.
    n_pixels, evaluations : ndarray of int, shape ``(n_stars,)``
        Usable pixels; times that derivatives were computed.
    split : ndarray, shape ``(n_stars, n_split)``
        Fitted split latents; empty unless fitted.
    model, residual : ndarray, shape ``(n_stars, n_pixels)``, float32
        Best fit with its continuum, and residuals in sigma, NaN at unusable pixels.
    flags : list of tuple of str
        See :data:`~spectrabridge.core.fitting.flags.FLAGS`.
    remarks : list of str
        Details of the flags.
    """

    ids: tuple[str, ...]
    label_set: LabelSet
    settings: FitSettings
    labels: NDArray[np.float64]
    errors: NDArray[np.float64]
    covariance: NDArray[np.float64]
    velocity: NDArray[np.float64]
    velocity_error: NDArray[np.float64]
    chi2: NDArray[np.float64]
    reduced_chi2: NDArray[np.float64]
    residual_mean: NDArray[np.float64]
    residual_std: NDArray[np.float64]
    n_pixels: NDArray[np.int64]
    evaluations: NDArray[np.int64]
    split: NDArray[np.float64]
    model: NDArray[np.float32]
    residual: NDArray[np.float32]
    flags: list[tuple[str, ...]]
    remarks: list[str]

    @classmethod
    def empty(
        cls,
        ids: Sequence[str],
        label_set: LabelSet,
        settings: FitSettings,
        n_pixels: int,
        n_split: int = 0,
    ) -> LabelFits:
        """Return rows for stars that are not fitted yet."""
        n, k = len(ids), len(label_set)

        def unknown(*shape: int) -> NDArray[np.float64]:
            return np.full((n, *shape), np.nan)

        return cls(
            ids=tuple(ids),
            label_set=label_set,
            settings=settings,
            labels=unknown(k),
            errors=unknown(k),
            covariance=unknown(k, k),
            velocity=unknown(),
            velocity_error=unknown(),
            chi2=unknown(),
            reduced_chi2=unknown(),
            residual_mean=unknown(),
            residual_std=unknown(),
            n_pixels=np.zeros(n, np.int64),
            evaluations=np.zeros(n, np.int64),
            split=unknown(n_split),
            model=np.full((n, n_pixels), np.nan, np.float32),
            residual=np.full((n, n_pixels), np.nan, np.float32),
            flags=[("not_fitted",)] * n,
            remarks=[""] * n,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Whether a star was fitted, shape ``(n_stars,)``."""
        return np.isfinite(self.chi2)

    def correlation(self, row: int) -> NDArray[np.float64]:
        """Return the correlation matrix of one star's labels, ``(n_labels, n_labels)``.

        Held labels have no correlation, 0, with others.
        """
        scale = np.where(self.errors[row] > 0, self.errors[row], 1)
        out = self.covariance[row] / scale[:, None] / scale
        np.fill_diagonal(out, 1.0)
        return out

    def table(self, prefix: str = "", covariance: bool = False) -> Table:
        """Return a table with a row per star.

        Columns: ``id``, every label and its ``_err``, ``rv``, ``rv_err``,
        ``reduced_chi2``, ``residual_mean``, ``residual_std``, ``n_pixels``, ``flags``
        and ``remarks``; with `covariance` also the ``covariance`` of the labels.

        Parameters
        ----------
        prefix : str
            Put before every name but ``id``, as ``raw_``.
        covariance : bool
            See above.
        """
        out = Table(masked=True)
        out["id"] = list(self.ids)

        def add(name: str, values: NDArray, about: str = "") -> None:
            mask = ~np.isfinite(values) if values.dtype.kind == "f" else None
            out[prefix + name] = MaskedColumn(values, mask=mask, description=about)

        for i, label in enumerate(self.label_set.labels):
            add(label.name, self.labels[:, i], label.description)
            add(f"{label.name}_err", self.errors[:, i], f"1-sigma error of {label.name}")
        add("rv", self.velocity, "velocity in the frame of the spectrum")
        add("rv_err", self.velocity_error, "1-sigma error of the velocity")
        add("reduced_chi2", self.reduced_chi2, "chi2 over degrees of freedom")
        add("residual_mean", self.residual_mean, "mean of residuals in sigma")
        add("residual_std", self.residual_std, "standard deviation of residuals in sigma")
        add("n_pixels", self.n_pixels, "usable pixels")
        out[prefix + "flags"] = [",".join(f) for f in self.flags]
        out[prefix + "remarks"] = self.remarks
        if covariance:
            add("covariance", self.covariance, "covariance of the labels, in their order")
        set_units(out, self.label_set)
        return out
