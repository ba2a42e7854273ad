"""A map of stars: coordinates in every panel, and how well the domains mix there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..bundle.bundle import Bundle
from ..bundle.writing import versions
from .features import PANELS, Features, Routes
from .map_stars import MapStars
from .tsne import TsneSettings, fit_tsne

MAX_COMPARED_STARS = 1000
"""Stars of each domain by which mixing is measured."""

Report = Callable[[str, int, int], None]
"""``report(what, done, all)``; what it raises stops the work."""


@dataclass(frozen=True)
class Embedding:
    """Stars of both domains in the panels of the paper's Fig. 2.

    Parameters
    ----------
    stars : MapStars
        The stars.
    panels : mapping of str to ndarray, shape ``(n, 2)``
        Coordinates by panel, synthetic stars first; see :data:`PANELS`.
    chi2 : ndarray, shape ``(n,)``
        How far observed spectra are from what the networks make of them: chi2 over the
        number of coefficients. NaN for synthetic stars.
    info : mapping
        ``kl`` and ``mixing`` by panel, ``settings``, ``seconds``, ``source``, ``bundle`` and
        its ``fingerprint``; JSON.
    features : mapping of str to Features, optional
        Points in which neighbours were found; None if they were not kept.
    """

    stars: MapStars
    panels: Mapping[str, NDArray[np.float32]]
    chi2: NDArray[np.float32]
    info: Mapping[str, Any]
    features: Mapping[str, Features] | None = None

    def __len__(self) -> int:
        return len(self.stars)

    @property
    def kl(self) -> dict[str, float]:
        """Kullback-Leibler divergence of every panel."""
        return dict(self.info["kl"])

    @property
    def mixing(self) -> dict[str, dict[str, float]]:
        """By panel: ``purity`` (also ``purity_on_map``), ``accuracy`` and ``auc``.

        0.5 is perfect; see :mod:`~spectrabridge.core.evaluation.mixing`.
        """
        return {k: dict(v) for k, v in self.info["mixing"].items()}

    def row(self, name: str) -> int | None:
        """Return the row of a star by its exact name, None if there is none."""
        try:
            return self.stars.ids.index(name)
        except ValueError:
            return None


def make_embedding(
    bundle: Bundle,
    stars: MapStars,
    settings: TsneSettings | None = None,
    report: Report | None = None,
    command: str = "",
) -> Embedding:
    """Send stars through a model and embed them.

    Parameters
    ----------
    bundle : Bundle
        Gives the model.
    stars : MapStars
        The stars.
    settings : TsneSettings, optional
        How coordinates are found.
    report : callable, optional
        Told of progress; what it raises stops the work and passes through.
    command : str
        The command that asked for it, kept with the map.
    """
    settings = settings or TsneSettings()
    tell = report or (lambda what, done, total: None)
    began = time.perf_counter()
    routes = Routes(bundle.model, stars, settings.seed)
    points, misfit = routes.points(lambda done, total: tell("spectra", done, total))
    features = routes.features(points)
    panels: dict[str, NDArray[np.float32]] = {}
    kl: dict[str, float] = {}
    mixing: dict[str, dict[str, float]] = {}
    for key in PANELS:
        values = features[key].values
        panels[key], kl[key] = fit_tsne(values, settings, partial(tell, PANELS[key]))
        members = bundle.model.n_members if key == "latents" else 0
        mixing[key] = mixed(points[key], panels[key], stars, settings.seed, members)
    info = {
        "bundle": bundle.name,
        "fingerprint": bundle.fingerprint,
        "source": "bundle" if stars.recipe else "spectra",
        "n_stars": len(stars),
        "n_compared": min(stars.n_kept, MAX_COMPARED_STARS),
        "settings": asdict(settings),
        "kl": kl,
        "mixing": mixing,
        "seconds": round(time.perf_counter() - began, 1),
        "command": command,
        "versions": versions(),
    }
    chi2 = np.concatenate([np.full(stars.n_each, np.nan, np.float32), misfit])
    return Embedding(stars, panels, chi2, info, features)


def mixed(
    points: NDArray[np.float32],
    coordinates: NDArray[np.float32],
    stars: MapStars,
    seed: int,
    members: int = 0,
) -> dict[str, float]:
    """Return how well the domains mix among points and on their map.

    Only stars that were not drawn like others count. Latents are judged member by member
    and the mean is returned, as :func:`~spectrabridge.core.evaluation.mixing.mixing` does.

    Parameters
    ----------
    points : ndarray, shape ``(2 n, d)``
        Points.
    coordinates : ndarray, shape ``(2 n, 2)``
        Their places on the map.
    stars : MapStars
        The stars.
    seed : int
        Of the folds of the classifier.
    members : int
        How many members' latents stand side by side; 0 for spectra.
    """
    from ..evaluation.mixing import domain_purity, latent_components, two_sample_test

    n = min(stars.n_kept, MAX_COMPARED_STARS)

    def both(x: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor(x[:n]), torch.tensor(x[stars.n_each : stars.n_each + n])

    if members:
        width = points.shape[1] // members
        parts = [points[:, i * width : (i + 1) * width] for i in range(members)]
        pairs = [latent_components(*both(x)) for x in parts]
    else:
        pairs = [both(points)]
    each = [{"purity": domain_purity(*pair)} | two_sample_test(*pair, seed=seed) for pair in pairs]
    out = {name: float(np.mean([e[name] for e in each])) for name in each[0]}
    return out | {"purity_on_map": domain_purity(*both(coordinates))}
