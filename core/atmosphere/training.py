"""Fit the smooth function of the shipped atmospheres to a table of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AtmosphereError
from .learnt_model import QUANTITIES, LearntAtmospheres, coordinates, features

BOX = {"teff": (4000.0, 5500.0), "logg": (0.5, 3.5), "feh": (-1.5, 0.25)}
"""Range in which models are held out: that of giants, as far as there are models."""


@dataclass(frozen=True)
class AtmosphereFit:
    """How the function is fitted.

    Parameters
    ----------
    n_centres : int
        Radial basis functions, at points of a Halton sequence over the range.
    width : float
        Of a radial function, in the units of
        :func:`~spectrabridge.core.atmosphere.learnt.coordinates`.
    degree : int
        Of the polynomial.
    ridge : float
        Penalty on the squares of the radial functions' weights.
    n_components : int
        Principal components of the structures.
    temperature_weight : float
        Weight of ln T over those of the other logarithms.
    extrapolated_weight : float
        Weight of nodes without a model, which are straight lines through the nearest
        models; they tell the function where to go at log g 4 to 4.5 and [Fe/H] 0.5.
    """

    n_centres: int = 400
    width: float = 0.6
    degree: int = 3
    ridge: float = 1e-5
    n_components: int = 40
    temperature_weight: float = 20.0
    extrapolated_weight: float = 0.05


def held_out_nodes(arrays: dict[str, NDArray], n: int, seed: int) -> NDArray[np.int64]:
    """Draw models of :data:`BOX` to hold out; indices of shape ``(n, 3)``."""
    real = ~arrays["extrapolated"]
    for axis, name in enumerate(("teff", "logg", "feh")):
        low, high = BOX[name]
        inside = (arrays[name] >= low) & (arrays[name] <= high)
        shape = [1, 1, 1]
        shape[axis] = -1
        real = real & inside.reshape(shape)
    nodes = np.argwhere(real)
    if n > len(nodes) // 2:
        raise AtmosphereError(f"At most {len(nodes) // 2} models can be held out; {n} were asked.")
    picked = np.random.default_rng(seed).choice(len(nodes), n, replace=False)
    return nodes[np.sort(picked)]


def learn(
    arrays: dict[str, NDArray],
    fit: AtmosphereFit | None = None,
    *,
    held_out: NDArray[np.int64] | None = None,
    description: str = "",
) -> LearntAtmospheres:
    """Fit the function to a table of models.

    Parameters
    ----------
    arrays : dict
        As :func:`~spectrabridge.core.atmosphere.table.read_structure_table` gives it.
    fit : AtmosphereFit, optional
        Settings.
    held_out : ndarray, shape ``(n, 3)``, optional
        Nodes that the fit must not see; errors at them are recorded.
    description : str
        Provenance.
    """
    from scipy.stats import qmc

    fit = fit or AtmosphereFit()
    stars, values, weight = _training_set(arrays, fit, held_out)
    low = coordinates(np.array([[6600.0, -0.1, -2.1]]))[0]
    high = coordinates(np.array([[3450.0, 4.6, 0.6]]))[0]
    halton = qmc.Halton(3, scramble=False).random(fit.n_centres)
    centres = low + (high - low) * halton
    n_layers = values.shape[1] // 4
    scale = np.ones((4, n_layers))
    scale[0] = fit.temperature_weight
    # The deepest layers do not reach the surface in the H band.
    scale[:, arrays["log_tau_ross"] > 0.7] *= 0.3
    scale = scale.ravel()
    root = np.sqrt(weight)[:, None]
    mean = np.average(values, axis=0, weights=weight)
    scaled = (values - mean) * scale
    components = np.linalg.svd(scaled * root, full_matrices=False)[2][: fit.n_components]
    terms = features(stars, centres, fit.width, fit.degree) * root
    penalty = np.full(terms.shape[1], fit.ridge)
    penalty[: -fit.n_centres] = 1e-6 * fit.ridge
    target = (scaled @ components.T) * root
    weights = np.linalg.solve(terms.T @ terms + np.diag(penalty), terms.T @ target)
    facts: dict[str, Any] = {
        "description": description,
        "width": fit.width,
        "degree": fit.degree,
        "teff": [3500.0, 6500.0],
        "logg": [0.0, 4.5],
        "feh": [-2.0, 0.5],
        "gravity_limit": [[5000.0, 0.0], [5500.0, 0.5], [6000.0, 1.5], [6500.0, 2.0]],
        "log_tau_ross": [float(t) for t in arrays["log_tau_ross"]],
    }
    model = LearntAtmospheres(centres, weights, components / scale, mean, facts)
    if held_out is not None:
        facts["held_out"] = errors(model, arrays, held_out)
    return model


def _training_set(
    arrays: dict[str, NDArray], fit: AtmosphereFit, held_out: NDArray[np.int64] | None
) -> tuple[NDArray, NDArray, NDArray]:
    """Return labels (n, 3), logarithms (n, 4 * n_layers) and weights (n,)."""
    log = np.log(np.stack([arrays[name] for name in QUANTITIES], axis=3))
    weight = np.where(arrays["extrapolated"], fit.extrapolated_weight, 1.0)
    # A straight line can end in more electrons than gas.
    weight[(log[..., 1, :] > log[..., 2, :]).any(axis=-1)] = 0.0
    if held_out is not None:
        weight[tuple(held_out.T)] = 0.0
    logg, feh = list(arrays["logg"]), list(arrays["feh"])
    step = log[:, -1:] - log[:, -2:-1]
    log = np.concatenate([log, log[:, -1:] + step, log[:, -1:] + 2 * step], axis=1)
    log = np.concatenate([log, 2 * log[:, :, -1:] - log[:, :, -2:-1]], axis=2)
    logg += [logg[-1] + 0.5, logg[-1] + 1.0]
    feh += [feh[-1] + 0.25]
    padded = np.full(log.shape[:3], fit.extrapolated_weight)
    padded[: weight.shape[0], : weight.shape[1], : weight.shape[2]] = weight
    axes = np.meshgrid(arrays["teff"], logg, feh, indexing="ij")
    # Dwarfs as hot as the Sun are better known from the Sun than from the lines.
    padded[(axes[0] >= 5250) & (axes[1] >= 4.0)] *= 0.2
    stars = np.stack(axes, axis=-1).reshape(-1, 3)
    values, flat = log.reshape(len(stars), -1), padded.ravel()
    if "solar_temperature" in arrays:
        sun = [
            np.interp(
                arrays["log_tau_ross"], arrays["solar_log_tau_ross"], np.log(arrays[f"solar_{q}"])
            )
            for q in QUANTITIES
        ]
        stars = np.concatenate([stars, [[5777.0, 4.44, 0.0]]])
        values = np.concatenate([values, np.concatenate(sun)[None]])
        flat = np.append(flat, 30.0)
    keep = flat > 0
    return stars[keep], values[keep], flat[keep]


def errors(
    model: LearntAtmospheres, arrays: dict[str, NDArray], nodes: NDArray[np.int64]
) -> dict[str, float]:
    """Return the errors at nodes between log tau -3 and 0.6: rms in K and in ln, and largest."""
    stars = np.stack([arrays[n][nodes[:, k]] for k, n in enumerate(("teff", "logg", "feh"))], 1)
    found = model.logarithms(stars)
    depth = (arrays["log_tau_ross"] > -3) & (arrays["log_tau_ross"] < 0.6)
    out: dict[str, float] = {"n_models": float(len(nodes))}
    for k, name in enumerate(QUANTITIES):
        true = np.log(arrays[name][tuple(nodes.T)])
        difference = (found[:, k] - true)[:, depth]
        if name == "temperature":
            kelvin = difference * np.exp(true[:, depth])
            out["temperature_rms_k"] = float(np.sqrt((kelvin**2).mean()))
            out["temperature_max_k"] = float(np.abs(kelvin).max())
        else:
            out[f"ln_{name}_rms"] = float(np.sqrt((difference**2).mean()))
    return out
