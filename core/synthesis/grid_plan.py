"""What a grid is made of: stars, pixels, lines and atmospheres, in a form to send around."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atmosphere import read_atmospheres, shipped_atmospheres
from ..errors import SynthesisError
from ..labels.diagram_draws import STAR_LABELS
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..linelist import LineList, read_lines, shipped_lines
from ..spectra.wavelength import APSTAR_GRID, LARGEST_GRID, SPEED_OF_LIGHT, WavelengthGrid
from .label_draws import KINDS, LabelDraw, ListedStars, RandomStars
from .pruning import prune
from .sme import SmeSimulator

MIN_PIXELS = 20
"""Pixels of a grid, at least."""


@dataclass(frozen=True)
class GridPlan:
    """Everything that a synthetic grid follows from; the same plan gives the same file.

    Parameters
    ----------
    n : int, optional
        Number of stars; the rows of the table for ``list``.
    draw : {"stars", "mixed", "giants", "box", "catalogue", "list"}
        Where labels come from: see :mod:`~spectrabridge.core.synthesis.label_draws`.
    seed : int
        Of the draw.
    table : str, optional
        File of labels for ``catalogue`` and ``list``.
    range : tuple of float, optional
        Wavelengths to compute, vacuum angstrom; the whole apStar grid if not given.
    pixel : float, optional
        Width of pixels in km/s, for a grid of one's own over `range`; pixels of the apStar
        grid if not given.
    resolution : float
        Of the instrument.
    lines : str, optional
        A user's line list.
    medium : str, optional
        Of its wavelengths, if it does not say.
    lines_format : str, optional
        Its format, if it cannot be told: see :func:`~spectrabridge.core.linelist.read_lines`.
    atmospheres : str, optional
        A user's folder of model atmospheres.
    prune : float, optional
        Leave out lines whose opacity is nowhere above this part of the continuum's.
    step, accuracy : float
        Of the synthesis.

    Examples
    --------
    >>> plan = GridPlan(n=100, range=(15700.0, 15720.0), seed=3)
    >>> plan.size(), plan.grid.n_pixels
    (100, 92)
    """

    n: int | None = None
    draw: str = "mixed"
    seed: int = 0
    table: str | None = None
    range: tuple[float, float] | None = None
    pixel: float | None = None
    resolution: float = 22_500.0
    lines: str | None = None
    medium: str | None = None
    lines_format: str | None = None
    atmospheres: str | None = None
    prune: float | None = None
    step: float = 0.05
    accuracy: float = 1e-4

    @property
    def label_set(self) -> LabelSet:
        """Labels of the stars, with the ranges that they are drawn from."""
        return STAR_LABELS if self.draw == "stars" else APOGEE_LABELS

    @property
    def grid(self) -> WavelengthGrid:
        """Pixels of the spectra.

        Raises
        ------
        SynthesisError
            If the range holds less than 20 pixels, or absurdly many.
        """
        if self.range is None:
            return APSTAR_GRID
        if self.pixel is not None:
            return self._own_pixels(*self.range, self.pixel)
        wave = APSTAR_GRID.wavelength
        inside = (wave >= self.range[0]) & (wave <= self.range[1])
        if inside.sum() < MIN_PIXELS:
            raise SynthesisError(
                f"The range {self.range[0]:g} to {self.range[1]:g} angstrom holds {inside.sum()} "
                f"pixels; expected at least {MIN_PIXELS} between {wave[0]:.0f} and "
                f"{wave[-1]:.0f}. Elsewhere say how wide pixels are (--pixel)."
            )
        return WavelengthGrid(wave[inside], name="part of apStar")

    @staticmethod
    def _own_pixels(low: float, high: float, pixel: float) -> WavelengthGrid:
        step = float(np.log10(1 + pixel / SPEED_OF_LIGHT))
        n = int(np.log10(high / low) / step) + 1 if 100 < low < high else 0
        if not MIN_PIXELS <= n <= LARGEST_GRID:
            raise SynthesisError(
                f"The range {low:g} to {high:g} angstrom holds {n} pixels of {pixel:g} km/s; "
                f"expected {MIN_PIXELS} to {LARGEST_GRID}. Give the lower end first, in vacuum "
                "angstrom."
            )
        return WavelengthGrid.log_linear(float(np.log10(low)), step, n, name="own pixels")

    def stars(self) -> LabelDraw:
        """Return what gives the labels of each star."""
        if self.draw in KINDS:
            return RandomStars(self.draw, self.seed, self.label_set)
        if self.draw not in ("catalogue", "list"):
            raise SynthesisError(
                f"Draws are {', '.join(KINDS)}, catalogue and list; found {self.draw!r}."
            )
        if self.table is None:
            raise SynthesisError(f"A draw from a {self.draw} needs the table of stars.")
        seed = self.seed if self.draw == "catalogue" else None
        return ListedStars(self.table, seed, self.label_set)

    def size(self) -> int:
        """Return the number of stars.

        Raises
        ------
        SynthesisError
            If it is not given, or larger than a list.
        """
        stars = self.stars()
        if isinstance(stars, ListedStars) and self.draw == "list":
            if self.n is not None and self.n > len(stars):
                raise SynthesisError(f"{stars.name} has {len(stars)} rows; {self.n} were asked.")
            return self.n or len(stars)
        if self.n is None or self.n < 1:
            raise SynthesisError("Say how many spectra to make; at least 1.")
        return self.n

    def line_list(self) -> LineList:
        """Return the lines, before pruning."""
        if not self.lines:
            return shipped_lines()
        return read_lines(self.lines, self.medium, self.lines_format)

    def fingerprint(self) -> str:
        """Return a short text that changes with the plan or the content of its files."""
        files = []
        for name in (self.table, self.lines):
            files.append(hashlib.sha256(Path(name).read_bytes()).hexdigest() if name else "")
        if self.atmospheres:
            files += [
                f"{f.name} {f.stat().st_size}" for f in sorted(Path(self.atmospheres).iterdir())
            ]
        text = json.dumps([self.facts(), files])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def facts(self) -> dict[str, Any]:
        """Return the plan for provenance; paths are cut to names of files."""
        return {
            "draw": self.draw,
            "n": self.size(),
            "seed": self.seed,
            "table": Path(self.table).name if self.table else None,
            "range": list(self.range) if self.range else None,
            "pixel": self.pixel,
            "resolution": self.resolution,
            "lines": Path(self.lines).name if self.lines else "shipped",
            "medium": self.medium,
            "lines_format": self.lines_format,
            "atmospheres": Path(self.atmospheres).name if self.atmospheres else "shipped",
            "prune": self.prune,
            "step": self.step,
            "accuracy": self.accuracy,
        }

    def with_absolute_paths(self) -> GridPlan:
        """Return the plan for a process that works in another folder."""
        return replace(
            self,
            table=_absolute(self.table),
            lines=_absolute(self.lines),
            atmospheres=_absolute(self.atmospheres),
        )

    def simulator(self) -> SmeSimulator:
        """Return the simulator, with its lines pruned if that was asked for."""
        atmospheres = (
            read_atmospheres(self.atmospheres) if self.atmospheres else shipped_atmospheres()
        )
        simulator = SmeSimulator(
            self.grid,
            self.label_set,
            self.line_list(),
            atmospheres,
            resolution=self.resolution,
            step=self.step,
            accuracy=self.accuracy,
        )
        return prune(simulator, self.prune) if self.prune else simulator


def _absolute(name: str | None) -> str | None:
    return str(Path(name).resolve()) if name else None


@lru_cache(maxsize=1)
def ready(plan: GridPlan) -> tuple[SmeSimulator, LabelDraw]:
    """Return what a process works with, made once."""
    return plan.simulator(), plan.stars()


def compute_star(plan: GridPlan, index: int) -> tuple[NDArray[np.float32] | None, str, float]:
    """Compute one spectrum of a grid; runs in any process.

    Returns
    -------
    flux : ndarray of float32, shape ``(n_pixels,)``, or None
        None if the star cannot be computed.
    failure : str
        Why not; empty if it was.
    seconds : float
        Processor time of the synthesis, without what is made once.
    """
    from ..errors import SpectrabridgeError

    simulator, stars = ready(plan)
    _, labels = stars(index)
    why = simulator.outside(labels)
    if why:
        return None, why, 0.0
    start = time.thread_time()
    flux, failure = None, ""
    try:
        flux = simulator(labels).astype(np.float32)
    except SpectrabridgeError as problem:
        failure = str(problem)
    except (RuntimeError, ValueError, FloatingPointError) as problem:
        failure = f"{type(problem).__name__}: {problem}"
    return flux, failure, time.thread_time() - start
