"""Wavelength grids: vacuum angstrom in the rest frame, and the detectors they fall on.

Everything in ``core`` works in vacuum angstrom. Air wavelengths and other units
exist only at the edges, through :func:`vacuum_to_air`, :func:`air_to_vacuum` and
:meth:`WavelengthGrid.to`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import GridError
from ..files.typed_json import require_types

Unit = Literal["angstrom", "nm", "um"]
Medium = Literal["vacuum", "air"]

UNITS: dict[str, float] = {"angstrom": 1.0, "nm": 0.1, "um": 1e-4}
"""How many of the unit one angstrom is."""

SPEED_OF_LIGHT = 299_792.458
"""Speed of light in vacuum, km/s."""

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
"""Full width at half maximum of a Gaussian over its standard deviation."""

LARGEST_GRID = 1_000_000
_GRID_JSON: tuple[dict[str, Any], dict[str, Any]] = (
    {"name": str, "chips": tuple[tuple[str, int, int], ...]},
    {
        "wavelength": tuple[Any, ...],
        "log10_step": float,
        "runs": tuple[dict[str, float], ...],
    },
)
"""Most pixels of a grid that is read from a file."""


def _refractivity(vacuum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Refractive index of standard air minus one (Ciddor 1996, Appl. Opt. 35, 1566, eq. 1)."""
    wavenumber2 = (1e4 / vacuum) ** 2  # per square micrometre
    return 0.05792105 / (238.0185 - wavenumber2) + 0.00167917 / (57.362 - wavenumber2)


def vacuum_to_air(wavelength: ArrayLike) -> NDArray[np.float64]:
    """Convert vacuum wavelengths to standard air (15 C, 1 atm, dry).

    Parameters
    ----------
    wavelength : array_like
        Vacuum wavelengths in angstrom, above 2000.

    Returns
    -------
    ndarray
        Air wavelengths in angstrom.

    References
    ----------
    Ciddor (1996), Applied Optics 35, 1566, equation 1.

    Examples
    --------
    >>> round(float(vacuum_to_air(15770.15)), 3)
    15765.842
    """
    vacuum = np.asarray(wavelength, dtype=np.float64)
    return vacuum / (1.0 + _refractivity(vacuum))


def air_to_vacuum(wavelength: ArrayLike) -> NDArray[np.float64]:
    """Convert standard-air wavelengths to vacuum: the exact inverse of :func:`vacuum_to_air`.

    The formula gives the index as a function of the vacuum wavelength, so it is
    inverted by fixed-point iteration; four steps reach the precision of float64.

    Parameters
    ----------
    wavelength : array_like
        Air wavelengths in angstrom, above 2000.

    Returns
    -------
    ndarray
        Vacuum wavelengths in angstrom.

    Examples
    --------
    >>> there = vacuum_to_air([5000.0, 16000.0])
    >>> bool(np.allclose(air_to_vacuum(there), [5000.0, 16000.0], rtol=0, atol=1e-9))
    True
    """
    air = np.asarray(wavelength, dtype=np.float64)
    vacuum = air
    for _ in range(4):
        vacuum = air * (1.0 + _refractivity(vacuum))
    return vacuum


def convert(wavelength: ArrayLike, unit: str = "angstrom", medium: str = "vacuum") -> NDArray:
    """Express vacuum angstrom in another unit and medium, for display and export.

    Raises
    ------
    GridError
        If `unit` or `medium` is not known.

    Examples
    --------
    >>> round(float(convert(16000.0, "um")), 4)
    1.6
    """
    if unit not in UNITS:
        raise GridError(f"Wavelength units are {', '.join(UNITS)}; found {unit!r}.")
    if medium not in ("vacuum", "air"):
        raise GridError(f"The medium is 'vacuum' or 'air'; found {medium!r}.")
    values = np.asarray(wavelength, dtype=np.float64)
    return (vacuum_to_air(values) if medium == "air" else values) * UNITS[unit]


@dataclass(frozen=True)
class Chip:
    """One detector: its name and its pixels, ``start`` to ``stop - 1`` of the grid."""

    name: str
    start: int
    stop: int

    @property
    def pixels(self) -> slice:
        """The chip's pixels as a slice into any array on the grid."""
        return slice(self.start, self.stop)

    def __len__(self) -> int:
        return self.stop - self.start


class WavelengthGrid:
    """Wavelengths of the pixels, and the chips they fall on.

    Parameters
    ----------
    wavelength : array_like, shape ``(n_pixels,)``
        Vacuum angstrom in the rest frame, increasing. Copied and made read-only.
    chips : sequence of Chip, optional
        Detectors, in order, not overlapping. Pixels on no chip are gaps. Without
        chips the whole grid is one chip called ``all``.
    name : str
        What users call the grid.

    Raises
    ------
    GridError
        If the wavelengths do not increase, or a chip leaves the grid or overlaps.

    Examples
    --------
    >>> chips = [Chip("a", 0, 3), Chip("b", 3, 5)]
    >>> grid = WavelengthGrid([15000, 15001, 15002, 15010, 15011], chips)
    >>> grid
    WavelengthGrid(unnamed: 5 pixels, 15000.00-15011.00 A)
    >>> APSTAR_GRID.on_chips() == APOGEE_GRID
    True
    """

    def __init__(
        self, wavelength: ArrayLike, chips: Sequence[Chip] | None = None, name: str = ""
    ) -> None:
        values = np.array(wavelength, dtype=np.float64)
        if values.ndim != 1 or values.size < 2:
            raise GridError(f"A grid needs a row of wavelengths; found shape {values.shape}.")
        if not np.isfinite(values).all() or not (np.diff(values) > 0).all():
            raise GridError("Wavelengths must be finite and increase from pixel to pixel.")
        if values[0] < 1000 or values[-1] > 1e7:
            raise GridError(
                "Wavelengths must be vacuum angstrom between 1000 and 1e7; found "
                f"{values[0]:g} to {values[-1]:g}. Convert the unit first."
            )
        values.setflags(write=False)
        self.wavelength = values
        self.name = name
        self.chips = tuple(chips) if chips else (Chip("all", 0, values.size),)
        end = 0
        for chip in self.chips:
            if not end <= chip.start < chip.stop <= values.size:
                raise GridError(
                    f"Chip {chip.name!r} must cover pixels inside {end}..{values.size} after the "
                    f"one before it; found {chip.start}..{chip.stop}."
                )
            end = chip.stop
        pixels = np.concatenate([np.arange(c.start, c.stop) for c in self.chips])
        pixels.setflags(write=False)
        self.chip_pixels: NDArray[np.int64] = pixels

    @classmethod
    def log_linear(
        cls,
        log10_start: float,
        log10_step: float,
        n_pixels: int,
        chips: Sequence[Chip] | None = None,
        name: str = "",
    ) -> WavelengthGrid:
        """Return the grid ``10**(log10_start + log10_step * i)``, i from 0."""
        return cls(10.0 ** (log10_start + log10_step * np.arange(n_pixels)), chips, name)

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return int(self.wavelength.size)

    def __len__(self) -> int:
        return self.n_pixels

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WavelengthGrid):
            return False
        return self is other or (
            self.n_pixels == other.n_pixels
            and self.chips == other.chips
            and bool(np.allclose(self.wavelength, other.wavelength, rtol=1e-9, atol=0))
        )

    def __hash__(self) -> int:
        return hash((self.n_pixels, self.chips))

    def __repr__(self) -> str:
        ends = f"{self.wavelength[0]:.2f}-{self.wavelength[-1]:.2f} A"
        return f"WavelengthGrid({self.name or 'unnamed'}: {self.n_pixels} pixels, {ends})"

    def require_same(self, other: WavelengthGrid, what: str = "the spectra") -> None:
        """Raise a GridError that says how `other` differs, unless the grids agree."""
        if self != other:
            raise GridError(
                f"Expected {what} on {self!r}; found {other!r}. Resample to the model's grid first."
            )

    def on_chips(self) -> WavelengthGrid:
        """Return the grid of the pixels that fall on a chip; gaps are left out."""
        chips, end = [], 0
        for chip in self.chips:
            chips.append(Chip(chip.name, end, end + len(chip)))
            end += len(chip)
        return WavelengthGrid(self.wavelength[self.chip_pixels], chips, self.name)

    def has_pixels(self, wavelength: NDArray[np.float64]) -> bool:
        """Return whether wavelengths are those of the grid's pixels, whatever the chips."""
        return wavelength.shape == self.wavelength.shape and bool(
            np.allclose(wavelength, self.wavelength, rtol=1e-9, atol=0)
        )

    def pixel(self, wavelength: float) -> int:
        """Return the pixel nearest to a vacuum wavelength in angstrom.

        Examples
        --------
        >>> APOGEE_GRID.pixel(15770.0)
        2817
        """
        return int(np.abs(self.wavelength - wavelength).argmin())

    def to(self, unit: Unit = "angstrom", medium: Medium = "vacuum") -> NDArray[np.float64]:
        """Return the wavelengths in another unit and medium, shape ``(n_pixels,)``."""
        return convert(self.wavelength, unit, medium)

    def fingerprint(self) -> str:
        """Return a short text that two equal grids share: a hash of the rounded wavelengths.

        Rounded to 0.001 angstrom: what :meth:`to_json` changes, about 1e-11, must not show.
        """
        data = np.round(self.wavelength, 3).tobytes() + repr(self.chips).encode()
        return hashlib.sha256(data).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold.

        Wavelengths that lie on runs of a logarithmic grid are written as those runs.
        """
        log = np.log10(self.wavelength)
        runs, start = [], 0
        step = float(np.median(np.diff(log)))
        breaks = [*(np.flatnonzero(np.abs(np.diff(log) - step) > 1e-3 * step) + 1), len(log)]
        longest = 1
        for stop in breaks:
            runs.append({"log10_start": float(log[start]), "n_pixels": int(stop - start)})
            if stop - start > longest:
                # Over a whole run the step is known better than from one pixel to the next.
                longest = int(stop - start)
                step = float(log[stop - 1] - log[start]) / (longest - 1)
            start = stop
        out: dict[str, Any] = {
            "name": self.name,
            "chips": [[c.name, c.start, c.stop] for c in self.chips],
        }
        rebuilt = np.concatenate([r["log10_start"] + step * np.arange(r["n_pixels"]) for r in runs])
        if len(runs) <= 64 and np.abs(rebuilt - log).max() < 1e-10:
            out |= {"log10_step": step, "runs": runs}
        else:
            out["wavelength"] = self.wavelength.tolist()
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> WavelengthGrid:
        """Rebuild a grid written by :meth:`to_json`.

        Raises
        ------
        GridError
            If something is missing or of another type; says where.
        """
        try:
            require_types(data, *_GRID_JSON, where="grid")
            chips = [Chip(str(n), int(a), int(b)) for n, a, b in data["chips"]]
            if "wavelength" in data:
                wavelength = np.asarray(data["wavelength"])
                if wavelength.dtype.kind not in "fiu":
                    raise ValueError("grid.wavelength: expected numbers")
            else:
                require_types(data, {"log10_step": float, "runs": Any}, where="grid")
                runs = [int(r["n_pixels"]) for r in data["runs"]]
                n_pixels = sum(runs)
                if min(runs, default=0) < 0 or not 2 <= n_pixels <= LARGEST_GRID:
                    raise GridError(f"A grid has 2 to {LARGEST_GRID} pixels; found {n_pixels}.")
                step = float(data["log10_step"])
                starts = [float(r["log10_start"]) for r in data["runs"]]
                with np.errstate(over="ignore"):  # what is infinite then is refused
                    wavelength = 10.0 ** np.concatenate(
                        [a + step * np.arange(n) for a, n in zip(starts, runs, strict=True)]
                    )
            return cls(wavelength, chips, str(data["name"]))
        except (KeyError, TypeError, ValueError) as problem:
            raise GridError(f"The wavelength grid cannot be read: {problem}.") from problem


APSTAR_GRID = WavelengthGrid.log_linear(
    4.179,
    6e-6,
    8575,
    (Chip("blue", 322, 3242), Chip("green", 3648, 6048), Chip("red", 6412, 8306)),
    "apStar",
)
"""The grid of APOGEE's combined spectra (Holtzman et al. 2018): 8575 pixels, three chips."""

APOGEE_GRID = APSTAR_GRID.on_chips()
"""The 7214 pixels of :data:`APSTAR_GRID` that fall on a chip: the default grid."""
