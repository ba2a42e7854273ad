"""A grid as another code wrote it, and what its reader assumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GridImportError


@dataclass(frozen=True)
class RawGrid:
    """Spectra and labels of another code's grid.

    Parameters
    ----------
    wavelength : ndarray, shape ``(n_pixels,)``
        In the order and medium of the file, in `unit`.
    flux : ndarray, shape ``(n_spectra, n_pixels)``
        In any unit, or divided by the continuum.
    labels : dict of ndarray
        Values by the name in the file, each of shape ``(n_spectra,)``.
    unit : str
        ``angstrom``, ``nm`` or ``um``; empty if the file does not say.
    medium : str
        ``vacuum`` or ``air``; empty if the file does not say.
    continuum : str
        What the flux was divided by, ``true`` or ``pseudo``; ``none`` if by nothing; empty
        if the file does not say.
    label_units : dict
        Units by name, where the file has them.
    notes : tuple of str
        Sentences on what was read and assumed.
    """

    wavelength: NDArray[np.float64]
    flux: NDArray[Any]
    labels: dict[str, NDArray[np.float64]]
    unit: str = ""
    medium: str = ""
    continuum: str = ""
    label_units: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, p = self.flux.shape if self.flux.ndim == 2 else (0, 0)
        if p != self.wavelength.size or self.wavelength.ndim != 1:
            raise GridImportError(
                f"Expected one wavelength per pixel; found {self.wavelength.size} wavelengths and "
                f"flux of shape {self.flux.shape}."
            )
        for name, values in self.labels.items():
            if values.shape != (n,):
                raise GridImportError(
                    f"Expected {n} values of label {name}, one per spectrum; found shape "
                    f"{values.shape}."
                )


def by_continuum(
    flux: NDArray[np.float64], continuum: NDArray[np.float64], name: str
) -> NDArray[np.float64]:
    """Return flux over continuum.

    Raises
    ------
    GridImportError
        If the continuum is not positive somewhere.
    """
    if not (np.isfinite(continuum) & (continuum > 0)).all():
        raise GridImportError(f"The continuum in {name} must be positive in every pixel.")
    return flux / continuum


def names_of(arrays: Any) -> str:
    """Return the names in a file for a message, the first ten."""
    names = sorted(str(name)[:40] for name in arrays)
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def require_file(path: str | Path) -> Path:
    """Return the path of a file or folder that exists.

    Raises
    ------
    GridImportError
        If there is none.
    """
    path = Path(path)
    if not path.exists():
        raise GridImportError(f"There is no file or folder {path}.")
    return path
