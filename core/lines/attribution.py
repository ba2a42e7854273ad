"""What a feature belongs to: elements and molecules by how its strength responds to abundances.

The paper names the element whose derivative is most negative (O'Briain et al. 2020, section
3.3). That fails where carbon and nitrogen share a line of CN, and says nothing of how sure it
is. Here a feature's response to all abundances, in three groups of stars, is taken apart into
those of atoms and molecules, as a sum with shares that are not negative; each network of the
ensemble, and noise drawn like their disagreement, gives its own shares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from .candidate import Answer
from .contrast import Contrast
from .extent import Extent
from .signature import Signatures, signatures

N_DRAWS = 100
"""Sets of shares drawn for each feature."""

BLEND_SHARE = 0.4
"""No species has this part of the response: a blend."""

NEGLIGIBLE_SHARE = 0.3
"""Shares below this part of the largest are taken for noise."""

UNEXPLAINED_SHARE = 0.5
"""Part of the response, squared, that no sum of species accounts for: unknown, if it is also
:data:`BAD_FIT_RATIO` times as large as its errors make it."""

BAD_FIT_RATIO = 2.0

MODEL_ERROR = 0.1
"""Error of a species' response, as a part of its largest component: lines of one species do not
all respond alike."""

LARGEST_SHARE_WEIGHT = 0.6
"""Weight of how often a species has the largest share, against its mean share.

The former says how sure the networks are; the latter that a line may belong to the lesser
of two species. Chosen on hidden lines, see :mod:`.scoring`.
"""

LEAST_PROBABILITY = 0.02
"""Answers of lower probability are left out."""


def feature_response(contrast: Contrast, extent: Extent) -> NDArray[np.float64]:
    """Return the response of a feature's absorption ``(n_members, n_groups, n_elements)``.

    It is the mean over its pixels, each weighted by how much more absorption it has: pixels at
    its feet count less, and those with less absorption count with the other sign. So the
    abundance that makes the feature is negative for lines that are too strong and for
    shifted ones as well.
    """
    more = -contrast.difference[:, extent.pixels].mean(axis=0).astype(np.float64)
    weight = more / max(np.abs(more).sum(), 1e-12)
    part = contrast.response[:, :, extent.pixels].astype(np.float64)
    return np.asarray(np.einsum("mgpe,p->mge", part, weight))


def attribute(
    contrast: Contrast,
    extents: Sequence[Extent],
    seed: int = 0,
    known: Signatures | None = None,
) -> list[tuple[Answer, ...]]:
    """Name what each feature belongs to, the likeliest first.

    Parameters
    ----------
    contrast : Contrast
        Responses.
    extents : sequence of Extent
        Features.
    seed : int
        Of the noise.
    known : Signatures, optional
        Responses of species; read off the emulated spectra if not given.
    """
    known = signatures(contrast) if known is None else known
    rng = np.random.default_rng(seed)
    noise = _noise(contrast)
    return [_answers(feature_response(contrast, e), known, noise, rng) for e in extents]


def _noise(contrast: Contrast) -> NDArray[np.float64]:
    """Return the least error of a response to each abundance, ``(n_elements,)``.

    The median over pixels of the standard deviation between networks, so that a feature on
    which five networks agree by chance is not taken for certain.
    """
    if len(contrast.response) < 2:
        return np.zeros(len(contrast.elements))
    spread = contrast.response.std(axis=0, ddof=1)
    return np.asarray(np.median(spread.reshape(-1, spread.shape[-1]), axis=0), np.float64)


def _answers(
    response: NDArray[np.float64],
    known: Signatures,
    noise: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Answer, ...]:
    mean = response.mean(axis=0)
    members = len(response)
    spread = response.std(axis=0, ddof=1) if members > 1 else np.zeros_like(mean)
    error = np.hypot(spread, noise)
    size = np.abs(mean).max()
    if size == 0:
        return (Answer("unknown", 1.0),)
    sigma = np.sqrt(error**2 + (MODEL_ERROR * size) ** 2)
    # Errors are common to the groups: the networks are the same in all stars.
    drawn = rng.standard_normal((N_DRAWS, 1, mean.shape[1])) * error + mean
    design = (known.values / sigma[:, None, :]).transpose(0, 2, 1).reshape(-1, len(known.names))
    counts: dict[str, float] = {}
    for one in drawn:
        for name, weight in _weights(*shares(one, sigma, design), known.names).items():
            counts[name] = counts.get(name, 0.0) + weight / N_DRAWS
    return ranked(counts)


def shares(
    response: NDArray[np.float64],
    sigma: NDArray[np.float64],
    design: NDArray[np.float64],
) -> tuple[NDArray[np.float64], bool]:
    """Return how much each species gives of a response, and whether they account for it.

    Parameters
    ----------
    response, sigma : array, shape ``(n_groups, n_elements)``
        Response and its errors.
    design : array, shape ``(n_groups * n_elements, n_species)``
        Responses of species divided by the errors.
    """
    target = (response / sigma).reshape(-1)
    found, rest = nnls(design, target)
    fits = rest**2 < max(UNEXPLAINED_SHARE * float(target @ target), BAD_FIT_RATIO * len(target))
    return found, bool(fits)


def _weights(found: NDArray[np.float64], fits: bool, names: Sequence[str]) -> dict[str, float]:
    """Return probabilities of answers for one set of shares."""
    if found.max() <= 0 or not fits:
        return {"unknown": 1.0}
    best = int(found.argmax())
    part = np.where(found < NEGLIGIBLE_SHARE * found[best], 0, found)
    part /= part.sum()
    out = {
        names[i]: (1 - LARGEST_SHARE_WEIGHT) * float(part[i]) for i in np.flatnonzero(part).tolist()
    }
    first = names[best] if part[best] >= BLEND_SHARE else "blend"
    out[first] = out.get(first, 0.0) + LARGEST_SHARE_WEIGHT
    return out


def ranked(probabilities: dict[str, float]) -> tuple[Answer, ...]:
    """Return answers by probability, the unlikely ones left out and the rest scaled to 1."""
    kept = {k: v for k, v in probabilities.items() if v >= LEAST_PROBABILITY}
    total = sum(kept.values())
    order = sorted(kept, key=lambda k: (-kept[k], k))
    return tuple(Answer(k, round(kept[k] / total, 3)) for k in order)
