"""Bring another code's grid onto the pixels, labels and continuum of this program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GridImportError
from ..io.noise import FILL_MAGNITUDE, FILL_VALUES
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..spectra.continuum import normalise
from ..spectra.resample import resample
from ..spectra.spectra import Spectra
from ..spectra.wavelength import APOGEE_GRID, APSTAR_GRID, UNITS, WavelengthGrid, air_to_vacuum
from ..synthesis.broadening import broaden, velocity_width
from .label_columns import to_labels
from .raw_grid import RawGrid


@dataclass(frozen=True)
class ImportSettings:
    """What a person says about a grid that its files do not.

    Parameters
    ----------
    unit : str, optional
        ``angstrom``, ``nm`` or ``um``.
    medium : str, optional
        ``vacuum`` or ``air``.
    continuum : str, optional
        ``true`` or ``pseudo``: what the flux was divided by.
    normalise : bool
        Divide flux that is in units of energy by a continuum drawn through it.
    resolution : float, optional
        Broaden spectra of full resolution to this one.
    columns : mapping
        Label to the name in the grid.
    constants : mapping
        Values of labels that the grid does not vary.
    own_pixels : bool
        Keep the grid's own pixels instead of those of APOGEE.
    """

    unit: str | None = None
    medium: str | None = None
    continuum: str | None = None
    normalise: bool = False
    resolution: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    own_pixels: bool = False


def finish(
    raw: RawGrid,
    settings: ImportSettings | None = None,
    labels: LabelSet = APOGEE_LABELS,
    *,
    name: str = "",
    product: str = "",
) -> Spectra:
    """Return a grid that ``train-emulator`` takes, checked and with everything assumed said.

    Parameters
    ----------
    raw : RawGrid
        What a reader found.
    settings : ImportSettings, optional
        What a person adds.
    labels : LabelSet
        Labels that are known; those that the grid varies are the result's.
    name, product : str
        Of the file and its code, for provenance.

    Returns
    -------
    Spectra
        On the apStar grid, its chips, or its own pixels. ``provenance["notes"]`` has a
        sentence on everything that was assumed or changed, ``provenance["continuum"]`` is
        ``true`` or ``pseudo``.

    Raises
    ------
    GridImportError
        If wavelengths are not in order, do not meet the pixels, are said to be in a
        medium other than the file's, or the flux is not what it is said to be.
    LabelError
        If labels are missing or not finite.
    """
    settings = settings or ImportSettings()
    notes = list(raw.notes)
    wavelength, order = _wavelength(raw, settings, notes)
    flux = np.asarray(raw.flux, dtype=np.float64)[:, order]
    filled = ~np.isfinite(flux) | np.isin(flux, FILL_VALUES) | (np.abs(flux) >= FILL_MAGNITUDE)
    bad = np.flatnonzero(filled.any(axis=1))
    if bad.size:
        raise GridImportError(
            f"Flux of {bad.size} of {len(flux)} spectra is not finite or a fill value (counted "
            f"from 0: {', '.join(map(str, bad[:10]))}). Drop these spectra."
        )
    kind = _continuum(raw, settings, flux, notes)
    values, label_set, more = to_labels(
        raw.labels, raw.label_units, settings.columns, settings.constants, labels
    )
    notes += more
    if settings.resolution is not None:
        flux, wavelength = _broadened(flux, wavelength, settings.resolution)
        notes.append(f"Spectra were broadened to a resolution of {settings.resolution:g}.")
    grid = _pixels(wavelength, settings.own_pixels)
    if grid.n_pixels != wavelength.size or not np.allclose(
        grid.wavelength, wavelength, rtol=0, atol=2e-3
    ):
        flux, ivar = resample(wavelength, flux, np.ones_like(flux), grid)
        if (ivar <= 0).any():
            raise GridImportError("The spectra do not cover every pixel after resampling.")
        notes.append(f"Spectra were resampled to the {grid.n_pixels} pixels of {grid.name}.")
    spectra = Spectra(
        grid,
        flux.astype(np.float32),
        labels=values,
        label_set=label_set,
        columns={"kind": np.zeros(len(flux), dtype=np.int8)},
        provenance={
            "product": "synthetic grid",
            "code": product,
            "file": name,
            "continuum": "pseudo" if settings.normalise else kind,
            "notes": notes,
        },
    )
    return _normalised(spectra) if settings.normalise else spectra


def _wavelength(
    raw: RawGrid, settings: ImportSettings, notes: list[str]
) -> tuple[NDArray[np.float64], slice]:
    """Return vacuum angstrom in rising order, and the order of pixels that gives it."""
    values = np.asarray(raw.wavelength, dtype=np.float64)
    if not np.isfinite(values).all() or values.size < 2:
        raise GridImportError("Wavelengths must be at least two finite numbers.")
    steps = np.diff(values)
    if (steps > 0).all():
        order = slice(None)
    elif (steps < 0).all():
        order = slice(None, None, -1)
        notes.append("Wavelengths fell from pixel to pixel; spectra were turned round.")
    else:
        wrong = (np.sign(steps) != np.sign(steps[0])) | (steps == 0)
        where = int(np.flatnonzero(wrong)[0]) + 1
        raise GridImportError(
            f"Wavelengths must rise or fall from pixel to pixel; pixel {where} "
            f"{'turns back' if steps[where - 1] else 'stays'} at {values[where]:g}."
        )
    values = values[order]
    for what, given, stated, known in (
        ("unit", settings.unit, raw.unit, tuple(UNITS)),
        ("medium", settings.medium, raw.medium, ("vacuum", "air")),
    ):
        if given is not None and given not in known:
            raise GridImportError(f"The {what} is one of {', '.join(known)}; found {given!r}.")
        if given and stated and given != stated:
            raise GridImportError(
                f"The grid says that the {what} of its wavelengths is {stated}; {given} was given."
            )
    unit = settings.unit or raw.unit
    if not unit:
        unit = _guessed_unit(values)
        notes.append(f"Wavelengths are taken to be in {unit}, from their size.")
    values = values / UNITS[unit]
    medium = settings.medium or raw.medium
    if not medium:
        medium = "vacuum"
        notes.append("Wavelengths are taken to be in vacuum; say --medium air if they are not.")
    if medium == "air":
        values = air_to_vacuum(values)
        notes.append("Wavelengths were converted from air to vacuum.")
    return values, order


def _guessed_unit(values: NDArray[np.float64]) -> str:
    middle = float(np.median(values))
    for unit, low, high in (("um", 0.2, 30), ("nm", 200, 2600), ("angstrom", 2600, 3e5)):
        if low <= middle < high:
            return unit
    raise GridImportError(
        f"The unit of wavelengths with a median of {middle:g} cannot be told; give it."
    )


def _continuum(
    raw: RawGrid, settings: ImportSettings, flux: NDArray[np.float64], notes: list[str]
) -> str:
    """Return what the flux was divided by, after a look at the flux."""
    if settings.continuum not in (None, "true", "pseudo"):
        raise GridImportError(f"The continuum is 'true' or 'pseudo'; found {settings.continuum!r}.")
    if raw.continuum in ("true", "pseudo") and settings.continuum not in (None, raw.continuum):
        raise GridImportError(
            f"The flux of this grid was divided by a {raw.continuum} continuum; "
            f"{settings.continuum} was given."
        )
    if settings.normalise:
        notes.append("Flux was divided by a continuum drawn through it, as observations are.")
        return "pseudo"
    top = float(np.median(np.percentile(flux, 95, axis=1)))
    if raw.continuum == "none" or not 0.8 < top < 1.2:
        raise GridImportError(
            f"The flux is not divided by a continuum (95 % of the pixels lie below {top:.3g}). "
            "Give a grid with its continuum, or --normalise to draw one through each spectrum."
        )
    kind = settings.continuum or raw.continuum
    if not kind:
        kind = "true"
        notes.append(
            "Flux is taken to be divided by the true continuum; say --continuum pseudo if it was "
            "drawn through the spectrum."
        )
    return kind


def _broadened(
    flux: NDArray[np.float64], wavelength: NDArray[np.float64], resolution: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    log = np.log(wavelength)
    step = float(np.diff(log).min())
    n = int((log[-1] - log[0]) / step) + 1
    if n > 5_000_000:
        raise GridImportError("Wavelengths are too uneven to broaden; resample them first.")
    even = np.exp(np.linspace(log[0], log[-1], n))
    sigma = velocity_width(0.0, resolution)
    out = [broaden(np.interp(even, wavelength, row), even, wavelength, sigma) for row in flux]
    return np.array(out), wavelength


def _pixels(wavelength: NDArray[np.float64], own: bool) -> WavelengthGrid:
    if own:
        return WavelengthGrid(wavelength, name="the grid's own")
    for grid in (APSTAR_GRID, APOGEE_GRID):
        target = grid.wavelength
        if wavelength.size == target.size and np.allclose(wavelength, target, rtol=0, atol=2e-3):
            return grid
    half = 0.5 * float(np.median(np.diff(APSTAR_GRID.wavelength)))
    for grid in (APSTAR_GRID, APOGEE_GRID):
        if (
            wavelength[0] - half <= grid.wavelength[0]
            and wavelength[-1] + half >= (grid.wavelength[-1])
        ):
            return grid
    raise GridImportError(
        f"The spectra cover {wavelength[0]:.1f} to {wavelength[-1]:.1f} angstrom in vacuum; the "
        f"detectors of APOGEE need {APOGEE_GRID.wavelength[0]:.1f} to "
        f"{APOGEE_GRID.wavelength[-1]:.1f}. Check unit and medium, or keep the grid's own pixels."
    )


def _normalised(spectra: Spectra) -> Spectra:
    done = normalise(spectra)
    record: dict[str, Any] = dict(spectra.provenance)
    record["normalisation"] = done.provenance["continuum"]
    flux = done.flux
    gaps = ~done.good
    flux = np.where(gaps, np.float32(1.0), flux)
    return replace(spectra, flux=flux, provenance=record)
