"""Fit stars from files: whatever their format, what cannot be read becomes a flagged row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from ..bundle.bundle import Bundle
from ..errors import FitError, SpectrabridgeError
from ..io.names import distinct_names
from ..io.spectrum_columns import medium_assumed
from ..io.star_file import StarFile, read_star
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID
from .fit import Fitter, Progress, population_of
from .result import LabelFits, set_units
from .settings import FitSettings, Kind

UNREADABLE = "unreadable"
"""Flag of a file that no spectrum could be read from."""

SPECTRA: dict[Kind, str] = {"emulated": "raw", "adapted": "adapted"}
"""Kinds of fit in the order in which they are reported, with their names in reports."""


@dataclass(frozen=True)
class Reading:
    """Options that say what files do not say themselves; see :func:`.read_star`.

    Parameters
    ----------
    unit, medium, rv_kms
        Of wavelengths of files that do not say it.
    every_row : bool
        Fit every spectrum of a file, visits included, instead of the first.
    resolution : float, optional
        Of the spectra, if it is higher than that of the models.
    """

    unit: str | None = None
    medium: str | None = None
    rv_kms: float | None = None
    every_row: bool = False
    resolution: float | None = None


@dataclass(frozen=True)
class Star:
    """Where a row of fits comes from.

    Parameters
    ----------
    id : str
        Name of the star; that of the file where it could not be read.
    file : str
        Name of the file.
    format : str
        Format of the file; empty if it could not be read.
    row : int
        Which of its spectra.
    survey : mapping of str to float
        Labels that the file gives, by name, NaN where unknown.
    notes : tuple of str
        What a user should know about the file.
    error : str
        Why it could not be read; empty if it could.
    """

    id: str
    file: str
    format: str = ""
    row: int = 0
    survey: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class StarFits:
    """Fits of a list of stars, with one or both spectra of a model.

    Parameters
    ----------
    stars : tuple of Star
        A row each.
    spectra : Spectra
        What was fitted, on the apStar grid as read; flux 1 without weight for files that
        could not be read.
    fits : dict
        ``emulated`` and ``adapted``, or one of them, to :class:`LabelFits` with these rows.
    """

    stars: tuple[Star, ...]
    spectra: Spectra
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


def read_stars(
    files: Iterable[str | Path | tuple[str, bytes]], reading: Reading | None = None
) -> tuple[list[Star], Spectra]:
    """Read stars from files.

    Parameters
    ----------
    files : iterable of path or of (name, content)
        Files of any format that :func:`~spectrabridge.core.io.read_star` reads.
    reading : Reading, optional
        What the files do not say themselves.

    Returns
    -------
    stars : list of Star
        A row per spectrum; one with its error for a file that cannot be read.
    spectra : Spectra
        On the apStar grid, the same rows.
    """
    reading = reading or Reading()
    stars: list[Star] = []
    flux, ivar, assumed = [], [], []
    files = list(files)
    names = distinct_names([f[0] if isinstance(f, tuple) else f for f in files])
    for name, file in zip(names, files, strict=True):
        source = file[1] if isinstance(file, tuple) else file
        try:
            found = read_star(
                source,
                name,
                unit=reading.unit,
                medium=reading.medium,
                rv_kms=reading.rv_kms,
                resolution=reading.resolution,
            )
        except (SpectrabridgeError, OSError) as problem:
            text = str(problem)
            if isinstance(problem, OSError) and problem.strerror:
                text = f"{name} cannot be read: {problem.strerror}."
            stars.append(Star(name, name, error=text))
            flux.append(np.ones((1, APSTAR_GRID.n_pixels), np.float32))
            ivar.append(np.zeros((1, APSTAR_GRID.n_pixels), np.float32))
            assumed.append(np.zeros(1, bool))
            continue
        # A file of spectra is a set of stars; in others the first row is the star.
        every = reading.every_row or found.is_set
        rows = range(len(found.spectra)) if every else range(1)
        for row in rows:
            stars.append(_star(found, row))
        flux.append(found.spectra.flux[rows])
        ivar.append(found.spectra.ivar[rows])
        assumed.append(medium_assumed(found.spectra)[rows])
    if not stars:
        raise FitError("No files were given; expected at least one file with a spectrum.")
    spectra = Spectra(
        APSTAR_GRID,
        np.concatenate(flux),
        np.concatenate(ivar),
        tuple(s.id for s in stars),
        columns={"medium_assumed": np.concatenate(assumed)},
    )
    return stars, spectra


def _star(found: StarFile, row: int) -> Star:
    spectra = found.spectra
    survey = dict(found.labels)
    if spectra.labels is not None and spectra.label_set is not None:
        survey |= dict(zip(spectra.label_set.names, spectra.labels[row].tolist(), strict=True))
    return Star(
        spectra.ids[row] if row else found.star,
        found.name,
        found.format,
        row,
        survey,
        found.notes,
    )


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
    spectra: Spectra,
    progress: Progress | None = None,
) -> StarFits:
    """Fit stars that were read by :func:`read_stars`.

    Parameters
    ----------
    fitters : mapping
        From :func:`fitters`.
    stars, spectra
        From :func:`read_stars`.
    progress : callable, optional
        Called with (spectra done, spectra), each star counting once per kind of fit.
    """
    total = len(spectra) * len(fitters)
    fits: dict[Kind, LabelFits] = {}
    for i, (kind, fitter) in enumerate(fitters.items()):
        before = i * len(spectra)

        def tell(done: int, _: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        fits[kind] = fitter.fit(spectra, tell)
        tell(len(spectra), total)
    return StarFits(tuple(stars), spectra, fits)
