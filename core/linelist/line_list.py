"""Lists of spectral lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LineListError
from .isotopes import ISOTOPE_FRACTION
from .solar_abundances import DISSOCIATION_ENERGY, SOLAR_ABUNDANCE
from .species import Species

EV_PER_CM = 1.239841984e-4
"""Energy of one wavenumber (cm^-1) in eV."""

_PRESSURE_TERM = -8.0
_PARTITION_TERM = -2.5

_UNKNOWN: Any = None


@dataclass(frozen=True)
class LineList:
    """Spectral lines in order of wavelength; every array has shape ``(n_lines,)``.

    Parameters
    ----------
    species : array of str
        ``Fe 1``, ``CN 1``: see :class:`~spectrabridge.core.linelist.species.Species`.
    wl_vac : array
        Vacuum wavelength in angstrom. Lines are sorted by it if they are not.
    loggf : array
        log10 of the statistical weight times the oscillator strength, without the
        isotopologue's fraction; NaN where not known.
    ep : array
        Energy of the lower level in eV; NaN where not known.
    isotopologue : array of str, optional
        Mass numbers of the nuclei, three digits each: ``012014``; empty where not said.
    gamma_rad, gamma_stark : array, optional
        log10 of the damping widths: radiative in s^-1, Stark per electron at 10,000 K in
        s^-1 cm^3; 0 where not known.
    vdw : array, optional
        Damping by hydrogen, as in VALD: if negative log10 of the width per atom at
        10,000 K in s^-1 cm^3; from 20 up cross section and velocity parameter of Anstee,
        Barklem and O'Mara (``sigma.alpha``); between, a factor on Unsoeld's
        approximation; 0 where not known.
    h_n_low, h_n_up : array of int, optional
        Principal quantum numbers of hydrogen lines; 0 elsewhere.
    j_low, j_up : array, optional
        Total angular momenta; NaN where not known.
    source : str
        Where the list comes from, and what was assumed in reading it.
    fractions_included : bool
        Whether `loggf` holds the isotopologue's fraction.

    Raises
    ------
    LineListError
        If arrays differ in length, a wavelength is not a positive number of angstrom, a
        species or an isotope is unknown, or a value is infinite.

    Examples
    --------
    >>> lines = LineList(["Fe 1", "Mg 1"], [15800.0, 15770.1], [-1.0, 0.2], [5.6, 6.6])
    >>> lines
    LineList(2 lines, 15770.1-15800.0 A vacuum, 2 species)
    >>> len(lines.of("Mg I")), len(lines.between(15790, 15810))
    (1, 1)
    """

    species: NDArray[np.str_]
    wl_vac: NDArray[np.float64]
    loggf: NDArray[np.float64]
    ep: NDArray[np.float64]
    isotopologue: NDArray[np.str_] = _UNKNOWN
    gamma_rad: NDArray[np.float64] = _UNKNOWN
    gamma_stark: NDArray[np.float64] = _UNKNOWN
    vdw: NDArray[np.float64] = _UNKNOWN
    h_n_low: NDArray[np.int16] = _UNKNOWN
    h_n_up: NDArray[np.int16] = _UNKNOWN
    j_low: NDArray[np.float64] = _UNKNOWN
    j_up: NDArray[np.float64] = _UNKNOWN
    source: str = ""
    fractions_included: bool = False

    def __post_init__(self) -> None:
        wavelength = np.array(self.wl_vac, dtype=np.float64)
        n = wavelength.size
        if wavelength.ndim != 1:
            raise LineListError(f"Expected a row of wavelengths; found shape {wavelength.shape}.")
        if not np.isfinite(wavelength).all() or not (wavelength > 100).all():
            raise LineListError(
                "Wavelengths of lines must be vacuum angstrom above 100; "
                f"found {wavelength[~(wavelength > 100)][0]:g}. Convert the unit first."
            )
        order = np.argsort(wavelength, kind="stable")
        for name, kind, missing in _COLUMNS:
            given = getattr(self, name)
            given = np.full(n, missing) if given is None else np.asarray(given)
            if given.shape != (n,):
                raise LineListError(
                    f"Expected {n} values of {name}, one per wavelength; found shape {given.shape}."
                )
            try:
                values = given.astype(kind)[order]
            except (ValueError, OverflowError) as problem:
                raise LineListError(f"Values of {name} cannot be read: {problem}.") from problem
            if kind == np.float64 and np.isinf(values).any():
                raise LineListError(
                    f"Values of {name} must be finite, or NaN where they are not known; line "
                    f"{int(np.flatnonzero(np.isinf(values))[0]) + 1} has infinity."
                )
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        pairs = sorted(set(zip(self.species.tolist(), self.isotopologue.tolist(), strict=True)))
        for name, key in pairs:
            found = Species.parse(name)
            if found.name != name:
                raise LineListError(
                    f"Species are written as 'Fe 1'; found {name!r}, expected {found.name!r}."
                )
            found.of_isotopologue(key).require_isotopes()

    def __len__(self) -> int:
        return int(self.wl_vac.size)

    def __iter__(self) -> Iterator[tuple[Species, float]]:
        """Go through pairs of species and vacuum wavelength."""
        for i in range(len(self)):
            yield self.species_of(i), float(self.wl_vac[i])

    def __repr__(self) -> str:
        if not len(self):
            return "LineList(no line)"
        ends = f"{self.wl_vac[0]:.1f}-{self.wl_vac[-1]:.1f} A"
        return f"LineList({len(self)} lines, {ends} vacuum, {len(self.species_names)} species)"

    @property
    def species_names(self) -> tuple[str, ...]:
        """Names of the species that occur, in alphabetical order."""
        return tuple(str(s) for s in np.unique(self.species))

    def species_of(self, line: int) -> Species:
        """Return the species of a line, with its isotopes."""
        return Species.parse(str(self.species[line])).of_isotopologue(str(self.isotopologue[line]))

    def select(self, which: Any) -> LineList:
        """Return the lines that an index or a mask picks, in order of wavelength."""
        picked = {name: getattr(self, name)[which] for name, _, _ in _COLUMNS}
        return replace(self, **picked)

    def between(self, low: float, high: float) -> LineList:
        """Return the lines from `low` to `high`, vacuum angstrom, ends included.

        Raises
        ------
        LineListError
            If `low` is above `high`.
        """
        if not low <= high:
            raise LineListError(f"Expected a range of wavelengths; found {low:g} to {high:g}.")
        start, stop = np.searchsorted(self.wl_vac, [low, np.nextafter(high, np.inf)])
        return self.select(slice(int(start), int(stop)))

    def of(self, *species: str | Species) -> LineList:
        """Return the lines of some species; a species without isotopes means all of them.

        Raises
        ------
        LineListError
            If a species is not known.
        """
        keep = np.zeros(len(self), dtype=bool)
        for item in species:
            wanted = Species.parse(item)
            mask = self.species == wanted.name
            if wanted.isotopologue:
                mask &= self.isotopologue == wanted.isotopologue
            keep |= mask
        return self.select(keep)

    def with_isotope_fractions(self, c12c13: float) -> LineList:
        """Return the list with the logarithm of each isotopologue's fraction in log gf.

        Carbon has the ratio given; all other elements are those of the Sun. Lines that do
        not say their isotopes stay as they are, and nuclei that do not count as 1.

        Parameters
        ----------
        c12c13 : float
            Number ratio 12C/13C, above 0.

        Raises
        ------
        LineListError
            If the ratio is not above 0, or the fractions are in log gf already.

        Examples
        --------
        >>> line = LineList(["CN 1"], [15300.0], [-1.5], [0.9], isotopologue=["013014"])
        >>> line.with_isotope_fractions(9.0).loggf.round(2).tolist()
        [-2.5]
        """
        if not (np.isfinite(c12c13) and c12c13 > 0):
            raise LineListError(f"12C/13C must be a number above 0; found {c12c13}.")
        if self.fractions_included:
            raise LineListError(
                "The log gf of this list hold the isotopologues' fractions already; adding them "
                "again would count them twice."
            )
        f12 = c12c13 / (1 + c12c13)
        fractions = self.log_fractions({"C": {12: f12, 13: 1 - f12}})
        return replace(self, loggf=self.loggf + fractions, fractions_included=True)

    def log_fractions(self, changed: dict[str, dict[int, float]] | None = None) -> NDArray:
        """Return log10 of the fraction of each line's isotopologue, shape ``(n_lines,)``.

        Parameters
        ----------
        changed : dict of dict, optional
            Fractions by element and mass number, for elements that are not as in the Sun.

        Examples
        --------
        >>> import numpy as np
        >>> lines = LineList(["Ni 1", "Ni 1"], [7390.0, 7391.0], [-2.0, -2.0], [1.9, 1.9],
        ...                  isotopologue=["058", ""])
        >>> np.round(lines.log_fractions(), 3).tolist()
        [-0.167, 0.0]
        """
        table = ISOTOPE_FRACTION | (changed or {})
        out = np.zeros(len(self))
        for key in np.unique(self.isotopologue):
            if not key:
                continue
            here = self.isotopologue == key
            for name in np.unique(self.species[here]):
                species = Species.parse(str(name)).of_isotopologue(str(key))
                out[here & (self.species == name)] = sum(
                    np.log10(table[symbol][mass])
                    for symbol, mass in zip(species.symbols, species.masses, strict=True)
                    if mass and symbol in table
                )
        return out

    def strength(self, teff: float = 4750.0) -> NDArray[np.float64]:
        """Return a number that ranks lines by strength in a star, shape ``(n_lines,)``.

        It is ``log gf - (5040 / teff) ep`` plus the logarithm of how much of the species
        there is. For atoms and ions that is the Sun's abundance (Asplund et al. 2009).
        Molecules are taken to be in equilibrium at `teff` and a hydrogen pressure of
        10^4.5 dyn cm^-2: the abundances of their atoms, in excess of hydrogen's, plus
        5040/teff times the energy of dissociation, minus 8.0 per bond (log of a typical
        dissociation constant at zero energy, 12.5, less the pressure), at most the
        abundance of the rarest atom; and minus 2.5 for their larger partition functions.
        Differences between species are good to about a unit: enough to say which lines to
        show first, not to synthesize.

        Parameters
        ----------
        teff : float
            Effective temperature in K.

        Returns
        -------
        ndarray
            NaN where log gf or the excitation energy is not known.
        """
        if not (np.isfinite(teff) and teff > 0):
            raise LineListError(f"Expected an effective temperature in K; found {teff}.")
        theta = 5040.0 / teff
        amount = {name: _amount(Species.parse(name), theta) for name in self.species_names}
        present = np.array([amount[str(name)] for name in self.species])
        fractions = 0.0 if self.fractions_included else self.log_fractions()
        return np.asarray(self.loggf - theta * self.ep + present.reshape(len(self)) + fractions)


_COLUMNS: tuple[tuple[str, Any, Any], ...] = (
    ("species", np.str_, ""),
    ("wl_vac", np.float64, 0.0),
    ("loggf", np.float64, np.nan),
    ("ep", np.float64, np.nan),
    ("isotopologue", np.str_, ""),
    ("gamma_rad", np.float64, 0.0),
    ("gamma_stark", np.float64, 0.0),
    ("vdw", np.float64, 0.0),
    ("h_n_low", np.int16, 0),
    ("h_n_up", np.int16, 0),
    ("j_low", np.float64, np.nan),
    ("j_up", np.float64, np.nan),
)
"""Name, type and value where not known of every array."""


def _amount(species: Species, theta: float) -> float:
    abundances = [SOLAR_ABUNDANCE.get(s, -2.0) for s in species.symbols]
    if not species.is_molecule:
        return abundances[0]
    energy = DISSOCIATION_ENERGY.get(species.formula, 4.0)
    bonds = len(abundances) - 1
    formed = sum(abundances) - 12.0 * bonds + theta * energy + _PRESSURE_TERM * bonds
    return min(formed, *abundances) + _PARTITION_TERM


def join(lists: list[LineList], source: str = "") -> LineList:
    """Return the lines of several lists as one, in order of wavelength.

    Raises
    ------
    LineListError
        If no list is given, or only some hold isotopologue fractions in log gf.

    Examples
    --------
    >>> one = LineList(["Fe 1"], [15800.0], [-1.0], [5.6])
    >>> two = LineList(["Mg 1"], [15770.15], [0.2], [6.6])
    >>> join([one, two]).species.tolist()
    ['Mg 1', 'Fe 1']
    """
    if not lists:
        raise LineListError("Expected at least one line list; found none.")
    if len({one.fractions_included for one in lists}) > 1:
        raise LineListError(
            "Some of the lists hold isotopologue fractions in log gf and others do not; join them "
            "before adding fractions."
        )
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in lists]) for name, _, _ in _COLUMNS
    }
    text = source or "; ".join(dict.fromkeys(one.source for one in lists if one.source))
    included = lists[0].fractions_included
    return LineList(**columns, source=text, fractions_included=included)
