"""Observed stars that are open in a session: read in the background, the same on all pages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import param

from ...core.errors import SpectrumError
from ...core.spectra import Spectra, WavelengthGrid
from ..state.view_state import ViewState
from .background import Job
from .component import Component
from .messages import sentence_of

if TYPE_CHECKING:
    # Readers of files are loaded when the first file comes: the first screen need not wait.
    from ...core.fitting.stars import Star

MAX_FILES = 500
"""Files that are open in a session at a time."""

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
            notes.append(
                f"The first {MAX_SPECTRA} spectra can be chosen and fitted here; "
                "`spectrabridge fit` takes them all."
            )
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


@dataclass(frozen=True, eq=False)
class Reading:
    """A file to read.

    Parameters
    ----------
    make : callable
        Makes its stars.
    name : str
        What users call the file; empty for stars that are made otherwise.
    row : int
        Which of its spectra to choose.
    tell : callable
        Told if it cannot be used.
    batch : hashable, optional
        What came together: only the first of it that can be read is chosen. None is chosen in
        any case.
    """

    make: Callable[[], Sequence[Star]]
    name: str
    row: int
    tell: OnProblem
    batch: Hashable | None = None


Arrival = Callable[[str, "OpenFile | None", str], None]
"""Called with the name of a file, what was read, or else None and a sentence that says why."""


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

    opened = param.Integer(default=0, doc="Counts changes of the files that are open.")

    def __init__(self, state: ViewState, on_problem: OnProblem) -> None:
        super().__init__()
        self.state = state
        self._on_problem = on_problem
        self.files: dict[str, OpenFile] = {}
        """Opened files by name, in the order of opening."""
        self._laid: tuple[Star, int, WavelengthGrid, Spectra] | None = None
        self.on_coming: Callable[[], None] = lambda: None
        """Called when a file is going to be read."""
        self.on_arrival: Arrival = lambda name, file, sentence: None
        """Called for each of these files, before it is chosen."""
        self._chosen_of: Hashable | None = None
        self._awaited: tuple[str, int] | None = None
        self._forgotten: set[Reading] = set()
        self._under_way: set[Reading] = set()
        self._reading: Job[Reading, OpenFile | Exception] = self.job(
            _open, self._opened, "files", on_problem, every=True
        )

    # Coming in

    def receive(
        self,
        name: str,
        source: bytes | Path,
        on_problem: OnProblem | None = None,
        batch: Hashable | None = None,
    ) -> None:
        """Read a file of any format that is known, keep its stars, and choose the first.

        Parameters
        ----------
        name : str
            What users call the file; an earlier file of that name is replaced.
        source : bytes or path
            The file.
        on_problem : callable, optional
            Told in place of the usual one if the file cannot be used.
        batch : hashable, optional
            Names the files that came together: only the first of them that can be read is
            chosen.
        """

        def read() -> Sequence[Star]:
            from ...core.fitting.stars import read_stars

            if name not in self.files and len(self.files) >= MAX_FILES:
                raise SpectrumError(
                    f"{name} was left out: {MAX_FILES} files are open, the most that a page keeps. "
                    "Clear them on the Fit page, or fit large sets with `spectrabridge fit`."
                )
            stars = read_stars([(name, source)], apart=True)
            if stars[0].error:
                raise SpectrumError(stars[0].error)
            return stars

        self._submit(Reading(read, name, 0, on_problem or self._on_problem, batch))

    def open_example(self, row: int = 0) -> None:
        """Open the star that comes with the package, and choose one of its spectra."""
        from ...core.fitting.stars import read_stars
        from ...core.io.apstar import example_apstar

        self.bring(lambda: read_stars([example_apstar()]), row)

    def bring(
        self, make: Callable[[], Sequence[Star]], row: int = 0, on_problem: OnProblem | None = None
    ) -> None:
        """Make stars in the background, keep them, and choose one of their spectra."""
        self._submit(Reading(make, "", row, on_problem or self._on_problem))

    def _submit(self, reading: Reading) -> None:
        self._under_way.add(reading)
        self.on_coming()
        self._reading.submit(reading)

    def _opened(self, asked: Reading, found: OpenFile | Exception) -> None:
        self._under_way.discard(asked)
        if asked in self._forgotten:
            self._forgotten.discard(asked)
        elif isinstance(found, Exception):
            if self.files.pop(asked.name, None) is not None and self.state.star == asked.name:
                self.state.param.update(star="", row=0)
            self.on_arrival(asked.name, None, sentence_of(found))
            asked.tell(found)
        else:
            self._keep(found, asked.row, asked.batch)

    def add(self, *stars: Star, row: int = 0) -> None:
        """Keep the stars of one file and choose one of their spectra."""
        self.on_coming()
        self._keep(OpenFile.of(stars), row)

    def wait_for(self, name: str, row: int = 0) -> None:
        """Choose a spectrum of a file when it is opened, whatever else comes with it."""
        self._awaited = (name, row)

    def clear(self) -> None:
        """Close all files, those that are being read as well."""
        self._forgotten |= self._under_way
        self.files.clear()
        self.state.param.update(star="", row=0)
        self.opened += 1

    def _keep(self, file: OpenFile, row: int, batch: Hashable | None = None) -> None:
        self.files[file.name] = file
        self.on_arrival(file.name, file, "")
        awaited = self._awaited is not None and self._awaited[0] == file.name
        if self._awaited is not None and awaited:
            row, self._awaited = self._awaited[1], None
        if awaited or batch is None or batch != self._chosen_of:
            self._chosen_of = batch
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
        return OpenFile.of(asked.make())
    except Exception as problem:
        return problem
