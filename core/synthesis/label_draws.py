"""Which stars a grid holds: labels that follow from a seed and the number of the star."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray

from ..errors import LabelError, SynthesisError
from ..files.tables import read_table
from ..io.table_formats import SUFFIXES
from ..labels import APOGEE_LABELS, LabelSet, canonical, draws
from ..labels.diagram_draws import whole_diagram

KINDS = ("stars", "mixed", "giants", "box")
"""Draws that need no file."""

GIANT_SHARE = 0.6
"""Part of the stars of a mixed draw that are like those of the giant branch."""


class LabelDraw(Protocol):
    """Gives the labels of star `index` of a grid, whatever was asked for before."""

    @property
    def labels(self) -> LabelSet:
        """What the columns are."""

    @property
    def description(self) -> dict[str, Any]:
        """What it draws from, for provenance."""

    def __call__(self, index: int) -> tuple[int, NDArray[np.float64]]:
        """Return the kind of star (0 box or list, else 1) and its labels."""


def _generator(seed: int, index: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, index]).generate_state(1)[0]
    return torch.Generator().manual_seed(int(state))


@dataclass(frozen=True)
class RandomStars:
    """Stars of the whole diagram, of the giant branch, of a box, or 60 % and 40 % of these two.

    Parameters
    ----------
    kind : {"stars", "mixed", "giants", "box"}
        See :func:`~spectrabridge.core.labels.diagram_draws.whole_diagram`,
        :func:`~spectrabridge.core.labels.draws.giant_branch` and
        :func:`~spectrabridge.core.labels.draws.box`.
    seed : int
        0 or more.
    labels : LabelSet
        Gives the ranges.

    Raises
    ------
    SynthesisError
        If the kind is another one or the seed is negative.

    Examples
    --------
    >>> stars = RandomStars("giants", seed=1)
    >>> kind, labels = stars(7)
    >>> kind, labels.shape, bool((labels == RandomStars("giants", seed=1)(7)[1]).all())
    (1, (25,), True)
    """

    kind: str = "mixed"
    seed: int = 0
    labels: LabelSet = field(default_factory=lambda: APOGEE_LABELS)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SynthesisError(f"Draws are {', '.join(KINDS)}; found {self.kind!r}.")
        if self.seed < 0:
            raise SynthesisError(f"The seed must be 0 or more; found {self.seed}.")

    @property
    def description(self) -> dict[str, Any]:
        """What it draws from, for provenance."""
        return {"draw": self.kind, "seed": self.seed}

    def __call__(self, index: int) -> tuple[int, NDArray[np.float64]]:
        """Return the kind of star and its labels."""
        generator = _generator(self.seed, index)
        if self.kind == "stars":
            return 1, whole_diagram(1, generator, self.labels)[0].double().numpy().round(4)
        giant = self.kind == "giants"
        if self.kind == "mixed":
            giant = bool(torch.rand(1, generator=generator) < GIANT_SHARE)
        draw = draws.giant_branch if giant else draws.box
        # Rounding to what matters makes the labels short in tables: 1e-4 dex, 0.01 K.
        return int(giant), draw(1, generator, self.labels)[0].double().numpy().round(4)


class ListedStars:
    """Stars of a table: all of them in order, or drawn from it at random.

    Parameters
    ----------
    path : path
        ECSV, CSV, FITS or VOTable with a column per label; any spelling that
        :func:`~spectrabridge.core.labels.canonical` knows.
    seed : int, optional
        To draw at random, with repetition; labels that the table lacks then come from the
        relations and the scatter of the giant branch. Without a seed rows are taken as
        they are, and the table must have every label.
    labels : LabelSet
        What to look for.

    Raises
    ------
    SynthesisError
        If the table cannot be read or has no usable row.
    LabelError
        If labels are missing.
    """

    def __init__(
        self, path: str | Path, seed: int | None = None, labels: LabelSet = APOGEE_LABELS
    ) -> None:
        path = Path(path)
        self.labels, self.seed, self.name = labels, seed, path.name
        table = _read(path)
        columns = {canonical(name): name for name in table.colnames}
        needed = ("teff", "logg", "Fe") if seed is not None else labels.names
        missing = [name for name in needed if name not in columns]
        if missing:
            raise LabelError(
                f"Expected columns for {', '.join(needed)} in {path.name}; missing: "
                f"{', '.join(missing)}."
            )
        values = np.full((len(table), len(labels)), np.nan)
        for k, label in enumerate(labels.names):
            if label in columns:
                try:
                    column = np.ma.filled(table[columns[label]].astype(float), np.nan)
                except (TypeError, ValueError) as problem:
                    raise LabelError(
                        f"Column {columns[label]} of {path.name} must hold numbers."
                    ) from problem
                values[:, k] = np.where(column <= -999, np.nan, column)
        usable = np.isfinite(values[:, labels.columns(needed)]).all(axis=1)
        if not usable.any():
            raise SynthesisError(f"No row of {path.name} has all of {', '.join(needed)}.")
        self.n_skipped = int((~usable).sum())
        if seed is None and self.n_skipped:
            rows = ", ".join(map(str, np.flatnonzero(~usable)[:10] + 1))
            raise SynthesisError(
                f"{self.n_skipped} rows of {path.name} lack labels (rows {rows}); complete or "
                "drop them."
            )
        self.values = values[usable]
        self.digest = hashlib.sha256(np.ascontiguousarray(self.values).tobytes()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def description(self) -> dict[str, Any]:
        """What it draws from, for provenance."""
        out = {"draw": "catalogue" if self.seed is not None else "list", "file": self.name}
        return out | {"rows": len(self), "content": self.digest, "seed": self.seed}

    def __call__(self, index: int) -> tuple[int, NDArray[np.float64]]:
        """Return the kind of star and its labels."""
        if self.seed is None:
            if not 0 <= index < len(self):
                raise SynthesisError(f"{self.name} has {len(self)} rows; row {index + 1} is none.")
            return 0, self.values[index].copy()
        generator = _generator(self.seed, index)
        row = int(torch.randint(len(self), (1,), generator=generator))
        star = self.values[row].copy()
        return 1, self._completed(star, generator).round(4)

    def _completed(
        self, star: NDArray[np.float64], generator: torch.Generator
    ) -> NDArray[np.float64]:
        """Fill in what a catalogue does not say, as a star of the giant branch has it."""
        if np.isfinite(star).all():
            return star
        giant = draws.giant_branch(1, generator, self.labels)[0].double().numpy()
        at = self.labels.index
        logg, iron = star[at("logg")], star[at("Fe")]
        change = {name: giant[at(name)] for name in ("vturb", "c12c13", "vmacro")}
        change["vturb"] += -0.325 * (logg - giant[at("logg")])
        change["vmacro"] *= 10 ** (
            -0.0998 * (logg - giant[at("logg")]) - 0.225 * (iron - giant[at("Fe")])
        )
        for k, label in enumerate(self.labels):
            if np.isfinite(star[k]):
                continue
            over = giant[k] - giant[at("Fe")] + iron
            star[k] = over if label.element else change[label.name]
            star[k] = np.clip(star[k], label.low, label.high)
        return star


def _read(path: Path) -> Table:
    if not path.is_file():
        raise SynthesisError(f"There is no file {path}.")
    form = SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise SynthesisError(
            f"Tables of labels are {', '.join(SUFFIXES)} files; found {path.name}."
        )
    return read_table(path, form.astropy, path.name, error=SynthesisError)
