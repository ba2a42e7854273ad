"""What a page shows as a table: spectra, residuals and derivatives by wavelength."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.bundle import Model
from ...core.spectra import vacuum_to_air
from ...core.version import __version__
from ..computed.derivatives import LabelDerivatives
from ..computed.frame import Array, compute_frame, residual
from ..state.view_state import ALL


def spectrum_table(
    model: Model,
    labels: Mapping[str, float],
    split: NDArray[np.float64] | None = None,
    observed: tuple[Array, Array] | None = None,
    element: str = ALL,
    found: LabelDerivatives | None = None,
) -> Any:
    """Return the spectra of a set of labels, one row per pixel on a chip.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    labels : mapping
        Label values in physical units.
    split : ndarray, shape ``(n_split,)``, optional
        Split latents; typical ones if not given.
    observed : tuple of ndarray, shape ``(n_pixels,)`` each, optional
        Flux and inverse variance of an observed spectrum on the grid of the model.
    element : str
        Element whose derivatives are added; none for all of them.
    found : LabelDerivatives, optional
        Derivatives at these labels.

    Returns
    -------
    astropy.table.QTable
        ``wavelength`` (vacuum) and ``wavelength_air`` in angstrom; ``emulated``, ``adapted``,
        ``spread`` between the members of the ensemble, ``truth`` where the model knows it,
        ``difference``; ``observed``, ``observed_error`` and residuals in sigma where there is
        a star; ``d_..._dX`` in flux per dex.
    """
    from astropy.table import QTable

    values = model.labels.array(labels)
    # As shown: the same function computes it.
    frame = compute_frame(model, values, split)
    _, spread = model.adapt(values, None if split is None else split[None], return_std=True)
    columns: dict[str, Any] = {
        "emulated": frame.emulated,
        "adapted": frame.adapted,
        "spread": np.asarray(spread, np.float32).reshape(-1),
        "difference": frame.difference,
    }
    about = {
        "emulated": "synthetic flux, continuum-normalised",
        "adapted": "synthetic flux made realistic, mean of the ensemble",
        "spread": "standard deviation of the adapted flux between the members of the ensemble",
        "difference": "adapted minus emulated",
    }
    if frame.truth is not None:
        columns["truth"] = frame.truth
        about["truth"] = "noise-free flux of the observed domain"
    if observed is not None:
        flux, ivar = observed
        good = ivar > 0
        columns["observed"] = np.where(good, flux, np.nan).astype(np.float32)
        with np.errstate(divide="ignore"):
            columns["observed_error"] = np.where(good, ivar**-0.5, np.nan).astype(np.float32)
        about["observed"] = "observed flux, divided by its continuum; not a number where unusable"
        about["observed_error"] = "one sigma of the observed flux"
        for name in ("emulated", "adapted"):
            columns[f"residual_{name}"] = residual(flux, ivar, columns[name])
            about[f"residual_{name}"] = f"(observed - {name}) / observed_error"
    if found is not None and element in model.labels.elements:
        for name, derivative in _derivatives(found, model.labels.index(element)).items():
            columns[f"d_{name}_d{element}"] = derivative
            about[f"d_{name}_d{element}"] = f"change of the flux per dex of [{element}/H]"
    return _table(QTable, model, columns, about)


def derivative_table(model: Model, found: LabelDerivatives) -> Any:
    """Return the derivatives by all elements, one row per pixel on a chip.

    Parameters
    ----------
    model : Model
        Model of a bundle.
    found : LabelDerivatives
        Its derivatives.

    Returns
    -------
    astropy.table.QTable
        ``wavelength`` (vacuum) and ``wavelength_air`` in angstrom, and for every element
        ``d_emulated_dX``, ``d_adapted_dX`` and, where it is known, ``d_truth_dX``, in flux per
        dex of [X/H].
    """
    from astropy.table import QTable

    columns: dict[str, Any] = {}
    about: dict[str, str] = {}
    for element in model.labels.elements:
        for name, derivative in _derivatives(found, model.labels.index(element)).items():
            columns[f"d_{name}_d{element}"] = derivative
            about[f"d_{name}_d{element}"] = f"change of the flux per dex of [{element}/H]"
    return _table(QTable, model, columns, about)


def _derivatives(found: LabelDerivatives, column: int) -> dict[str, Array]:
    of = {"emulated": found.emulated, "adapted": found.adapted}
    if found.truth is not None:
        of["truth"] = found.truth
    return {name: values[:, column] for name, values in of.items()}


def _table(kind: Any, model: Model, columns: Mapping[str, Array], about: Mapping[str, str]) -> Any:
    from astropy import units

    on_chips = model.grid.chip_pixels
    wavelength = model.grid.wavelength[on_chips]
    table = kind()
    table["wavelength"] = wavelength * units.AA
    table["wavelength"].info.description = "vacuum, rest frame"
    table["wavelength_air"] = vacuum_to_air(wavelength) * units.AA
    table["wavelength_air"].info.description = "air, rest frame"
    for name, values in columns.items():
        table[name] = np.asarray(values)[on_chips]
        table[name].info.description = about[name]
    return table


def metadata(
    name: str,
    fingerprint: str,
    labels: Mapping[str, float],
    split: list[float],
    star: str = "",
    link: str = "",
) -> dict[str, Any]:
    """Return what a table says about where it comes from.

    Every value is a text or a number and every key a word, so that all formats hold them.

    Parameters
    ----------
    name, fingerprint : str
        Those of the bundle.
    labels : mapping
        Label values in physical units, by short name.
    split : list of float
        Positions along the directions of the split latents; empty for typical ones.
    star : str
        The observed star, empty for none.
    link : str
        Query that shows the same view in the explorer.
    """
    found: dict[str, Any] = {
        "creator": f"spectrabridge {__version__}",
        "bundle": name,
        "hash": fingerprint,
        "labels": ", ".join(f"{label}={value:.6g}" for label, value in labels.items()),
    }
    if any(split):
        found["split"] = ", ".join(f"{value:g}" for value in split)
    if star:
        found["star"] = star
    if link:
        found["view"] = link
    return found
