"""Find candidate features: where adapted spectra of many stars differ from emulated ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..bundle.bundle import Bundle
from ..errors import LinesError
from ..linelist import LineList
from .attribution import attribute
from .candidate import Candidate, Candidates, Kind, candidate_id
from .contrast import Contrast, Source, contrast, reference_stars
from .extent import Extent, find_extents, without_slopes
from .known_lines import lines_for, near_lines

CANDIDATES = "candidates.json.gz"
"""Name of the file that is attached to a bundle."""

MISSING_DEPTH_RATIO = 0.3
"""A line is missing if the simulator has less than this part of its depth."""

BROAD_ANGSTROM = 2.0
"""A feature that is wider is more than one line: at R = 22,500 a line has 1.3 angstrom at a tenth
of its height."""

SHIFTED_LOBE_PIXELS = 8
"""Lobes of a shifted line peak within so many pixels of each other."""

SHIFTED_LOBE_BALANCE = 0.4
"""What the lobes of a shifted line leave of each other, at most, as a part of their sum."""


@dataclass(frozen=True)
class LineSettings:
    """How candidates are found.

    Parameters
    ----------
    n_stars : int
        Stars that are looked at, the reference star among them.
    least_depth : float
        Smallest difference of depths that counts, mean over the stars.
    least_significance : float
        Smallest difference in units of the adaptation's own noise.
    seed : int
        Of the stars and of the noise.
    """

    n_stars: int = 64
    least_depth: float = 0.01
    least_significance: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_stars < 1:
            raise LinesError(f"Expected one star or more to look at; found {self.n_stars}.")
        if not (0 < self.least_depth < 1 and self.least_significance >= 0):
            raise LinesError(
                "Expected a least depth between 0 and 1 and a least significance of 0 or more; "
                f"found {self.least_depth} and {self.least_significance}."
            )


def find_candidates(
    bundle: Bundle,
    settings: LineSettings | None = None,
    *,
    source: Source = "adapted",
    lines: LineList | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Candidates:
    """Find the features that a bundle's simulator lacks or has otherwise.

    Parameters
    ----------
    bundle : Bundle
        What to look at.
    settings : LineSettings, optional
        How.
    source : {"adapted", "truth"}
        Use the truth in place of adapted spectra, where it is known: what the same method
        makes of a perfect adaptation.
    lines : LineList, optional
        Known lines; those that are shipped if not given.
    progress : callable, optional
        Called with the number of stars done and to do.

    Returns
    -------
    Candidates
        In order of wavelength.

    Raises
    ------
    LinesError
        If the bundle's labels have no abundances, or there are no stars to look at.
    """
    settings = settings or LineSettings()
    stars = reference_stars(bundle, settings.n_stars, settings.seed)
    seen = contrast(bundle.model, stars, source, progress)
    return candidates_in(seen, bundle, settings, lines)


def candidates_in(
    seen: Contrast, bundle: Bundle, settings: LineSettings, lines: LineList | None = None
) -> Candidates:
    """Return the candidates in a comparison that is already made; see :func:`find_candidates`."""
    extents = find_features(seen, settings)
    answers = attribute(seen, extents, settings.seed)
    reference = bundle.labels.mapping(seen.labels[0])
    known = lines_for(reference, lines)
    noise = own_noise(seen)
    difference = -seen.difference.astype(np.float64)
    depth = without_slopes(difference.mean(axis=0), seen.grid)
    wavelength = seen.grid.wavelength
    step = np.gradient(wavelength)
    rows = []
    for extent, ranked in zip(extents, answers, strict=True):
        p, pixels = extent.peak, extent.pixels
        centre = round(float(wavelength[p]), 4)
        kind = _kind(seen, extent, noise)
        rows.append(
            Candidate(
                candidate_id(bundle.fingerprint, centre),
                centre,
                round(float(wavelength[extent.start]), 4),
                round(float(wavelength[extent.stop - 1]), 4),
                extent.start,
                extent.stop,
                p,
                kind,
                round(float(1 - seen.emulated[0, p]), 4),
                round(float(1 - seen.adapted[0, p]), 4),
                round(float(difference[0, p]), 4),
                round(float(np.percentile(difference[:, p], 5)), 4),
                round(float(np.percentile(difference[:, p], 95)), 4),
                round(float((difference[0, pixels] * step[pixels]).sum() * 1000), 2),
                round(float(abs(depth[p]) / noise[p]), 2),
                tuple(ranked),
                near_lines(centre, known, reference.get("teff", 4750.0)),
                _shift(seen, extent) if kind == "shifted" else None,
            )
        )
    return Candidates(bundle.name, bundle.fingerprint, reference, asdict(settings), tuple(rows))


def own_noise(seen: Contrast) -> NDArray[np.float64]:
    """Return the adaptation's own error of flux per pixel ``(n_pixels,)``.

    The standard deviation between networks, at least its median: they may agree by chance.
    Networks share errors, so their number does not make it smaller. Where the truth is
    known, `lines --evaluate` tells how the real error compares.
    """
    return np.maximum(seen.spread, max(float(np.median(seen.spread)), 1e-4)).astype(np.float64)


def find_features(seen: Contrast, settings: LineSettings) -> list[Extent]:
    """Return where candidates begin and end; both lobes of a shifted line are one of them."""
    depth = without_slopes(-seen.difference.mean(axis=0), seen.grid)
    least = np.maximum(settings.least_depth, settings.least_significance * own_noise(seen))
    return _joined(find_extents(depth, least, seen.grid), depth)


def _joined(extents: Sequence[Extent], depth: NDArray[np.float64]) -> list[Extent]:
    """Join neighbours of opposite sign and about equal area: a line that is shifted."""
    area = [float(depth[e.pixels].sum()) for e in extents]
    out: list[Extent] = []
    taken = -1
    for i, extent in enumerate(extents):
        if i == taken:
            continue
        after = extents[i + 1] if i + 1 < len(extents) else None
        if (
            after is not None
            and after.sign != extent.sign
            and after.peak - extent.peak <= SHIFTED_LOBE_PIXELS
            and after.start - extent.stop <= 1
            and abs(area[i] + area[i + 1])
            < SHIFTED_LOBE_BALANCE * (abs(area[i]) + abs(area[i + 1]))
        ):
            larger = extent if abs(area[i]) >= abs(area[i + 1]) else after
            out.append(Extent(extent.start, after.stop, larger.peak, 0))
            taken = i + 1
        else:
            out.append(extent)
    return out


def _kind(seen: Contrast, extent: Extent, noise: NDArray[np.float64]) -> Kind:
    wavelength = seen.grid.wavelength
    if wavelength[extent.stop - 1] - wavelength[extent.start] > BROAD_ANGSTROM:
        return "broad"
    if extent.sign == 0:
        return "shifted"
    p = extent.peak
    low, high = np.percentile(-seen.difference[:, p].astype(np.float64), [5, 95])
    if low < -noise[p] and high > noise[p]:
        return "changes sign"
    if extent.sign < 0:
        return "too strong"
    own, whole = (
        _line_depth(1 - flux.mean(axis=0), extent) for flux in (seen.emulated, seen.adapted)
    )
    return "missing" if own < MISSING_DEPTH_RATIO * whole else "too weak"


def _shift(seen: Contrast, extent: Extent) -> float | None:
    """Return how far a line is shifted, adapted minus emulated, in angstrom; None if unknown.

    A shift by d changes the flux F by -d dF/dwavelength: d by least squares over the feature
    and the mean of the stars.
    """
    reach = slice(max(extent.start - 2, 0), extent.stop + 2)
    wavelength = seen.grid.wavelength[reach]
    emulated, adapted = (
        flux.mean(axis=0)[reach].astype(np.float64) for flux in (seen.emulated, seen.adapted)
    )
    slope = np.gradient(emulated, wavelength)
    change = adapted - emulated
    power = float((slope**2).sum())
    return round(-float((change * slope).sum()) / power, 4) if power > 0 else None


def _line_depth(absorption: NDArray[np.float32], extent: Extent, reach: int = 6) -> float:
    """Return how far a line at a feature rises above what is on both sides of it."""
    low, high = max(extent.peak - reach, 0), extent.peak + reach + 1
    top = absorption[extent.peak]
    sides = absorption[low : extent.peak + 1].min(), absorption[extent.peak : high].min()
    return max(0.0, float(top - max(sides)))
