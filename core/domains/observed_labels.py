"""Labels that a file of observed spectra carries, and synthetic stars drawn like them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..emulator.emulator import Emulator
from ..errors import LabelError, TrainingError
from ..labels import LabelSet, canonical, draws
from ..spectra.spectra import Spectra


@dataclass(frozen=True)
class Labelled:
    """What spectra say of their stars, without the spectra.

    Parameters
    ----------
    n_stars : int
        Number of stars.
    labels : ndarray, shape ``(n_stars, n_labels)``, optional
        Labels of `label_set`, NaN where unknown.
    label_set : LabelSet, optional
        What they are.
    columns : mapping
        Further columns by name, each of length ``n_stars``.
    """

    n_stars: int
    labels: NDArray[np.float64] | None
    label_set: LabelSet | None
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return self.n_stars


MIN_LABELLED_STARS = 30
"""With fewer stars with T_eff, log g and metallicity nobody can tell a distribution."""

MAX_OUTSIDE_FRACTION = 0.4
"""Part of the observed stars that may lie outside the trained range of a main label."""

KERNEL_WIDTH = 0.2
"""Width of the smoothing kernel, as a part of the spread of the labels.

Enough that no star is drawn as it is, little enough that a red clump stays a clump.
"""

_MAIN = ("teff", "logg", "Fe")

_METALLICITIES = ("Fe", "M_H", "[M/H]", "mh", "metallicity", "feh", "Fe_H")

_NEIGHBOURS = 8


def known_labels(
    spectra: Spectra | Labelled, labels: LabelSet, columns: Mapping[str, str] | None = None
) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Return the labels of observed spectra that an emulator knows too.

    Parameters
    ----------
    spectra : Spectra or Labelled
        With labels of any label set, or none.
    labels : LabelSet
        The emulator's.
    columns : mapping, optional
        Label of the emulator to the name of the file's label or column; see
        :func:`read_observed`.

    Returns
    -------
    values : ndarray or None, shape ``(n_stars, n_labels)``
        In the order of `labels`, NaN where unknown; None if not one can be used. Without
        [Fe/H] the metallicity [M/H] is taken for it; [X/Fe] becomes [X/H].
    notes : list of str
        What was ignored or assumed, a sentence each.

    Raises
    ------
    LabelError
        If `columns` names labels or columns that do not exist.
    """
    found = _found(spectra)
    values = np.full((len(spectra), len(labels)), np.nan)
    notes: list[str] = []
    used: set[str] = set()
    for name, source in (columns or {}).items():
        if source not in found:
            raise LabelError(
                f"The file has no label or column {source!r} for {name}; it has "
                f"{', '.join(found) or 'none'}."
            )
        values[:, labels.index(name)] = _numbers(source, found[source])
        used.add(source)
    named = spectra.label_set.names if spectra.label_set is not None else ()
    free = [n for n in named if n not in used and n in found]
    for source in free:
        if source in labels and np.isnan(values[:, labels.index(source)]).all():
            values[:, labels.index(source)] = found[source]
            used.add(source)
    if "Fe" in labels:
        iron = values[:, labels.index("Fe")]  # a view: what is filled in is filled in
        lower = {n.lower() for n in _METALLICITIES}
        for source in free:
            if source not in used and source.lower() in lower and np.isnan(iron).all():
                iron[:] = found[source]
                used.add(source)
                notes.append(f"{source} of the file is taken for [Fe/H].")
        for source in free:
            over = re.fullmatch(r"\[?([A-Za-z]{1,2})[/_]Fe\]?", source, flags=re.IGNORECASE)
            element = canonical(over.group(1)) if over else ""
            if source not in used and element in labels:
                column = values[:, labels.index(element)]
                if np.isnan(column).all():
                    column[:] = found[source] + iron
                    used.add(source)
    values[~np.isfinite(values) | (values <= -999)] = np.nan
    ignored = [n for n in named if n not in used]
    if ignored:
        notes.append(
            f"Labels {', '.join(ignored[:8])}{' and more' if len(ignored) > 8 else ''} of the file "
            f"are ignored; expected {', '.join(labels.names)}. Rename them, or say which is which "
            "with columns={'teff': ...}."
        )
    if np.isnan(values).all():
        return None, notes
    _check_kelvin(values, labels)
    return values, notes


def _found(spectra: Spectra | Labelled) -> dict[str, NDArray[Any]]:
    """Return everything a file says per star: labels first, then columns."""
    found: dict[str, NDArray[Any]] = {}
    if spectra.labels is not None and spectra.label_set is not None:
        found |= {n: spectra.labels[:, i] for i, n in enumerate(spectra.label_set.names)}
    return found | {k: v for k, v in spectra.columns.items() if k not in found}


def _numbers(name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise LabelError(f"Column {name!r} must hold one number per star to serve as a label.")
    return values.astype(np.float64)


def _check_kelvin(values: NDArray[np.float64], labels: LabelSet) -> None:
    if "teff" not in labels or labels["teff"].unit != "K":
        return
    teff = values[:, labels.index("teff")]
    if np.isfinite(teff).any() and not 1000 < float(np.nanmedian(teff)) < 100_000:
        raise LabelError(
            f"The effective temperatures of the observed spectra have a median of "
            f"{np.nanmedian(teff):g}; expected kelvin. Convert the labels, or leave them out."
        )


def synthetic_labels(emulator: Emulator, spectra: Spectra | Labelled) -> draws.Draw:
    """Return a function that draws synthetic labels like those of the observed stars.

    A smoothed bootstrap: a star is drawn at random, labels that are not known of it are
    taken from a giant-branch star of like T_eff, log g and [Fe/H] (abundances as [X/Fe]
    about the star's own [Fe/H]), and the whole is moved by a normal step with
    :data:`KERNEL_WIDTH` times the spread and with the correlations of all stars, then shrunk
    towards the mean so that spread and correlations stay what they were (Silverman 1986,
    section 6.4). Values are clipped to the trained range.

    Parameters
    ----------
    emulator : Emulator
        Gives the labels and their trained range.
    spectra : Spectra
        Observed spectra. If too few carry T_eff, log g and a metallicity, the giant
        branch is drawn instead (:func:`~spectrabridge.core.labels.draws.giant_branch`).

    Returns
    -------
    callable
        ``(n, generator)`` to labels ``(n, n_labels)``, float32.

    Raises
    ------
    TrainingError
        If many of the observed stars lie outside the trained range.
    LabelError
        If labels are unknown and the emulator's are not those of giants.
    """
    labels = emulator.labels
    values, _ = known_labels(spectra, labels)
    known = np.zeros(0, bool) if values is None else main_known(values, labels)
    if values is None or known.sum() < MIN_LABELLED_STARS:
        return partial(draws.giant_branch, labels=labels)
    _check_inside(values[known], labels)
    return _Bootstrap(values[known], labels)


def main_known(values: NDArray[np.float64], labels: LabelSet) -> NDArray[np.bool_]:
    """Tell of which stars T_eff, log g and [Fe/H] are known, shape ``(n_stars,)``."""
    if any(name not in labels for name in _MAIN):
        return np.zeros(len(values), bool)
    return np.asarray(np.isfinite(values[:, labels.columns(_MAIN)]).all(axis=1))


def _check_inside(values: NDArray[np.float64], labels: LabelSet) -> None:
    for i in labels.columns(_MAIN):
        label = labels.labels[i]
        share = float(((values[:, i] < label.low) | (values[:, i] > label.high)).mean())
        if share > MAX_OUTSIDE_FRACTION:
            raise TrainingError(
                f"{share:.0%} of the observed stars have {label.title} outside the emulator's "
                f"range, {label.low:g} to {label.high:g}; their median is "
                f"{np.median(values[:, i]):g}. Leave such stars out, or train an emulator that "
                "covers them."
            )


class _Bootstrap:
    """Draws labels like those of a set of stars; see :func:`synthetic_labels`."""

    def __init__(self, values: NDArray[np.float64], labels: LabelSet) -> None:
        low = torch.tensor(labels.low, dtype=torch.float32)
        high = torch.tensor(labels.high, dtype=torch.float32)
        self._low, self._high = low, high
        # A ratio is drawn in its logarithm, in which its spread is even.
        self._ratio = labels.index("c12c13") if "c12c13" in labels else None
        known = torch.tensor(values, dtype=torch.float32)
        self._known = torch.minimum(torch.maximum(known, low), high)
        self._unknown = torch.isnan(self._known)
        self._giants = torch.zeros(0, len(labels))
        self._near = torch.zeros(len(values), 0, dtype=torch.long)
        if self._unknown.any():
            self._find_giants(labels)
        rows = torch.arange(len(values))
        flat = self._flat(self._filled(rows, torch.Generator().manual_seed(11)))
        self._mean = flat.mean(0)
        spread = torch.cov(flat.T.double()) + 1e-12 * torch.eye(len(labels), dtype=torch.double)
        # Eigenvectors rather than Cholesky: labels may be constant or depend on each other.
        power, axes = torch.linalg.eigh(spread)
        self._kernel = (KERNEL_WIDTH * power.clamp_min(0).sqrt()[:, None] * axes.T).float()

    def _find_giants(self, labels: LabelSet) -> None:
        """Choose the giant-branch stars from which unknown labels are taken."""
        n_pool = 8000
        pool = draws.giant_branch(n_pool, torch.Generator().manual_seed(12), labels)
        main = labels.columns(_MAIN)
        scale = np.array([100.0, 0.2, 0.1])  # K, dex, dex: how alike stars have to be
        tree = cKDTree(pool[:, main].numpy() / scale)
        _, near = tree.query(self._known[:, main].numpy() / scale, k=_NEIGHBOURS)
        iron = labels.index("Fe")
        elements = [i for i in labels.element_columns() if i != iron]
        # As [X/Fe], to be added to the star's own [Fe/H].
        pool[:, elements] -= pool[:, iron : iron + 1]
        self._elements = torch.zeros(len(labels), dtype=torch.bool)
        self._elements[elements] = True
        self._iron = iron
        self._giants, self._near = pool, torch.as_tensor(near)

    def _filled(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        out = self._known[rows]
        if not self._near.shape[1]:
            return out
        which = torch.randint(0, _NEIGHBOURS, (len(rows),), generator=generator)
        giants = self._giants[self._near[rows, which]]
        fill = torch.where(self._elements, giants + out[:, self._iron, None], giants)
        out = torch.where(self._unknown[rows], fill, out)
        return torch.minimum(torch.maximum(out, self._low), self._high)

    def _flat(self, labels: torch.Tensor) -> torch.Tensor:
        out = labels.clone()
        if self._ratio is not None:
            out[:, self._ratio] = out[:, self._ratio].clamp_min(1e-3).log()
        return out

    def __call__(self, n: int, generator: torch.Generator) -> torch.Tensor:
        rows = torch.randint(0, len(self._known), (n,), generator=generator)
        flat = self._flat(self._filled(rows, generator)) - self._mean
        step = torch.randn(n, flat.shape[1], generator=generator) @ self._kernel
        out = self._mean + (flat + step) / (1 + KERNEL_WIDTH**2) ** 0.5
        if self._ratio is not None:
            out[:, self._ratio] = out[:, self._ratio].exp()
        return torch.minimum(torch.maximum(out, self._low), self._high)
