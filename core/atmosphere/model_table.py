"""Tables of model atmospheres to fit a function to: any number of models on one depth scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AtmosphereError
from ..files import understood
from ..files.npz import open_npz, read_array
from .structure import AVOGADRO, HYDROGEN_FRACTION, QUANTITIES, Structure

LOG_TAU_5000 = np.round(np.arange(-4.0, 1.61, 0.1), 1)
"""Log10 of the optical depth at 5000 angstrom on which models are joined."""


@dataclass(frozen=True)
class ModelTable:
    """Model atmospheres on one depth scale.

    Parameters
    ----------
    stars : ndarray, shape ``(n_models, 3)``
        Teff in K, log g, [Fe/H].
    log_tau : ndarray, shape ``(n_layers,)``
        Log10 of the optical depth at 5000 angstrom.
    logarithms : ndarray, shape ``(n_models, 4, n_layers)``
        Natural logarithms of :data:`~spectrabridge.core.atmosphere.structure.QUANTITIES`.

    Raises
    ------
    AtmosphereError
        If there is no model, shapes differ, or a value is not finite.
    """

    stars: NDArray[np.float64]
    log_tau: NDArray[np.float64]
    logarithms: NDArray[np.float64]

    def __post_init__(self) -> None:
        n, n_layers = len(self.stars), len(self.log_tau)
        if not n:
            raise AtmosphereError("Expected at least one model atmosphere; found none.")
        if self.stars.shape != (n, 3) or self.logarithms.shape != (n, 4, n_layers):
            raise AtmosphereError(
                f"Expected stars of shape ({n}, 3) and logarithms of shape ({n}, 4, {n_layers}); "
                f"found {self.stars.shape} and {self.logarithms.shape}."
            )
        if not (np.isfinite(self.stars).all() and np.isfinite(self.logarithms).all()):
            raise AtmosphereError("All values of model atmospheres must be finite.")

    def __len__(self) -> int:
        return len(self.stars)

    def without(self, models: NDArray[np.int64]) -> ModelTable:
        """Return the table without some of its models."""
        keep = np.ones(len(self), bool)
        keep[models] = False
        return ModelTable(self.stars[keep], self.log_tau, self.logarithms[keep])

    def structure(self, model: int) -> Structure:
        """Return one model as it is synthesized."""
        temperature, electron_pressure, gas_pressure, h_column = np.exp(self.logarithms[model])
        teff, logg, feh = self.stars[model]
        return Structure.from_pressures(
            teff,
            logg,
            feh,
            temperature=temperature,
            electron_pressure=electron_pressure,
            gas_pressure=gas_pressure,
            rhox=h_column / (AVOGADRO * HYDROGEN_FRACTION),
            source="a tabulated model",
        )


def read_model_table(path: str | Path) -> ModelTable:
    """Read an npz file of models, and join them on optical depth at 5000 angstrom.

    Layers that a model does not reach are continued by straight lines in the logarithms;
    the temperature above the first layer is that of the first.

    Parameters
    ----------
    path : path
        Arrays ``teff``, ``logg``, ``feh`` ``(n_models,)``, and ``log_tau_5000``,
        ``temperature`` in K, ``electron_pressure`` and ``gas_pressure`` (with electrons) in
        dyn cm^-2, ``h_column`` in hydrogen nuclei per cm^2, each ``(n_models, n_layers)``.

    Raises
    ------
    AtmosphereError
        If the file cannot be read, an array is missing, or depth does not rise.
    """
    path = Path(path)
    needed = ("teff", "logg", "feh", "log_tau_5000", *QUANTITIES)
    with (
        open_npz(path, what="an npz file", error=AtmosphereError) as file,
        understood(path, "an npz file of model atmospheres", AtmosphereError),
    ):
        missing = [name for name in needed if name not in file.files]
        if missing:
            raise AtmosphereError(
                f"Expected arrays {', '.join(needed)} in {path.name}; missing: "
                f"{', '.join(missing)}."
            )
        arrays = {
            name: np.asarray(read_array(file, name, path.name, AtmosphereError), np.float64)
            for name in needed
        }
    shape = arrays["log_tau_5000"].shape
    if len(shape) != 2 or any(arrays[name].shape != shape for name in QUANTITIES):
        raise AtmosphereError(
            f"Expected log_tau_5000 and {', '.join(QUANTITIES)} of {path.name} to have one shape, "
            "(models, layers)."
        )
    if (np.diff(arrays["log_tau_5000"], axis=1) <= 0).any():
        raise AtmosphereError(f"log_tau_5000 of {path.name} must rise from layer to layer.")
    if not all((arrays[name] > 0).all() for name in QUANTITIES):
        raise AtmosphereError(f"All of {', '.join(QUANTITIES)} of {path.name} must be positive.")
    stars = np.column_stack([arrays[name] for name in ("teff", "logg", "feh")])
    return ModelTable(stars, LOG_TAU_5000, _joined(arrays))


def _joined(arrays: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return logarithms at :data:`LOG_TAU_5000`, ``(n_models, 4, n_layers)``."""
    depth = arrays["log_tau_5000"]
    log = np.stack([np.log(arrays[name]) for name in QUANTITIES], axis=1)
    out = np.empty((len(depth), len(QUANTITIES), LOG_TAU_5000.size))
    for k in range(len(depth)):
        for q, name in enumerate(QUANTITIES):
            x, y = depth[k], log[k, q]
            above = 0.0 if name == "temperature" else (y[1] - y[0]) / (x[1] - x[0])
            below = (y[-1] - y[-2]) / (x[-1] - x[-2])
            inside = np.interp(LOG_TAU_5000, x, y)
            over = np.minimum(LOG_TAU_5000 - x[0], 0.0)
            under = np.maximum(LOG_TAU_5000 - x[-1], 0.0)
            out[k, q] = inside + above * over + below * under
    return out
