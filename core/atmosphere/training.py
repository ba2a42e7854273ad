"""Fit the smooth function of the shipped atmospheres to a table of models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AtmosphereError
from .learnt_model import LearntAtmospheres, coordinates, features
from .model_table import ModelTable
from .structure import QUANTITIES

RANGE = {"teff": (3400.0, 6600.0), "logg": (0.0, 5.2), "feh": (-2.0, 0.75)}
"""Range in which the function is offered: K, dex, dex."""

MARGIN = {"teff": 500.0, "logg": 0.6, "feh": 0.5}
"""Models so far outside the range still guide the fit at its edge."""

HELD_OUT_RANGE = {"teff": (3500.0, 6500.0), "logg": (0.0, 5.0), "feh": (-1.5, 0.5)}
"""Range in which models are held out."""

COMPARED_LOG_TAU = (-3.0, 0.6)
"""Depths between which errors are counted: those that the spectrum sees."""

GIANT_LOGG = 3.25
"""Giants have lower gravities than this in figures that are told by kind."""


@dataclass(frozen=True)
class AtmosphereFit:
    """How the function is fitted.

    Parameters
    ----------
    n_centres : int
        Radial basis functions, at points of a Halton sequence over the models.
    width : float
        Of a radial function, in the units of
        :func:`~spectrabridge.core.atmosphere.learnt_model.coordinates`.
    degree : int
        Of the polynomial.
    ridge : float
        Penalty on the squares of the radial functions' weights.
    n_components : int
        Principal components of the structures.
    temperature_weight : float
        Weight of ln T over those of the other logarithms.
    """

    n_centres: int = 1200
    width: float = 0.4
    degree: int = 3
    ridge: float = 1e-5
    n_components: int = 50
    temperature_weight: float = 20.0


def _inside(stars: NDArray[np.float64], box: dict[str, tuple[float, float]]) -> NDArray[np.bool_]:
    low, high = np.array([box[name] for name in ("teff", "logg", "feh")]).T
    return np.asarray(((stars >= low) & (stars <= high)).all(axis=1))


def held_out_models(table: ModelTable, n: int, seed: int) -> NDArray[np.int64]:
    """Draw models of :data:`HELD_OUT_RANGE` to hold out; sorted indices of shape ``(n,)``.

    Raises
    ------
    AtmosphereError
        If that is more than half of them.
    """
    models = np.flatnonzero(_inside(table.stars, HELD_OUT_RANGE))
    if n > len(models) // 2:
        raise AtmosphereError(f"At most {len(models) // 2} models can be held out; {n} were asked.")
    return np.sort(np.random.default_rng(seed).choice(models, n, replace=False))


def lowest_gravities(table: ModelTable) -> list[list[float]]:
    """Return pairs of Teff and the log g from which every [Fe/H] of the held-out range has a model.

    Raises
    ------
    AtmosphereError
        If no temperature has models of every [Fe/H].
    """
    low, high = HELD_OUT_RANGE["feh"]
    stars = table.stars[(table.stars[:, 2] >= low) & (table.stars[:, 2] <= high)]
    n_feh = len(np.unique(stars[:, 2]))
    out: list[list[float]] = []
    for teff in np.unique(stars[:, 0]):
        logg, count = np.unique(stars[stars[:, 0] == teff, 1], return_counts=True)
        whole = logg[count == n_feh]
        if len(whole):
            out.append([float(teff), float(max(whole.min(), RANGE["logg"][0]))])
    if not out:
        raise AtmosphereError("No temperature of the table has models of every [Fe/H].")
    return out


def learn(
    table: ModelTable,
    fit: AtmosphereFit | None = None,
    *,
    held_out: NDArray[np.int64] | None = None,
    description: str = "",
) -> LearntAtmospheres:
    """Fit the function to a table of models.

    Parameters
    ----------
    table : ModelTable
        As :func:`~spectrabridge.core.atmosphere.read_model_table` gives it.
    fit : AtmosphereFit, optional
        Settings.
    held_out : ndarray, shape ``(n,)``, optional
        Models that the fit must not see; errors at them are recorded.
    description : str
        Provenance.
    """
    from scipy.stats import qmc

    fit = fit or AtmosphereFit()
    seen = table if held_out is None else table.without(held_out)
    wide = {k: (low - MARGIN[k], high + MARGIN[k]) for k, (low, high) in RANGE.items()}
    near = _inside(seen.stars, wide)
    stars, values = seen.stars[near], seen.logarithms[near].reshape(int(near.sum()), -1)
    corners = coordinates(stars)
    low, high = corners.min(axis=0), corners.max(axis=0)
    centres = low + (high - low) * qmc.Halton(3, scramble=False).random(fit.n_centres)
    scale = np.ones((len(QUANTITIES), len(table.log_tau)))
    scale[0] = fit.temperature_weight
    # The deepest layers do not reach the surface in the H band.
    scale[:, table.log_tau > 0.9] *= 0.3
    flat = scale.ravel()
    mean = values.mean(axis=0)
    scaled = (values - mean) * flat
    components = np.linalg.svd(scaled, full_matrices=False)[2][: fit.n_components]
    terms = features(stars, centres, fit.width, fit.degree)
    penalty = np.full(terms.shape[1], fit.ridge)
    penalty[: -fit.n_centres] = 1e-6 * fit.ridge
    weights = np.linalg.solve(terms.T @ terms + np.diag(penalty), terms.T @ (scaled @ components.T))
    facts: dict[str, Any] = {
        "description": description,
        "width": fit.width,
        "degree": fit.degree,
        **{name: list(ends) for name, ends in RANGE.items()},
        "gravity_limit": lowest_gravities(table),
        "log_tau_5000": [float(t) for t in table.log_tau],
    }
    model = LearntAtmospheres(centres, weights, components / flat, mean, facts)
    if held_out is not None:
        facts["held_out"] = errors(model, table, held_out)
    return model


def errors(
    model: LearntAtmospheres, table: ModelTable, models: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Return errors at some models of a table, of all and by kind.

    Returns
    -------
    dict
        For ``all``, ``giants``, ``dwarfs`` and ``cool`` (below 4000 K), where there are
        any: ``n_models``, rms and largest error of the temperature in K, and rms of the
        logarithms of the other quantities, at depths of :data:`COMPARED_LOG_TAU`.
    """
    stars = table.stars[models]
    kinds = {
        "all": np.ones(len(models), bool),
        "giants": stars[:, 1] < GIANT_LOGG,
        "dwarfs": stars[:, 1] >= GIANT_LOGG,
        "cool": stars[:, 0] < 4000.0,
    }
    depth = (table.log_tau > COMPARED_LOG_TAU[0]) & (table.log_tau < COMPARED_LOG_TAU[1])
    true = table.logarithms[models][:, :, depth]
    difference = model.logarithms(stars)[:, :, depth] - true
    kelvin = difference[:, 0] * np.exp(true[:, 0])
    out = {}
    for kind, chosen in kinds.items():
        if not chosen.any():
            continue
        out[kind] = {
            "n_models": float(chosen.sum()),
            "temperature_rms_k": float(np.sqrt((kelvin[chosen] ** 2).mean())),
            "temperature_max_k": float(np.abs(kelvin[chosen]).max()),
        }
        for k, name in enumerate(QUANTITIES[1:], start=1):
            out[kind][f"ln_{name}_rms"] = float(np.sqrt((difference[chosen, k] ** 2).mean()))
    return out
