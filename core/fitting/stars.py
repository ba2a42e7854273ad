"""Stars from files: whatever their format, what cannot be read becomes a star that says why.

:func:`read_stars` is the one door: the command line, surveys, notebooks and all pages of the
explorer take stars from it, and :class:`Star` is what carries one from its file to its fit and to
the screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FitError, SpectrabridgeError
from ..io.names import distinct_names
from ..io.read_apart import read_star_apart
from ..io.spectrum_columns import READING_COLUMNS, reading_columns
from ..io.star_file import StarFile, read_star
from ..io.star_formats import ReadingOptions
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APSTAR_GRID, WavelengthGrid

_KINDS = {"coadd": "combination", "coadd_global": "combination, global weights"}


@dataclass(frozen=True)
class Reading:
    """Options that say what files do not say themselves; see :func:`.read_star`.

    Parameters
    ----------
    unit, medium, rv_kms
        Of wavelengths of files that do not say it.
    every_row : bool
        Make a star of every spectrum of a file, visits included.
    resolution : float, optional
        Of the spectra, if it is higher than that of the models.
    bad_bits : int, optional
        Bits of APOGEE's pixel mask that make a pixel unusable, as one integer.
    """

    unit: str | None = None
    medium: str | None = None
    rv_kms: float | None = None
    every_row: bool = False
    resolution: float | None = None
    bad_bits: int | None = None

    def options(self) -> ReadingOptions:
        """Return what readers are told."""
        return ReadingOptions(self.unit, self.medium, self.rv_kms, self.resolution, self.bad_bits)


@dataclass(frozen=True, eq=False)
class Star:
    """A star: its spectra, where they come from, and what is known of it.

    Parameters
    ----------
    id : str
        Name of the star; that of the file where it could not be read.
    file : str
        Name of the file.
    spectra : Spectra
        Its spectra. The first is the one that is fitted; the others, if any, are other
        combinations and visits. From files: on the apStar grid, at rest, as read; flux 1
        without weight if the file could not be read.
    titles : tuple of str
        What each spectrum is; :func:`spectrum_title` says it if not given.
    format : str
        Format of the file; empty if it could not be read.
    row : int
        Which spectrum of the file the first one is.
    survey : mapping of str to float
        Labels that the file gives, by name, NaN where unknown.
    notes : tuple of str
        What a user should know about the file, one sentence each.
    error : str
        Why it could not be read; empty if it could.
    """

    id: str
    file: str
    spectra: Spectra
    titles: tuple[str, ...] = ()
    format: str = ""
    row: int = 0
    survey: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def unreadable(
        cls, file: str, sentence: str, row: int = 0, grid: WavelengthGrid = APSTAR_GRID
    ) -> Star:
        """Return what stands for a file that no spectrum could be read from.

        Parameters
        ----------
        file : str
            Name of the file.
        sentence : str
            Why.
        row : int
            Which spectrum of the file could not be read.
        grid : WavelengthGrid
            Grid of the spectrum that takes its place.
        """
        flux = np.ones((1, grid.n_pixels), np.float32)
        spectra = Spectra(grid, flux, np.zeros_like(flux), (file,))
        return cls(file, file, spectra, ("",), row=row, error=sentence)

    def title(self, row: int = 0) -> str:
        """Return what one of the spectra is: combination or visit, with its quality."""
        return self.titles[row] if self.titles else spectrum_title(self.spectra, row)

    def normalised(self, grid: WavelengthGrid, row: int = 0) -> Spectra:
        """Return one spectrum as models give theirs: continuum-normalised, on their grid.

        Parameters
        ----------
        grid : WavelengthGrid
            Grid of the model.
        row : int
            Which of the star's spectra.

        Returns
        -------
        Spectra
            A set of one. What :func:`.normalise` has normalised before stays as it is.

        Raises
        ------
        GridError
            If the spectrum's detectors are not those of the grid.
        """
        spectra = self.spectra[row]
        if spectra.grid != grid:
            grid.require_same(spectra.grid.on_chips(), f"the spectrum in {self.file}")
        # Other continua, which models do not know, are named by a text.
        if not isinstance(spectra.provenance.get("continuum"), Mapping):
            spectra = normalise(spectra)
        return spectra if spectra.grid == grid else spectra.on_chips()


def spectrum_title(spectra: Spectra, row: int) -> str:
    """Return what a spectrum is, with its signal-to-noise ratio per pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from spectrabridge.core.spectra import APSTAR_GRID, Spectra
    >>> flux = np.ones(APSTAR_GRID.n_pixels)
    >>> one = Spectra(APSTAR_GRID, flux, 100**2 * flux, columns={"kind": ["coadd"]})
    >>> spectrum_title(one, 0)
    'combination, S/N 100'
    """
    snr = float(spectra[row].snr[0])
    quality = f"S/N {snr:.0f}" if math.isfinite(snr) else "no usable pixel"
    if "kind" not in spectra.columns:
        return quality
    kind = str(spectra.columns["kind"][row])
    if kind not in _KINDS and "visit" in spectra.columns:
        return f"visit {int(spectra.columns['visit'][row])}, {quality}"
    return f"{_KINDS.get(kind, kind)}, {quality}"


def read_stars(
    files: Iterable[str | Path | tuple[str, bytes | Path]],
    reading: Reading | None = None,
    *,
    apart: bool = False,
) -> list[Star]:
    """Read stars from files.

    Parameters
    ----------
    files : iterable of path or of (name, content)
        Files of any format that :func:`~spectrabridge.core.io.read_star` reads; with a name, the
        content or the path of a file that users know by that name.
    reading : Reading, optional
        What the files do not say themselves.
    apart : bool
        Whether content is read in a process of its own, with limits on time and memory:
        what strangers send to a server. Files with a path are read here.

    Returns
    -------
    list of Star
        In the order of the files: one per spectrum of a file that holds a set of stars, one with
        all its spectra of any other file, and one with its error for a file that cannot be read.

    Raises
    ------
    FitError
        If no files were given.
    """
    reading = reading or Reading()
    stars: list[Star] = []
    files = list(files)
    # Those that come with a name are known by it.
    paths = [f for f in files if not isinstance(f, tuple)]
    names = dict(zip(map(str, paths), distinct_names(paths), strict=True))
    for file in files:
        name, source = file if isinstance(file, tuple) else (names[str(file)], file)
        try:
            options: dict[str, Any] = {
                "unit": reading.unit,
                "medium": reading.medium,
                "rv_kms": reading.rv_kms,
                "resolution": reading.resolution,
                "bad_bits": reading.bad_bits,
            }
            if apart and isinstance(source, bytes):
                found = read_star_apart(source, name, **options)
            else:
                found = read_star(source, name, **options)
        except (SpectrabridgeError, OSError) as problem:
            sentence = str(problem)
            if isinstance(problem, OSError) and problem.strerror:
                sentence = f"{name} cannot be read: {problem.strerror}."
            stars.append(Star.unreadable(name, sentence))
            continue
        stars += _stars_in(found, reading.every_row)
    if not stars:
        raise FitError("No files were given; expected at least one file with a spectrum.")
    return stars


def _stars_in(found: StarFile, every_row: bool) -> list[Star]:
    """Return the stars of a file that was read."""
    if not found.is_set and not every_row:
        return [
            Star(
                found.star,
                found.name,
                found.spectra,
                format=found.format,
                survey=_survey(found, 0),
                notes=found.notes,
            )
        ]
    return [
        Star(
            found.spectra.ids[row] if row else found.star,
            found.name,
            found.spectra[row],
            format=found.format,
            row=row,
            survey=_survey(found, row),
            notes=found.notes,
        )
        for row in range(len(found.spectra))
    ]


def _survey(found: StarFile, row: int) -> dict[str, float]:
    survey = dict(found.labels)
    spectra = found.spectra
    if spectra.labels is not None and spectra.label_set is not None:
        survey |= dict(zip(spectra.label_set.names, spectra.labels[row].tolist(), strict=True))
    return survey


def first_spectra(stars: Sequence[Star]) -> Spectra:
    """Return the spectrum of each star that is fitted, as one set.

    Parameters
    ----------
    stars : sequence of Star
        At least one; all on one grid.
    """
    chosen = [star.spectra for star in stars]
    continuum = chosen[0].provenance.get("continuum")
    alike = all(spectra.provenance.get("continuum") == continuum for spectra in chosen)
    return Spectra(
        chosen[0].grid,
        np.concatenate([spectra.flux[:1] for spectra in chosen]),
        np.concatenate([spectra.ivar[:1] for spectra in chosen]),
        tuple(star.id for star in stars),
        columns={
            key: np.concatenate([reading_columns(s)[key][:1] for s in chosen])
            for key in READING_COLUMNS
        },
        provenance={"continuum": continuum} if continuum is not None and alike else {},
    )
