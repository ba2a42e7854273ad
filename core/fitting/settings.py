"""What is fitted, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ..errors import FitError
from .windows import Window

Kind = Literal["adapted", "emulated"]
Prior = Literal["population", "none"]
Split = Literal["typical", "encoded", "fitted"]

LEAST_CLIP = 3.0
"""Fewer errors would leave out noise, and bias what is left."""


@dataclass(frozen=True)
class FitSettings:
    """How labels are fitted.

    Parameters
    ----------
    spectrum : {"adapted", "emulated"}
        Which spectrum of the model is fitted: the adapted one, or the plain emulator's.
    prior : {"population", "none"}
        ``population`` draws labels gently to those of the stars that the adaptation was
        trained on: a Gaussian with their mean, and with their covariance times
        `widening`. It keeps labels that a spectrum hardly shows from wandering off.
    widening : float
        See `prior`.
    fixed : mapping of str to float
        Labels that are not fitted, with their values: ``{"vmacro": 4.0}``.
    velocity : bool
        Fit the radial velocity that is left after the spectrum was shifted to rest.
    search : float
        Range, km/s either side, in which a velocity is searched for by cross-correlation
        before the fit; 0 for none. Found shifts are by whole pixels, the rest is fitted.
    degree : int
        Degree of the polynomial per chip that multiplies the spectrum and is solved for
        with it; -1 for none.
    floor : float
        Error added in quadrature, as a part of the continuum: neither line profiles nor
        reductions are better than that. The paper's training sets have 0.005 too
        (O'Briain et al. 2020, authors' loader).
    member_spread : bool
        Add the spread of the ensemble's networks in quadrature to the errors.
    split : {"typical", "encoded", "fitted"}
        Split latents: those typical of the observed stars, those that the network reads
        off each spectrum, or fitted with the labels.
    starts : int
        Points that the fit starts from; the best result counts. The first is read off
        the spectrum, others are drawn from the population.
    iterations : int
        Most derivatives computed per start.
    chunk : int
        Stars fitted at a time; bounds the memory.
    seed : int
        Of further starts.
    clip : float
        Errors above a first fit beyond which pixels, and those beside them, are left out of a
        second one; 0 for none. See :mod:`.clipping`.
    windows : tuple of Window
        Stretches of wavelength that are fitted, or left out; all pixels are if empty. The
        continuum before the fit and the search for a velocity see the whole spectrum.

    Examples
    --------
    >>> settings = FitSettings(prior="none", fixed={"vmacro": 4})
    >>> settings.spectrum, settings.fixed
    ('adapted', {'vmacro': 4.0})
    """

    spectrum: Kind = "adapted"
    prior: Prior = "population"
    widening: float = 3.0
    fixed: Mapping[str, float] = field(default_factory=dict)
    velocity: bool = True
    search: float = 600.0
    degree: int = 4
    floor: float = 0.005
    member_spread: bool = False
    split: Split = "typical"
    starts: int = 1
    iterations: int = 20
    chunk: int = 32
    seed: int = 0
    clip: float = 0.0
    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        choices = {"spectrum": Kind, "prior": Prior, "split": Split}
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                raise FitError(
                    f"{name} must be one of {', '.join(get_args(kind))}; found "
                    f"{getattr(self, name)!r}."
                )
        least = {"starts": 1, "iterations": 1, "chunk": 1, "degree": -1, "floor": 0, "search": 0}
        for name, low in least.items():
            if not getattr(self, name) >= low:
                raise FitError(f"{name} must be {low} or more; found {getattr(self, name)!r}.")
        if not (self.clip == 0 or self.clip >= LEAST_CLIP):
            raise FitError(
                f"clip must be 0 for none, or {LEAST_CLIP:g} errors or more, as noise reaches that "
                f"far; found {self.clip!r}."
            )
        if not self.widening > 0:
            raise FitError(f"widening must be positive; found {self.widening!r}.")
        object.__setattr__(self, "fixed", {k: float(v) for k, v in self.fixed.items()})
