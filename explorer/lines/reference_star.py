"""What the Lines page draws of the reference star: its spectra, and the lines that are known.

Nothing here knows a screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.bundle.protocols import OpenedBundle
from ...core.linelist.line_list import LineList
from ...core.linelist.species import Species
from ...core.lines import PAIRS, Candidate, Candidates
from ..computed.derivatives import LabelDerivatives
from ..computed.frame import Array, compute_frame

MIN_STRENGTH_DEX = -2.5
"""Lines below this strength, see :meth:`.LineList.strength`, are not shown."""

STACK_STARS = 30
"""How many observed stars make up a stack."""

MAX_LABEL_DISTANCE = 0.15
"""Largest rms distance of these stars from the reference, in ranges of the labels."""

MIN_HALF_WINDOW_ANGSTROM = 3.0
"""A window goes at least this far from a feature's centre, angstrom."""

HALF_WINDOW_EXTENTS = 1.5
"""Or this many times the feature's extent."""

MIN_PROBABILITY = 0.1
"""Elements of answers with at least this probability have their derivatives drawn."""

MAX_CURVES = 4
"""How many elements' derivatives are drawn."""


@dataclass(frozen=True)
class ReferenceStar:
    """Spectra of the star to which a table of candidates refers.

    Parameters
    ----------
    values : ndarray, shape ``(n_labels,)``
        Its labels.
    emulated, adapted : ndarray, shape ``(n_pixels,)``
        Continuum-normalised flux.
    truth : ndarray or None
        Noise-free truth, where the bundle knows it.
    observed : ndarray or None
        Mean of observed stars like it, where the bundle keeps some and no truth.
    n_observed : int
        How many stars that are.
    """

    values: NDArray[np.float64]
    emulated: Array
    adapted: Array
    truth: Array | None = None
    observed: Array | None = None
    n_observed: int = 0


def reference_star(bundle: OpenedBundle, candidates: Candidates | None) -> ReferenceStar:
    """Return the spectra of the reference star of some candidates, or of a bundle."""
    model = bundle.model
    given = dict(candidates.reference) if candidates is not None else {}
    named = dict(zip(model.labels.names, map(float, model.reference), strict=True))
    values = model.labels.array(named | {k: v for k, v in given.items() if k in named})
    frame = compute_frame(model, values)
    if frame.truth is not None:
        return ReferenceStar(values, frame.emulated, frame.adapted, frame.truth)
    observed, n = observed_stack(bundle, values)
    return ReferenceStar(values, frame.emulated, frame.adapted, None, observed, n)


def observed_stack(bundle: OpenedBundle, values: ArrayLike) -> tuple[Array | None, int]:
    """Return the mean spectrum of the bundle's observed stars that are like one, and their number.

    They are held-out stars, compared by the rms of their labels' differences in units of
    the labels' ranges: at most :data:`STACK_STARS` within :data:`MAX_LABEL_DISTANCE`. None if
    there are fewer than three.
    """
    sample = bundle.sample
    if sample is None or sample.observed_labels is None:
        return None, 0
    labels = bundle.model.labels
    span = np.array([label.high - label.low for label in labels])
    away = (sample.observed_labels.numpy() - np.asarray(values, dtype=np.float64)) / span
    known = np.isfinite(away).all(1)
    distance = np.where(known, np.sqrt(np.mean(np.nan_to_num(away) ** 2, axis=1)), np.inf)
    alike = np.argsort(distance, kind="stable")[:STACK_STARS]
    alike = alike[distance[alike] < MAX_LABEL_DISTANCE]
    if alike.size < 3:
        return None, 0
    mean = sample.observed[alike].mean(0, keepdim=True)
    flux = bundle.model.adapter.obs.decode(mean)[0]
    return flux.detach().cpu().numpy().astype(np.float32), int(alike.size)


def window_of(candidate: Candidate) -> tuple[float, float]:
    """Return what to show of a candidate's surroundings, vacuum angstrom."""
    reach = max(MIN_HALF_WINDOW_ANGSTROM, HALF_WINDOW_EXTENTS * (candidate.high - candidate.low))
    return candidate.wavelength - reach, candidate.wavelength + reach


def top_elements(
    candidate: Candidate,
    derivatives: LabelDerivatives,
    columns: dict[str, int],
    most: int = MAX_CURVES,
) -> list[str]:
    """Return the elements whose derivatives explain a candidate best, the likeliest first.

    Those that its answers name come first, molecules as their elements; then those whose
    derivatives differ most in its extent.

    Parameters
    ----------
    candidate : Candidate
        The feature.
    derivatives : LabelDerivatives
        Of the reference star.
    columns : dict
        Columns of the derivatives, by element.
    most : int
        How many to return at most.
    """
    likely = [
        a for a in candidate.answers if a.probability >= MIN_PROBABILITY
    ] or candidate.answers[:1]
    named = [e for answer in likely for e in answer.elements if e in columns]
    if columns:
        strip = derivatives.difference[candidate.pixels]
        size = np.abs(strip[:, list(columns.values())]).mean(0) if len(strip) else np.zeros(0)
        elements = list(columns)
        strongest = [elements[i] for i in np.argsort(-size, kind="stable")[: most // 2]]
        if size.size:
            named += [e for e in strongest if size[elements.index(e)] > 0.2 * float(size.max())]
    return list(dict.fromkeys(named))[:most]


@dataclass(frozen=True)
class StarLines:
    """Known lines to be shown, by wavelength.

    Parameters
    ----------
    wavelength : ndarray, shape ``(n_lines,)``
        Vacuum angstrom.
    strength, loggf, ep : ndarray, shape ``(n_lines,)``
        Predicted strength in the reference star (dex), oscillator strength, and excitation
        energy of the lower level in eV.
    species : ndarray of int, shape ``(n_lines,)``
        Index into `names`.
    names : tuple of str
        Species for people: ``Fe I``, ``CN``.
    elements : tuple of str
        The element whose colour each has; empty for molecules.
    """

    wavelength: NDArray[np.float64]
    strength: Array
    loggf: Array
    ep: Array
    species: NDArray[np.uint8]
    names: tuple[str, ...]
    elements: tuple[str, ...]

    @classmethod
    def of(cls, lines: LineList, low: float, high: float, teff: float) -> StarLines:
        """Return the lines of a list within a range that a star may show.

        Parameters
        ----------
        lines : LineList
            Any line list.
        low, high : float
            Ends of the range, vacuum angstrom.
        teff : float
            Effective temperature of the star in K.
        """
        found = lines.between(low, high)
        strength = found.strength(teff)
        keep = np.nan_to_num(strength, nan=-np.inf) > MIN_STRENGTH_DEX
        found, strength = found.select(keep), strength[keep]
        species, which = np.unique(found.species, return_inverse=True)
        parsed = [Species.parse(str(name)) for name in species]
        return cls(
            np.asarray(found.wl_vac, dtype=np.float64),
            strength.astype(np.float32),
            np.asarray(found.loggf, dtype=np.float32),
            np.asarray(found.ep, dtype=np.float32),
            np.asarray(which, dtype=np.uint8),
            tuple(s.title for s in parsed),
            tuple("" if s.is_molecule else s.formula for s in parsed),
        )


def answer_colours(name: str) -> Sequence[str]:
    """Return the elements in whose colours an answer is drawn; empty for none."""
    return PAIRS.get(name, (name,))


def columns_by_element(labels: Any) -> dict[str, int]:
    """Return the columns of derivatives by element, for a label set."""
    return dict(zip(labels.elements, labels.element_columns(), strict=True))
