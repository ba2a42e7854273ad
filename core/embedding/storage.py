"""Maps as files: safetensors, with figures and names as JSON in the header.

Of stars that can be made again from their bundle only the coordinates are kept, twelve
bytes per star. Others bring their labels, the coefficients of their spectra and, so that
new stars can be placed among them, the points in which neighbours were found.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..bundle.bundle import Bundle
from ..bundle.writing import attach
from ..errors import EmbeddingError, SpectrabridgeError
from ..files.safetensors_header import read_metadata
from ..files.typed_json import parsed, require_types
from .embedding import Embedding
from .features import PANELS, Features, Projection
from .map_stars import MAX_STARS, MIN_DOMAIN_STARS, MapStars, stars_of_bundle

NAME = "embedding.safetensors"
"""Name of the file in a bundle."""

_HEADER: dict[str, Any] = {"recipe": dict[str, Any], "ids": tuple[str, ...]}
_RECIPE: dict[str, Any] = {"seed": int, "check": tuple[float, ...]}
_INFO: dict[str, Any] = {
    "fingerprint": str,
    "kl": dict[str, float],
    "mixing": dict[str, dict[str, float]],
    "settings": dict[str, Any],
}
_HALF = float(np.finfo(np.float16).max)


def write_embedding(embedding: Embedding) -> bytes:
    """Return a map as the bytes of a file."""
    stars = embedding.stars
    tensors: dict[str, NDArray[Any]] = {
        f"panel.{key}": _half(x) for key, x in embedding.panels.items()
    }
    tensors["chi2"] = _half(embedding.chi2[stars.n_each :])
    header: dict[str, Any] = {"info": dict(embedding.info)}
    if stars.recipe:
        header["recipe"] = dict(stars.recipe) | {"check": _check(stars)}
    else:
        tensors |= {
            "synthetic_labels": stars.synthetic_labels,
            "observed_labels": stars.observed_labels,
            "coefficients": _half(stars.coefficients),
            "snr": stars.snr,
            "noise": np.array([stars.noise], np.float32),
        }
        header["ids"] = list(stars.observed_ids)
        for key, features in (embedding.features or {}).items():
            tensors[f"features.{key}"] = _half(features.values)
            tensors[f"centre.{key}"] = features.projection.centre
            tensors[f"matrix.{key}"] = features.projection.matrix
    whole = {k: np.ascontiguousarray(v) for k, v in tensors.items()}
    return save(whole, {k: json.dumps(v) for k, v in header.items()})


def read_embedding(content: bytes, bundle: Bundle) -> Embedding:
    """Return the map that :func:`write_embedding` wrote.

    Parameters
    ----------
    content : bytes
        The file.
    bundle : Bundle
        The bundle it was made with.

    Raises
    ------
    EmbeddingError
        If the file is damaged, or was made with other weights.
    """
    again = f"Make the map again: spectrabridge embed {bundle.name} --store"
    try:
        tensors = load(content)
        header = _header(content)
    except (SpectrabridgeError, SafetensorError, ValueError, RecursionError) as problem:
        raise EmbeddingError(
            f"The map of {bundle.name} is not a safetensors file with its figures, or is damaged. "
            f"{again}."
        ) from problem
    try:
        info = require_types(header["info"], _INFO, where="info")
        if info["fingerprint"] != bundle.fingerprint:
            raise EmbeddingError(
                f"The map of {bundle.name} was made with other weights than the bundle has now. "
                f"{again}."
            )
        panels = {key: _floats(tensors, f"panel.{key}") for key in PANELS}
        n = len(panels["spectra"])
        if not (2 * MIN_DOMAIN_STARS <= n <= MAX_STARS and n % 2 == 0):
            raise EmbeddingError(f"The map of {bundle.name} has {n} stars. {again}.")
        for key, x in panels.items():
            _require(x.shape == (n, 2) and bool(np.isfinite(x).all()), f"panel.{key}")
        stars = _stars(tensors, header, bundle, n)
        chi2 = _floats(tensors, "chi2")
        _require(chi2.shape == (n // 2,), "chi2")
        chi2 = np.concatenate([np.full(n // 2, np.nan, np.float32), chi2])
        return Embedding(stars, panels, chi2, info, _features(tensors, n))
    except EmbeddingError:
        raise
    except (SpectrabridgeError, KeyError, ValueError, TypeError, AttributeError) as problem:
        missing = f"it lacks {problem}" if isinstance(problem, KeyError) else str(problem)
        raise EmbeddingError(
            f"The map of {bundle.name} is damaged ({missing.rstrip('.')}). {again}."
        ) from problem


def stored_embedding(bundle: Bundle) -> Embedding | None:
    """Return the map that a bundle keeps, None if it keeps none.

    Raises
    ------
    EmbeddingError
        If it is damaged, or was made with other weights.
    BundleError
        If its file is not the one that was attached.
    """
    content = bundle.attached(NAME)
    return None if content is None else read_embedding(content, bundle)


def store_embedding(bundle: Bundle, embedding: Embedding) -> Bundle:
    """Keep a map in its bundle and return the new bundle.

    Raises
    ------
    BundleError
        If the bundle is a zip file.
    """
    return attach(bundle, NAME, write_embedding(embedding))


def _half(x: NDArray[np.float32]) -> NDArray[np.float16]:
    return np.clip(x, -_HALF, _HALF).astype(np.float16)


def _header(content: bytes) -> dict[str, Any]:
    metadata = read_metadata(content, "the map", EmbeddingError)
    header = {
        k: parsed(v, f"the header {k[:40]!r} of the map", "what it should be", EmbeddingError)
        for k, v in metadata.items()
    }
    return require_types(header, {"info": dict[str, Any]}, _HEADER)


def _floats(tensors: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float32]:
    return np.asarray(tensors[name], np.float32)


def _require(fits: bool, what: str) -> None:
    if not fits:
        raise ValueError(f"{what} has another form than expected")


def _check(stars: MapStars) -> list[float]:
    """Return figures by which it shows whether stars were made again as they were."""
    return [
        float(np.abs(x).mean(dtype=np.float64))
        for x in (stars.synthetic_labels, stars.observed_labels, stars.coefficients)
        if np.isfinite(x).all()
    ]


def _stars(
    tensors: Mapping[str, NDArray[Any]], header: Mapping[str, Any], bundle: Bundle, n: int
) -> MapStars:
    each = n // 2
    if "recipe" in header:
        recipe = require_types(header["recipe"], _RECIPE, where="recipe")
        _require(recipe["seed"] >= 0, "recipe.seed")
        stars = stars_of_bundle(bundle, n, recipe["seed"])
        _require(stars.n_each == each, "the list of stars")
        figures = _check(stars)
        _require(len(figures) == len(recipe["check"]), "recipe.check")
        same = np.allclose(figures, recipe["check"], rtol=1e-3)
        _require(bool(same), "the stars made again from the bundle")
        return stars
    labels = bundle.model.labels
    ids = tuple(require_types(header, {"ids": tuple[str, ...]})["ids"])
    noise = _floats(tensors, "noise")
    _require(noise.size == 1, "noise")
    made = MapStars(
        labels,
        _floats(tensors, "synthetic_labels"),
        _floats(tensors, "coefficients"),
        _floats(tensors, "observed_labels"),
        ids,
        _floats(tensors, "snr"),
        float(noise.reshape(-1)[0]),
        each,
    )
    _require(made.synthetic_labels.shape == (each, len(labels)), "synthetic_labels")
    _require(made.observed_labels.shape == (each, len(labels)), "observed_labels")
    _require(made.snr.shape == (each,) and len(ids) == each, "the list of observed stars")
    k = bundle.model.adapter.obs.n_coefficients
    _require(made.coefficients.shape == (each, k), "coefficients")
    _require(bool(np.isfinite(made.synthetic_labels).all()), "synthetic_labels")
    _require(bool(np.isfinite(made.coefficients).all()), "coefficients")
    _require(0 < made.noise < math.inf, "noise")
    return made


def _features(tensors: Mapping[str, NDArray[Any]], n: int) -> dict[str, Features] | None:
    if not any(name.startswith("features.") for name in tensors):
        return None
    out = {}
    for key in PANELS:
        values = _floats(tensors, f"features.{key}")
        centre, matrix = _floats(tensors, f"centre.{key}"), _floats(tensors, f"matrix.{key}")
        fits = (len(values), matrix.shape) == (n, (len(centre), values.shape[1]))
        _require(fits and bool(np.isfinite(values).all()), f"features.{key}")
        out[key] = Features(values, Projection(centre, matrix))
    return out
