"""The structure of a stellar atmosphere: temperature, pressures and density with depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import AtmosphereError

BOLTZMANN = 1.380649e-16
"""erg/K."""

HYDROGEN_MASS = 1.6735575e-24
"""g."""

HELIUM = 0.0851
"""Number of helium atoms per hydrogen atom in MARCS (Gustafsson et al. 2008, A&A 486, 951)."""

HYDROGEN_FRACTION = 1.0 / (1.0 + 4.0 * HELIUM + 0.018)
"""Part of the mass that is hydrogen, with 0.018 g of metals per g of hydrogen."""

AVOGADRO = 6.02214076e23
"""Per mol."""

QUANTITIES = ("temperature", "electron_pressure", "gas_pressure", "h_column")
"""What tabulated and learnt models give, in K, dyn cm^-2 and hydrogen nuclei per cm^2."""

ATOM_MASS = (1.0 + 4.0 * HELIUM) / (1.0 + HELIUM) * HYDROGEN_MASS
"""Mean mass of atoms in g."""


@dataclass(frozen=True)
class Structure:
    """A plane-parallel atmosphere; arrays have shape ``(n_layers,)``, from the top down.

    Parameters
    ----------
    teff : float
        Effective temperature in K.
    logg : float
        log10 of the surface gravity in cm s^-2.
    feh : float
        [Fe/H] in dex.
    rhox : ndarray
        Column mass in g cm^-2; it may not fall from one layer to the next.
    temperature : ndarray
        K.
    electrons : ndarray
        Free electrons per cm^3.
    atoms : ndarray
        Atoms, ions and molecules per cm^3.
    density : ndarray
        g cm^-3.
    source : str
        Where it comes from.

    Raises
    ------
    AtmosphereError
        If arrays differ in length, have less than five layers, or hold values that are
        not positive, or the column mass falls with depth.
    """

    teff: float
    logg: float
    feh: float
    rhox: NDArray[np.float64]
    temperature: NDArray[np.float64]
    electrons: NDArray[np.float64]
    atoms: NDArray[np.float64]
    density: NDArray[np.float64]
    source: str = ""

    def __post_init__(self) -> None:
        name = self.source or "The atmosphere"
        n = np.size(self.rhox)
        if n < 5:
            raise AtmosphereError(f"{name} has {n} layers; expected at least 5.")
        for what in ("rhox", "temperature", "electrons", "atoms", "density"):
            values = np.array(getattr(self, what), dtype=np.float64)
            if values.shape != (n,):
                raise AtmosphereError(
                    f"Expected {n} values of {what}, one per layer, in {name}; found shape "
                    f"{values.shape}."
                )
            if not (np.isfinite(values) & (values > 0)).all():
                layer = int(np.flatnonzero(~(np.isfinite(values) & (values > 0)))[0]) + 1
                raise AtmosphereError(
                    f"Values of {what} must be positive in every layer of {name}; layer {layer} "
                    f"has {values[layer - 1]:g}."
                )
            values.setflags(write=False)
            object.__setattr__(self, what, values)
        if (np.diff(self.rhox) < 0).any():
            raise AtmosphereError(
                f"The column mass must not fall from one layer of {name} to the next."
            )

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return int(self.rhox.size)

    @classmethod
    def from_pressures(
        cls,
        teff: float,
        logg: float,
        feh: float,
        *,
        temperature: ArrayLike,
        electron_pressure: ArrayLike,
        gas_pressure: ArrayLike,
        rhox: ArrayLike,
        source: str = "",
    ) -> Structure:
        """Return the structure with given pressures in dyn cm^-2; the gas includes electrons.

        Examples
        --------
        >>> depth = np.linspace(1, 2, 5)
        >>> layers = Structure.from_pressures(
        ...     4750, 2.5, 0.0, temperature=4000 * depth, electron_pressure=depth,
        ...     gas_pressure=1e4 * depth, rhox=depth,
        ... )
        >>> layers.n_layers
        5
        """
        kt = BOLTZMANN * np.asarray(temperature, dtype=np.float64)
        electrons = np.asarray(electron_pressure, dtype=np.float64) / kt
        atoms = np.asarray(gas_pressure, dtype=np.float64) / kt - electrons
        return cls(
            float(teff),
            float(logg),
            float(feh),
            rhox=np.asarray(rhox, dtype=np.float64),
            temperature=np.asarray(temperature, dtype=np.float64),
            electrons=electrons,
            atoms=atoms,
            density=atoms * ATOM_MASS,
            source=source,
        )


class Atmospheres(Protocol):
    """Gives the atmosphere of any star within a range."""

    @property
    def description(self) -> str:
        """What it is and where it comes from, for provenance."""

    def outside(self, teff: float, logg: float, feh: float) -> str:
        """Say why a star lies outside the range; an empty text if it does not."""

    def __call__(self, teff: float, logg: float, feh: float) -> Structure:
        """Return the atmosphere of a star.

        Raises
        ------
        AtmosphereError
            If the star lies outside the range.
        """
