"""Stars of a session: what was read of a file, and what a fit made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.bundle import Bundle, Model
from ...core.fitting.fit import Fitter
from ...core.fitting.result import LabelFits
from ...core.fitting.settings import FitSettings, Kind
from ...core.fitting.star_fits import SPECTRA, StarFits, fit_stars, fitters
from ...core.fitting.stars import Star, first_spectra, read_stars
from ...core.spectra import Spectra
from ..state.label_text import decimals
from .messages import sentence_of

Stage = Literal["waiting", "fitted", "stopped", "failed", "unreadable"]
"""How far a star has come."""

KINDS: tuple[Kind, ...] = tuple(SPECTRA)
"""Fits in the order in which they are shown: raw, adapted."""


UNTRUSTED = frozenset({"unreadable", "not_fitted", "not_converged"})
"""Flags of fits whose labels move no sliders; others say what is doubtful about the labels."""


@dataclass(frozen=True)
class FitPlan:
    """Which fits to make, and how.

    Parameters
    ----------
    kinds : tuple of {"emulated", "adapted"}
        Spectra of the model that are fitted.
    settings : FitSettings
        All else.
    """

    kinds: tuple[Kind, ...] = KINDS
    settings: FitSettings = field(default_factory=FitSettings)


@dataclass(frozen=True)
class FittedStar:
    """A star with its fits, once there are any.

    Parameters
    ----------
    star : Star
        The star; its first spectrum is fitted.
    stage : str
        How far it has come.
    fits : dict
        One-row :class:`LabelFits` by kind.
    shown : Spectra or None
        The spectrum as it was fitted: normalised, at rest by whole pixels, on the grid
        of the model.
    problem : str
        Why there is no fit, as a sentence; empty if there is one.
    serial : int
        Tells a file from one of the same name that was dropped later.
    """

    star: Star
    stage: Stage = "waiting"
    fits: dict[Kind, LabelFits] = field(default_factory=dict)
    shown: Spectra | None = None
    problem: str = ""
    serial: int = 0

    @property
    def key(self) -> str:
        """Names the row: file and place in the file."""
        return f"{self.star.file}#{self.star.row}"

    @property
    def best(self) -> LabelFits | None:
        """The adapted fit, the raw one if there is no other, or None."""
        return self.fits.get("adapted") or self.fits.get("emulated")

    @property
    def fitted(self) -> bool:
        """True if there are labels to show."""
        return self.best is not None and bool(self.best.fitted[0])

    @property
    def trusted(self) -> bool:
        """True if its labels are worth showing: there are some, and the fit came to an end."""
        best = self.best
        return (
            self.stage == "fitted"
            and best is not None
            and self.fitted
            and bool(np.isfinite(best.labels[0]).all())
            and not UNTRUSTED.intersection(best.flags[0])
        )


def arrived(stars: Iterable[Star]) -> list[FittedStar]:
    """Return stars that were read, as they wait for their fits."""
    return [
        FittedStar(star, "unreadable" if star.error else "waiting", problem=star.error)
        for star in stars
    ]


def read_file(name: str, content: bytes | Path) -> list[FittedStar]:
    """Read the stars of a file; one that cannot be read becomes a star that says why."""
    try:
        stars = read_stars([(name, content)], apart=True)
    except Exception as problem:
        return [unreadable(name, sentence_of(problem))]
    return arrived(stars)


def unreadable(name: str, sentence: str, row: int = 0) -> FittedStar:
    """Return a star for a file that there is no spectrum of."""
    return FittedStar(Star.unreadable(name, sentence, row), "unreadable", problem=sentence)


def fit_batch(
    by_kind: dict[Kind, Fitter],
    stars: Sequence[FittedStar],
    progress: Callable[[int, int], None] | None = None,
) -> list[FittedStar]:
    """Fit a few stars at a time.

    A star that makes the others fail is fitted, and fails, alone.
    """
    chosen = [s.star for s in stars]
    try:
        found = fit_stars(by_kind, chosen, progress)
        ready = next(iter(by_kind.values())).prepare(first_spectra(chosen)).spectra
    except Exception as problem:
        if len(stars) > 1:
            return [one for star in stars for one in fit_batch(by_kind, [star], progress)]
        return [replace(stars[0], stage="failed", fits={}, problem=sentence_of(problem))]
    return [
        replace(
            star,
            stage="fitted",
            fits={kind: one_row(fits, i) for kind, fits in found.fits.items()},
            shown=ready[i],
            problem="",
        )
        for i, star in enumerate(stars)
    ]


def one_row(fits: LabelFits, row: int) -> LabelFits:
    """Return one star of a set of fits, as a set of one."""

    def part(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value[row : row + 1].copy()
        return value[row : row + 1] if isinstance(value, list | tuple) else value

    return LabelFits(**{f.name: part(getattr(fits, f.name)) for f in fields(LabelFits)})


def _joined(parts: Sequence[LabelFits]) -> LabelFits:
    """Return sets of fits as one; fitted split latents are left out."""

    def whole(name: str) -> Any:
        values = [getattr(p, name) for p in parts]
        if isinstance(values[0], np.ndarray):
            return np.concatenate([v[:, :0] for v in values] if name == "split" else values)
        if isinstance(values[0], list | tuple):
            return type(values[0])(x for v in values for x in v)
        return values[0]

    return LabelFits(**{f.name: whole(f.name) for f in fields(LabelFits)})


def collected(stars: Iterable[FittedStar], model: Model) -> StarFits:
    """Return all stars with their fits; what was not fitted has rows without values.

    Parameters
    ----------
    stars : iterable of FittedStar
        At least one.
    model : Model
        Gives the labels and the grid.
    """
    every = list(stars)
    kinds: Sequence[Kind] = [k for k in KINDS if any(k in s.fits for s in every)] or ["adapted"]

    def of(star: FittedStar, kind: Kind) -> LabelFits:
        return star.fits.get(kind) or LabelFits.empty(
            (star.star.id,), model.labels, FitSettings(spectrum=kind), model.grid.n_pixels
        )

    return StarFits(
        tuple(
            replace(s.star, error=s.star.error or s.problem, id=s.star.id or s.star.file)
            if s.stage == "unreadable"
            else replace(s.star, notes=(*s.star.notes, s.problem) if s.problem else s.star.notes)
            for s in every
        ),
        {kind: _joined([of(s, kind) for s in every]) for kind in kinds},
    )


def shown_labels(star: FittedStar) -> dict[str, float]:
    """Return the labels of a fitted star, rounded as they are shown."""
    best = star.best
    if best is None:
        return {}
    return {
        label.name: round(float(value), decimals(label))
        for label, value in zip(best.label_set.labels, best.labels[0], strict=True)
    }


def without_continuum(star: FittedStar, model: Model) -> Spectra | None:
    """Return the spectrum of a fitted star, divided by the polynomials of its fit.

    So it can be laid over the plain model spectrum. The polynomials are those that lead
    from the model at the fitted labels to the fit, chip by chip.
    """
    fits = star.best
    if fits is None or star.shown is None:
        return None
    spectrum = model.adapt if "adapted" in star.fits else model.emulate
    plain = np.asarray(spectrum(fits.labels[0]), np.float64).reshape(-1)
    ratio = np.asarray(fits.model[0], np.float64) / np.maximum(plain, 0.05)
    smooth: NDArray[np.float32] = np.ones(ratio.shape, np.float32)
    for chip in model.grid.chips:
        x = np.linspace(-1, 1, len(chip))
        degree = max(0, fits.settings.degree)
        series = np.polynomial.Chebyshev.fit(x, ratio[chip.pixels], degree, w=plain[chip.pixels])
        smooth[chip.pixels] = np.maximum(series(x), 0.05)
    shown = star.shown
    return Spectra(
        shown.grid,
        shown.flux / smooth,
        shown.ivar * smooth**2,
        shown.ids,
        columns=shown.columns,
        provenance=shown.provenance,
    )


_LOCK = Lock()
_MAX_FITTERS = 8
"""Fitters that are kept for all sessions together."""

_fitters: dict[tuple[int, Kind, str], tuple[Bundle, Fitter]] = {}


def fitters_of(bundle: Bundle, plan: FitPlan) -> dict[Kind, Fitter]:
    """Return what fits as planned, shared by all sessions.

    The first time takes about a second per kind: what reads starts off spectra is trained.

    Raises
    ------
    FitError
        If the bundle cannot fit, or not with these settings.
    """
    with _LOCK:
        out: dict[Kind, Fitter] = {}
        for kind in plan.kinds:
            # The bundle is kept with its fitter, so that its id is not given away.
            key = (id(bundle), kind, repr(plan.settings))
            if key not in _fitters:
                while len(_fitters) >= _MAX_FITTERS:
                    del _fitters[next(iter(_fitters))]
                _fitters[key] = (bundle, fitters(bundle, [kind], plan.settings)[kind])
            out[kind] = _fitters[key][1]
        return out
