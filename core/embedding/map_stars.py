"""The stars of a map: synthetic ones by their labels, observed ones by their spectra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..adaptation.representation import Representation
from ..adaptation.spectral_basis import SpectralBasis
from ..bundle.bundle import Bundle
from ..bundle.model import Model
from ..domains.observed_file import ObservedFile
from ..domains.observed_labels import Labelled, known_labels
from ..emulator.emulator import Emulator, in_batches
from ..errors import EmbeddingError
from ..labels.label_set import LabelSet
from ..spectra.spectra import Spectra

SYNTHETIC, OBSERVED = 0, 1
"""Domains, as numbers."""

MIN_DOMAIN_STARS = 20
"""With fewer stars of a domain there is no map."""

ENCODED_AT_ONCE = 256
"""Spectra that are encoded together."""

FEW_STARS = 5000
"""Up to so many stars every good pixel counts for the typical noise."""

MAX_STARS = 250_000
"""Stars of a map at most, both domains together."""

BANDWIDTH = 0.3
"""Width of the kernel with which labels are drawn, in standard deviations of the population."""


_DRAWN = 4096  # at a time; part of what a seed means


@dataclass(frozen=True)
class MapStars:
    """As many synthetic as observed stars; rows of the two do not belong together.

    Parameters
    ----------
    label_set : LabelSet
        Names and units of the labels.
    synthetic_labels : ndarray, shape ``(n, n_labels)``
        Labels of the synthetic stars.
    coefficients : ndarray, shape ``(n, n_coefficients)``
        Observed spectra as the adapter sees them.
    observed_labels : ndarray, shape ``(n, n_labels)``
        Their labels, NaN where unknown.
    observed_ids : tuple of str
        Their names.
    snr : ndarray, shape ``(n,)``
        Their signal-to-noise ratio per pixel, NaN where unknown.
    noise : float
        Typical 1-sigma error of the observed flux per pixel.
    n_kept : int
        Stars of each domain, the first ones, that were not drawn like others.
    recipe : mapping
        ``{"seed": ...}`` if the stars can be made again from their bundle, else empty.
    """

    label_set: LabelSet
    synthetic_labels: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    observed_labels: NDArray[np.float32]
    observed_ids: tuple[str, ...]
    snr: NDArray[np.float32]
    noise: float
    n_kept: int
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_each(self) -> int:
        """Stars of each domain."""
        return len(self.synthetic_labels)

    def __len__(self) -> int:
        return 2 * self.n_each

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Names of all stars, the synthetic ones first."""
        return (*(f"synthetic {i + 1}" for i in range(self.n_each)), *self.observed_ids)

    @cached_property
    def domain(self) -> NDArray[np.uint8]:
        """:data:`SYNTHETIC` or :data:`OBSERVED`, shape ``(2 n,)``."""
        return np.repeat(np.array([SYNTHETIC, OBSERVED], np.uint8), self.n_each)

    @cached_property
    def labels(self) -> NDArray[np.float32]:
        """Labels of all stars, shape ``(2 n, n_labels)``."""
        return np.concatenate([self.synthetic_labels, self.observed_labels])

    @cached_property
    def all_snr(self) -> NDArray[np.float32]:
        """Signal-to-noise ratio of all stars, NaN for synthetic ones, shape ``(2 n,)``."""
        return np.concatenate([np.full(self.n_each, np.nan, np.float32), self.snr])

    def observed_row(self, row: int) -> int | None:
        """Return which observed star a row of the map is; None for a synthetic one."""
        return row - self.n_each if row >= self.n_each else None


def drawn_like(
    population: NDArray[np.float32], n: int, seed: int, logarithmic: int | None = None
) -> NDArray[np.float32]:
    """Draw labels like those of a population.

    A smoothed bootstrap with shrinkage, which keeps mean and covariance (Silverman & Young
    1987, Biometrika 74, 469). Values stay within those of the population. The stream of
    random numbers is numpy's legacy one, which is frozen: a seed gives the same stars with
    any version.

    Parameters
    ----------
    population : ndarray, shape ``(n_stars, n_labels)``
        Labels to draw like.
    n : int
        Stars to draw.
    seed : int
        Of the draw.
    logarithmic : int, optional
        Column that is drawn in its logarithm.

    Returns
    -------
    ndarray, shape ``(n, n_labels)``
    """
    known = np.asarray(population, np.float64).copy()
    if logarithmic is not None:
        known[:, logarithmic] = np.log(np.maximum(known[:, logarithmic], 1e-3))
    rng = np.random.RandomState(seed)
    rows = rng.randint(0, len(known), n)
    mean = known.mean(axis=0)
    # Scatter as a sum over differences from the mean: its covariance is the population's,
    # and nothing has to be decomposed whose signs a library might choose otherwise.
    scatter = np.empty((n, known.shape[1]))
    for start in range(0, n, _DRAWN):
        weights = rng.standard_normal((min(_DRAWN, n - start), len(known)))
        scatter[start : start + _DRAWN] = weights @ (known - mean) / np.sqrt(len(known))
    shrunk = mean + np.sqrt(1 - BANDWIDTH**2) * (known[rows] - mean) + BANDWIDTH * scatter
    out = np.clip(shrunk, known.min(axis=0), known.max(axis=0))
    if logarithmic is not None:
        out[:, logarithmic] = np.exp(out[:, logarithmic])
    return out.astype(np.float32)


def _ratio(labels: LabelSet) -> int | None:
    return labels.index("c12c13") if "c12c13" in labels else None


def stars_of_bundle(bundle: Bundle, n: int, seed: int = 0) -> MapStars:
    """Return stars of a map from what a bundle keeps.

    Its held-out stars come first. If more are asked for, labels are drawn like those of all
    of them, of both domains: if each domain were drawn like its own, stars would have
    neighbours of their own domain for that reason alone. The flux of synthetic ones is the
    emulator's, that of observed ones the truth of the observed domain with white noise.
    Where that truth is not known, there are no more stars than those kept.

    Parameters
    ----------
    bundle : Bundle
        A bundle with a sample.
    n : int
        Stars of both domains together, at most :data:`MAX_STARS`.
    seed : int
        Of the stars that are drawn.

    Raises
    ------
    EmbeddingError
        If the bundle keeps no stars, or `n` is out of range.
    """
    each = _each(n)
    sample = bundle.sample
    if sample is None:
        raise EmbeddingError(
            f"{bundle.name} keeps no held-out stars to make a map of. Give observed spectra with "
            "--spectra."
        )
    model = bundle.model
    labels, kept = sample.synthetic_labels.numpy(), sample.observed.numpy()
    known = sample.observed_labels
    if known is None or not bool(known.isfinite().all()) or not model.has_truth:
        each = min(each, len(kept))
    if each < MIN_DOMAIN_STARS:
        raise EmbeddingError(
            f"Expected at least {MIN_DOMAIN_STARS} held-out stars of each domain for a map; "
            f"{bundle.name} keeps {min(len(kept), len(labels))}."
        )
    ratio = _ratio(model.labels)
    observed_labels = np.full((len(kept), len(model.labels)), np.nan, np.float32)
    if known is not None:
        observed_labels = known.numpy()
    n_kept = min(each, len(labels), len(kept))
    population = labels
    if np.isfinite(observed_labels).all():
        population = np.concatenate([labels, observed_labels])
    more = each - len(labels)
    if more > 0:
        labels = np.concatenate([labels, drawn_like(population, more, seed, ratio)])
    more = each - len(kept)
    if more > 0:
        drawn = drawn_like(population, more, seed + 1, ratio)
        kept = np.concatenate([kept, _observed(model, drawn, sample.noise, seed + 2)])
        observed_labels = np.concatenate([observed_labels, drawn])
    return MapStars(
        model.labels,
        labels[:each],
        kept[:each],
        observed_labels[:each],
        tuple(f"observed {i + 1}" for i in range(each)),
        np.full(each, np.nan, np.float32),
        sample.noise,
        n_kept,
        {"seed": seed},
    )


def _observed(
    model: Model, labels: NDArray[np.float32], noise: float, seed: int
) -> NDArray[np.float32]:
    """Return true spectra with noise as coefficients of the observed domain."""
    assert model.truth_emulator is not None
    obs, truth = model.adapter.obs, model.truth_emulator
    rng = np.random.RandomState(seed)
    relative = noise / obs.scale
    parts = []
    with torch.inference_mode():
        for rows in torch.tensor(labels).split(1000):
            clean = obs.encode(in_batches(truth, rows))
            draw = torch.tensor(rng.standard_normal(tuple(clean.shape)), dtype=torch.float32)
            seen = clean + draw * relative
            if isinstance(obs, SpectralBasis):
                # As a projection that knows the noise draws spectra to the mean.
                seen = seen / (1 + relative.square())
            parts.append(seen)
    return np.asarray(torch.cat(parts).numpy())


def stars_of_spectra(
    bundle: Bundle, spectra: Spectra | ObservedFile, seed: int = 0
) -> tuple[MapStars, tuple[str, ...]]:
    """Return stars of a map with observed spectra of one's own.

    Spectra of a file are read, normalised and encoded a few hundred at a time, so that what
    is kept of each is its coefficients: memory is that of the map, not that of the file.

    Parameters
    ----------
    bundle : Bundle
        What they are compared with.
    spectra : Spectra or ObservedFile
        Normalised as the bundle's, on its grid, as
        :func:`~spectrabridge.core.domains.user_spectra.read_observed` returns them, or a
        file. As many synthetic stars are drawn: like their labels where these are known, else
        like the synthetic stars that the bundle keeps.
    seed : int
        Of the synthetic stars.

    Returns
    -------
    stars : MapStars
        The stars.
    notes : tuple of str
        Sentences on what of a file was ignored or assumed.

    Raises
    ------
    EmbeddingError
        If there are too few spectra or too many, or all pixels are bad.
    SpectrumError, GridError
        If a file cannot be read, or they are on another grid.
    """
    model = bundle.model
    blocks = spectra.blocks() if isinstance(spectra, ObservedFile) else _runs(spectra)
    kept = _Encoded()
    for block in blocks:
        model.grid.require_same(block.grid, "the observed spectra")
        kept.add(block, model.adapter.obs)
    each = _each(2 * len(kept.ids))
    if not kept.ivar:
        raise EmbeddingError("Every pixel of the observed spectra is bad; there is no map of them.")
    said = kept.labelled()
    notes = [str(n) for n in kept.provenance.get("notes", ())]
    if isinstance(spectra, ObservedFile):
        values, more = known_labels(said, model.labels)
        said = replace(said, labels=values, label_set=None if values is None else model.labels)
        notes += more
    known = np.full((each, len(model.labels)), np.nan, np.float32)
    if said.labels is not None and said.label_set == model.labels:
        known = said.labels.astype(np.float32)
    stars = MapStars(
        model.labels,
        _synthetic(bundle, model.complete_emulator, said, each, seed),
        torch.cat(kept.coefficients).numpy(),
        known,
        tuple(kept.ids),
        np.concatenate(kept.snr),
        float(np.median(np.concatenate(kept.ivar)) ** -0.5),
        each,
    )
    return stars, tuple(notes)


def _runs(spectra: Spectra) -> Iterator[Spectra]:
    for start in range(0, len(spectra), ENCODED_AT_ONCE):
        yield spectra[start : start + ENCODED_AT_ONCE]


@dataclass
class _Encoded:
    """What a map keeps of observed spectra."""

    coefficients: list[Tensor] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    snr: list[NDArray[np.float32]] = field(default_factory=list)
    ivar: list[NDArray[np.float32]] = field(default_factory=list)
    """Of good pixels; of many stars, of some of their pixels."""
    labels: list[NDArray[np.float64]] = field(default_factory=list)
    columns: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    label_set: LabelSet | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def add(self, block: Spectra, obs: Representation) -> None:
        """Encode some spectra."""
        with torch.inference_mode():
            for part in _runs(block):
                flux, ivar = torch.tensor(part.flux), torch.tensor(part.ivar)
                self.coefficients.append(obs.encode(flux, ivar))
        self.ids += block.ids
        self.snr.append(block.snr.astype(np.float32))
        good = block.ivar[block.good]
        if good.size:
            # A median of a hundred million pixels is that of some of them.
            self.ivar.append(good[:: 1 + len(self.ids) // FEW_STARS])
        if block.labels is not None:
            self.labels.append(block.labels)
        for name, column in block.columns.items():
            self.columns.setdefault(name, []).append(column)
        self.label_set, self.provenance = block.label_set, block.provenance

    def labelled(self) -> Labelled:
        """Return what the spectra say of their stars."""
        return Labelled(
            len(self.ids),
            np.concatenate(self.labels) if self.labels else None,
            self.label_set,
            {name: np.concatenate(parts) for name, parts in self.columns.items()},
        )


def _synthetic(
    bundle: Bundle, emulator: Emulator, spectra: Labelled, n: int, seed: int
) -> NDArray[np.float32]:
    from ..domains.observed_labels import MIN_LABELLED_STARS, main_known, synthetic_labels

    known = spectra.labels if spectra.label_set == bundle.model.labels else None
    labelled = 0 if known is None else int(main_known(known, bundle.model.labels).sum())
    if bundle.sample is not None and labelled < MIN_LABELLED_STARS:
        kept = bundle.sample.synthetic_labels.numpy()
        more = drawn_like(kept, max(0, n - len(kept)), seed, _ratio(bundle.model.labels))
        return np.concatenate([kept, more])[:n]
    draw = synthetic_labels(emulator, spectra)
    out: Tensor = draw(n, torch.Generator().manual_seed(seed))
    return np.asarray(out.numpy())


def _each(n: int) -> int:
    if not 2 * MIN_DOMAIN_STARS <= n <= MAX_STARS:
        raise EmbeddingError(
            f"A map has {2 * MIN_DOMAIN_STARS} to {MAX_STARS} stars, half of them synthetic; "
            f"found {n}."
        )
    return n // 2
