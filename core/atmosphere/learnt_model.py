"""The shipped model of MARCS atmospheres: a smooth function of Teff, log g and [Fe/H].

The logarithms of temperature, electron pressure, gas pressure and hydrogen column at 57
optical depths at 5000 angstrom are a mean plus components, and each component's amplitude
is a cubic polynomial plus a network of radial basis functions in (5040/Teff, log g,
[Fe/H]). The function was fitted to MARCS models (Gustafsson et al. 2008, A&A 486, 951) by
:mod:`~spectrabridge.core.atmosphere.training`; it holds none of them. Models of log g 3.5
and more are plane-parallel with 1 km/s of microturbulence, those below spherical with
2 km/s: the function runs smoothly through this step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from ..errors import AtmosphereError
from ..files import open_regular, understood
from ..files.typed_json import parsed
from .structure import AVOGADRO, HYDROGEN_FRACTION, Structure

_FILE = Path(__file__).with_name("marcs.safetensors")

_CENTRE = np.array([1.1, 2.0, -0.8])
_SCALE = np.array([0.25, 2.0, 1.2])


def coordinates(stars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (5040/Teff, log g, [Fe/H]) brought to order unity, shape ``(n_stars, 3)``."""
    stars = np.atleast_2d(np.asarray(stars, dtype=np.float64))
    points = np.column_stack([5040.0 / stars[:, 0], stars[:, 1], stars[:, 2]])
    return (points - _CENTRE) / _SCALE


def features(
    stars: NDArray[np.float64], centres: NDArray[np.float64], width: float, degree: int
) -> NDArray[np.float64]:
    """Return polynomial and radial terms, shape ``(n_stars, n_terms + n_centres)``."""
    x = coordinates(stars)
    powers = [
        x[:, 0] ** a * x[:, 1] ** b * x[:, 2] ** c
        for a in range(degree + 1)
        for b in range(degree + 1 - a)
        for c in range(degree + 1 - a - b)
    ]
    distance2 = ((x[:, None, :] - centres[None, :, :]) ** 2).sum(axis=-1) / width**2
    return np.concatenate([np.stack(powers, axis=1), np.exp(-0.5 * distance2)], axis=1)


@dataclass(frozen=True)
class LearntAtmospheres:
    """Atmospheres as a smooth function of Teff, log g and [Fe/H].

    Parameters
    ----------
    centres : ndarray, shape ``(n_centres, 3)``
        Of the radial basis functions, in :func:`coordinates`.
    weights : ndarray, shape ``(n_terms + n_centres, n_components)``
        Amplitude of each component per term.
    components : ndarray, shape ``(n_components, 4 * n_layers)``
        What a component adds to the logarithms of the four quantities.
    mean : ndarray, shape ``(4 * n_layers,)``
        Mean logarithms.
    facts : dict
        ``width`` and ``degree`` of the terms, ``teff``, ``logg`` and ``feh`` (lowest and
        highest), ``gravity_limit`` (pairs of Teff and lowest log g), ``description``, and
        the errors as they were measured.
    """

    centres: NDArray[np.float64]
    weights: NDArray[np.float64]
    components: NDArray[np.float64]
    mean: NDArray[np.float64]
    facts: dict[str, Any]

    @property
    def description(self) -> str:
        """What it is and where it comes from."""
        return str(self.facts["description"])

    def outside(self, teff: float, logg: float, feh: float) -> str:
        """Say why a star lies outside the range; an empty text if it does not."""
        for name, unit, value in (("teff", " K", teff), ("logg", "", logg), ("feh", "", feh)):
            low, high = self.facts[name]
            if not low <= value <= high:
                title = {"teff": "Teff", "logg": "log g", "feh": "[Fe/H]"}[name]
                return (
                    f"{title} is {value:g}{unit}; the atmospheres cover {low:g} to {high:g}{unit}"
                )
        hot, lowest = zip(*self.facts["gravity_limit"], strict=True)
        limit = float(np.interp(teff, hot, lowest))
        if logg < limit - 1e-9:
            return (
                f"log g is {logg:g}; the atmospheres begin at {limit:.2f} for Teff {teff:g} K, "
                "because MARCS has no models of lower gravity there"
            )
        return ""

    def logarithms(self, stars: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return natural logarithms of the quantities, shape ``(n_stars, 4, n_layers)``.

        Parameters
        ----------
        stars : ndarray, shape ``(n_stars, 3)``
            Teff in K, log g, [Fe/H]. The range is not checked.
        """
        width, degree = float(self.facts["width"]), int(self.facts["degree"])
        amplitude = features(stars, self.centres, width, degree) @ self.weights
        return np.asarray(self.mean + amplitude @ self.components).reshape(len(amplitude), 4, -1)

    def __call__(self, teff: float, logg: float, feh: float) -> Structure:
        """Return the atmosphere of a star.

        Raises
        ------
        AtmosphereError
            If the star lies outside the range.
        """
        why = self.outside(teff, logg, feh)
        if why:
            raise AtmosphereError(f"There is no atmosphere for this star: {why}.")
        quantities = np.exp(self.logarithms(np.array([[teff, logg, feh]]))[0])
        # MARCS models begin at different depths; above, the fit may turn by a part in a thousand.
        below = np.minimum.accumulate(quantities[3][::-1])[::-1]
        keep = quantities[3] <= below
        temperature, electron_pressure, gas_pressure, h_column = quantities[:, keep]
        return Structure.from_pressures(
            teff,
            logg,
            feh,
            temperature=temperature,
            electron_pressure=electron_pressure,
            gas_pressure=gas_pressure,
            rhox=h_column / (AVOGADRO * HYDROGEN_FRACTION),
            source=self.description,
        )

    def save(self, path: str | Path) -> None:
        """Write the function as safetensors of float32."""
        arrays = {
            name: np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            for name in ("centres", "weights", "components", "mean")
        }
        save_file(arrays, str(path), {"atmospheres": json.dumps(self.facts)})

    @classmethod
    def load(cls, path: str | Path) -> LearntAtmospheres:
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        AtmosphereError
            If the file is missing or damaged.
        """
        what = "a file of learnt atmospheres"
        open_regular(path, what, AtmosphereError).close()  # safetensors would wait for a pipe
        with understood(path, what, AtmosphereError), safe_open(str(path), "numpy") as file:
            said = (file.metadata() or {})["atmospheres"]
            facts = parsed(said, str(path), what, AtmosphereError)
            arrays = {
                name: np.asarray(file.get_tensor(name), dtype=np.float64)
                for name in ("centres", "weights", "components", "mean")
            }
        return cls(**arrays, facts=facts)


@lru_cache(maxsize=1)
def shipped_atmospheres() -> LearntAtmospheres:
    """Return the shipped function: Teff 3400-6600 K, log g 0-5.2, [Fe/H] -2 to 0.75.

    Examples
    --------
    >>> giant = shipped_atmospheres()(4750.0, 2.5, 0.0)
    >>> giant.n_layers, bool((giant.temperature[1:] > 2000).all())
    (57, True)
    """
    return LearntAtmospheres.load(_FILE)
