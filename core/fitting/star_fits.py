"""Fit stars that were read from files, with one or both spectra of a model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import Table

from ..bundle.bundle import Bundle
from .fit import Fitter, Progress, population_of
from .result import LabelFits, set_units
from .settings import FitSettings, Kind
from .stars import Star, first_spectra

UNREADABLE = "unreadable"
"""Flag of a file that no spectrum could be read from."""

SPECTRA: dict[Kind, str] = {"emulated": "raw", "adapted": "adapted"}
"""Kinds of fit in the order in which they are reported, with their names in reports."""


@dataclass(frozen=True)
class StarFits:
    """Fits of a list of stars, with one or both spectra of a model.

    Parameters
    ----------
    stars : tuple of Star
        A row each.
    fits : dict
        ``emulated`` and ``adapted``, or one of them, to :class:`LabelFits` with these rows.
    """

    stars: tuple[Star, ...]
    fits: dict[Kind, LabelFits]

    def table(self, covariance: bool = False) -> Table:
        """Return a table with a row per star: see :meth:`LabelFits.table`.

        Columns of the plain emulator's fit are called ``raw_...``, labels that the files
        gave ``survey_...``.
        """
        out = Table(masked=True)
        out["id"] = [s.id for s in self.stars]
        out["file"] = [s.file for s in self.stars]
        out["row"] = [s.row for s in self.stars]
        for kind, fits in sorted(self.fits.items()):
            prefix = "" if kind == "adapted" else "raw_"
            part = fits.table(prefix, covariance)
            for name in part.colnames[1:]:
                out[name] = part[name]
            flags = [
                UNREADABLE if s.error else f
                for s, f in zip(self.stars, part[prefix + "flags"], strict=True)
            ]
            out[prefix + "flags"] = flags
        labels = next(iter(self.fits.values())).label_set
        for name in labels.names:
            values = np.array([s.survey.get(name, math.nan) for s in self.stars], float)
            if np.isfinite(values).any():
                out[f"survey_{name}"] = values
        out["notes"] = [s.error or " ".join(s.notes) for s in self.stars]
        set_units(out, labels)
        return out

    def as_json(self) -> list[dict[str, Any]]:
        """Return an object per star: ``id``, ``file``, ``raw``, ``adapted`` and more.

        Numbers that are not known are null.
        """
        return [self._row(i, star) for i, star in enumerate(self.stars)]

    def _row(self, i: int, star: Star) -> dict[str, Any]:
        out: dict[str, Any] = {
            "id": star.id,
            "file": star.file,
            "format": star.format,
            "row": star.row,
            "notes": list(star.notes),
        }
        if star.error:
            out["error"] = star.error
        if star.survey:
            out["survey"] = {k: _number(v) for k, v in star.survey.items()}
        for kind, name in SPECTRA.items():
            if kind not in self.fits:
                continue
            f = self.fits[kind]
            out[name] = {
                "reduced_chi2": _number(f.reduced_chi2[i]),
                "residual_mean": _number(f.residual_mean[i]),
                "residual_std": _number(f.residual_std[i]),
                "labels": dict(zip(f.label_set.names, map(_number, f.labels[i]), strict=True)),
                "errors": dict(zip(f.label_set.names, map(_number, f.errors[i]), strict=True)),
                "velocity": _number(f.velocity[i]),
                "velocity_error": _number(f.velocity_error[i]),
                "n_pixels": int(f.n_pixels[i]),
                "flags": [UNREADABLE] if star.error else list(f.flags[i]),
                "remarks": f.remarks[i],
            }
        return out


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def fitters(
    bundle: Bundle, kinds: Sequence[Kind], settings: FitSettings | None = None
) -> dict[Kind, Fitter]:
    """Return what fits with each kind of spectrum, all else alike."""
    population = population_of(bundle)
    settings = settings or FitSettings()
    return {k: Fitter(bundle.model, population, replace(settings, spectrum=k)) for k in kinds}


def fit_stars(
    fitters: Mapping[Kind, Fitter],
    stars: Sequence[Star],
    progress: Progress | None = None,
) -> StarFits:
    """Fit the first spectrum of each star.

    Parameters
    ----------
    fitters : mapping
        From :func:`fitters`.
    stars : sequence of Star
        From :func:`.read_stars`, or made otherwise; all on one grid.
    progress : callable, optional
        Called with (spectra done, spectra), each star counting once per kind of fit.
    """
    spectra = first_spectra(stars)
    total = len(spectra) * len(fitters)
    fits: dict[Kind, LabelFits] = {}
    for i, (kind, fitter) in enumerate(fitters.items()):
        before = i * len(spectra)

        def tell(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        fits[kind] = fitter.fit(spectra, tell)
        tell(len(spectra), total)
    return StarFits(tuple(stars), fits)
