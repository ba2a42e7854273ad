"""Observed stars that are open in a session: read in the background, the same on all pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import param

from ...core.errors import SpectrumError
from ...core.spectra import Spectra, WavelengthGrid
from ..state.view_state import ViewState
from .background import Job
from .component import Component

if TYPE_CHECKING:
    # Readers of files are loaded when the first file comes: the first screen need not wait.
    from ...core.fitting.stars import Star

MAX_SPECTRA = 500
"""Spectra of one file that are kept in a session; each takes about 0.07 MB."""

OnProblem = Callable[[str | BaseException], None]
"""Called with a sentence, or an exception that has one, about a file that cannot be used."""

_FORMATS = {"table": "table", "npz": "npz file", "spectra": "file of spectra"}


@dataclass(frozen=True, eq=False)
class OpenFile:
    """The stars of a file, and all their spectra in one list.

    Parameters
    ----------
    name : str
        Name of the file.
    stars : tuple of Star
        At least one.
    spectra : tuple of (Star, int)
        Each spectrum as its star and its place in it.
    titles : tuple of str
        What each spectrum is.
    notes : tuple of str
        What was read, and what a user should know about it, one sentence each.
    """

    name: str
    stars: tuple[Star, ...]
    spectra: tuple[tuple[Star, int], ...]
    titles: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, stars: Sequence[Star]) -> OpenFile:
        """Return the file that some stars come from; more than :data:`MAX_SPECTRA` are left out."""
        every = [(star, row) for star in stars for row in range(len(star.spectra))]
        spectra = every[:MAX_SPECTRA]
        kept = tuple(dict.fromkeys(star for star, _ in spectra))
        several = len(stars) > 1
        titles = tuple(
            f"{star.id}, {star.title(row)}" if several else star.title(row) for star, row in spectra
        )
        notes = [*_read(stars, len(every)), *dict.fromkeys(n for s in kept for n in s.notes)]
        if len(every) > len(spectra):
            notes.append(f"The first {MAX_SPECTRA} spectra can be chosen here; fit has them all.")
        return cls(stars[0].file, kept, tuple(spectra), titles, tuple(notes))

    @property
    def title(self) -> str:
        """What to call it: its star, or its own name if it holds several."""
        return self.stars[0].id if len(self.stars) == 1 else self.name


def _read(stars: Sequence[Star], n_spectra: int) -> list[str]:
    """Return what was read, as a sentence; none for stars that come from no file."""
    kind = stars[0].format
    if not kind:
        return []
    what = f"{n_spectra} spectra" if n_spectra > 1 else "1 spectrum"
    if len(stars) > 1:
        what = f"{len(stars)} stars"
    return [f"Read as {_FORMATS.get(kind, kind)}: {what}."]


Reading = tuple[Callable[[], "Sequence[Star]"], int, OnProblem]
"""What makes stars, which of their spectra to choose, and who is told of problems."""


class OpenStars(Component, param.Parameterized):
    """Observed stars by file, and the one that the state names.

    Parameters
    ----------
    state : ViewState
        Its `star` and `row` name the spectrum that is laid over the model. A new state may take
        its place, as when another bundle is opened.
    on_problem : callable
        See :data:`OnProblem`.
    """

    opened = param.Integer(default=0, doc="Counts files that have been opened.")

    def __init__(self, state: ViewState, on_problem: OnProblem) -> None:
        super().__init__()
        self.state = state
        self._on_problem = on_problem
        self.files: dict[str, OpenFile] = {}
        """Opened files by name, in the order of opening."""
        self._laid: tuple[Star, int, WavelengthGrid, Spectra] | None = None
        self._reading: Job[Reading, OpenFile | Exception] = self.job(
            _open, self._opened, "files", on_problem, every=True
        )

    # Coming in

    def receive(self, name: str, source: bytes | Path, on_problem: OnProblem | None = None) -> None:
        """Read a file of any format that is known, keep its stars, and choose the first.

        Parameters
        ----------
        name : str
            What users call the file; an earlier file of that name is replaced.
        source : bytes or path
            The file.
        on_problem : callable, optional
            Told in place of the usual one if the file cannot be used.
        """

        def read() -> Sequence[Star]:
            from ...core.fitting.stars import read_stars

            stars = read_stars([(name, source)], apart=True)
            if stars[0].error:
                raise SpectrumError(stars[0].error)
            return stars

        self.bring(read, on_problem=on_problem)

    def open_example(self, row: int = 0) -> None:
        """Open the star that comes with the package, and choose one of its spectra."""
        from ...core.fitting.stars import read_stars
        from ...core.io.apstar import example_apstar

        self.bring(lambda: read_stars([example_apstar()]), row)

    def bring(
        self, make: Callable[[], Sequence[Star]], row: int = 0, on_problem: OnProblem | None = None
    ) -> None:
        """Make stars in the background, keep them, and choose one of their spectra."""
        self._reading.submit((make, row, on_problem or self._on_problem))

    def _opened(self, asked: Reading, found: OpenFile | Exception) -> None:
        _, row, tell = asked
        if isinstance(found, Exception):
            tell(found)
        else:
            self._keep(found, row)

    def add(self, *stars: Star, row: int = 0) -> None:
        """Keep the stars of one file and choose one of their spectra."""
        self._keep(OpenFile.of(stars), row)

    def _keep(self, file: OpenFile, row: int) -> None:
        self.files[file.name] = file
        self.state.param.update(star=file.name, row=row)
        self.opened += 1

    # What is chosen

    @property
    def chosen(self) -> tuple[Star, int] | None:
        """The star that the state names and which of its spectra; None without one."""
        file = self.files.get(self.state.star)
        return None if file is None else file.spectra[min(self.state.row, len(file.spectra) - 1)]

    @property
    def title(self) -> str:
        """Name of the chosen star, empty without one."""
        return "" if self.chosen is None else self.chosen[0].id

    def laid_over(self, grid: WavelengthGrid) -> Spectra | None:
        """Return the chosen spectrum, normalised, on the grid of a model; None without one.

        The same object is returned until another one is chosen.

        Raises
        ------
        GridError
            If the star cannot be laid over models of this grid.
        """
        if self.chosen is None:
            return None
        star, row = self.chosen
        if self._laid is None or self._laid[0] is not star or self._laid[1:3] != (row, grid):
            self._laid = (star, row, grid, star.normalised(grid, row))
        return self._laid[3]


def _open(asked: Reading) -> OpenFile | Exception:
    """Return the file that is read, or why it cannot be used: whoever asked is to be told."""
    try:
        return OpenFile.of(asked[0]())
    except Exception as problem:
        return problem
