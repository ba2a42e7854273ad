"""Decisions about candidate features, kept in a file as they are made.

Every change is a row of its own that is never altered: what counts is the last row of a
vetter and a feature, and undoing adds one more.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from ..errors import LinesError
from ..lines.candidate import Candidate
from .decision import (
    Decision,
    Status,
    checked_comment,
    checked_element,
    checked_status,
    checked_vetter,
    now,
)
from .unmatched import Orphan, nearest_within
from .vetting_file import connect, default_folder, in_words, read_about

Outcome = Literal["written", "same", "kept"]
"""What became of a decision that was made elsewhere."""


class _OfBundle(Protocol):
    """Candidates of a bundle: anything that says which."""

    @property
    def bundle(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...


def open_vetting(
    path: str | Path, of: _OfBundle | tuple[str, str] | None, *, read_only: bool = False
) -> Vetting:
    """Open a file of decisions, or begin one.

    Parameters
    ----------
    path : path
        An SQLite file. Its folder must exist, unless it is that of
        :func:`~spectrabridge.core.vetting.vetting_file.default_vetting_path`.
    of : Candidates, or pair of bundle name and fingerprint, or None
        The bundle that decisions are about. None, with `read_only`, takes the file's word.
    read_only : bool
        Only read: the file must exist and stays as it is.

    Raises
    ------
    LinesError
        If the file is about another bundle, is no vetting file, or cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "lines.sqlite"
    >>> with open_vetting(path, ("toy", "0123456789abcdef")) as vetting:
    ...     vetting.bundle, vetting.vetters()
    ('toy', [])
    """
    path = Path(path).expanduser()
    if of is None:
        if not read_only:
            raise LinesError(f"Say which bundle the decisions in {path} are about.")
        about = {}
    else:
        bundle, fingerprint = of if isinstance(of, tuple) else (of.bundle, of.fingerprint)
        about = {"bundle": str(bundle), "fingerprint": str(fingerprint)}
    if path.parent == default_folder():
        path.parent.mkdir(parents=True, exist_ok=True)
    return Vetting(path, connect(path, about, read_only), read_only)


class Vetting:
    """An open file of decisions; see :func:`open_vetting`.

    It can be used by several threads, and the file by several programs at once.

    Attributes
    ----------
    path : Path
        The file.
    bundle, fingerprint : str
        What it is about.
    read_only : bool
        Whether decisions are refused.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._connection = connection
        self._lock = threading.RLock()
        self._closed = False
        with in_words(path, "the vetting file cannot be read"):
            about = read_about(connection)
        self.bundle, self.fingerprint = about["bundle"], about["fingerprint"]
        self._inode = self._where()

    # ------------------------------------------------------------------ deciding

    def decide(
        self,
        candidate: Candidate,
        vetter: str,
        status: str | None = None,
        element: str | None = None,
        comment: str | None = None,
    ) -> Decision:
        """Write what a vetter says about a candidate, and return it once it is on the disk.

        What is None stays as it was. If nothing changes, nothing is written.

        Parameters
        ----------
        candidate : Candidate
            Of the file's bundle.
        vetter : str
            Who decides.
        status : str, optional
            ``accepted``, ``rejected``, ``unsure``, or empty for open again.
        element : str, optional
            See :func:`~spectrabridge.core.vetting.decision.checked_element`.
        comment : str, optional
            Free text.

        Raises
        ------
        LinesError
            If the candidate is another bundle's, a value is not allowed, or the decision
            cannot be written; the file is then as before.
        """
        vetter = checked_vetter(vetter)
        given: dict[str, Any] = {}
        if status is not None:
            given["status"] = checked_status(status)
        if element is not None:
            given["element"] = checked_element(element)
        if comment is not None:
            given["comment"] = checked_comment(comment)
        if not candidate.id.startswith(f"{self.fingerprint[:8]}-"):
            raise LinesError(
                f"Candidate {candidate.id} is not of bundle {self.bundle} "
                f"({self.fingerprint[:8]}), which {self.path} is about; nothing was decided."
            )
        with self._writing(f"the decision about {candidate.id} was not kept"):
            before = self._last(candidate.id, vetter)
            after = replace(before or _blank(candidate, vetter), **given)
            if after.says(before or _blank(candidate, vetter)):
                return after
            after = replace(
                after,
                wavelength=candidate.wavelength,
                low=candidate.low,
                high=candidate.high,
                when=now(),
            )
            self._insert(after)
            return after

    def record(self, decisions: Iterable[Decision], *, replace_existing: bool) -> list[Outcome]:
        """Write decisions made elsewhere, all or none, with their own times.

        Parameters
        ----------
        decisions : iterable of Decision
            Each is checked as in :meth:`decide`.
        replace_existing : bool
            Whether they count more than what the same vetter says here about the same
            candidate; that stays in the history.

        Returns
        -------
        list of str
            For each: ``written``; ``same`` if that is said here already; ``kept`` if
            something else is said here, which was left.
        """
        outcomes: list[Outcome] = []
        with self._writing("the decisions were not kept"):
            for one in decisions:
                if not one.candidate.startswith(f"{self.fingerprint[:8]}-"):
                    raise LinesError(f"Candidate {one.candidate} is not of {self.bundle}.")
                new = replace(
                    one,
                    vetter=checked_vetter(one.vetter),
                    status=checked_status(one.status),
                    element=checked_element(one.element),
                    comment=checked_comment(one.comment),
                    when=one.when or now(),
                )
                before = self._last(new.candidate, new.vetter)
                if new.blank if before is None else new.says(before):
                    outcomes.append("same")
                elif before is not None and not before.blank and not replace_existing:
                    outcomes.append("kept")
                else:
                    self._insert(new)
                    outcomes.append("written")
        return outcomes

    def undo(self, vetter: str) -> Decision | None:
        """Take back a vetter's last change that is not taken back yet.

        Returns
        -------
        Decision or None
            What counts again, blank if nothing had been said before; None if there is
            nothing to undo.
        """
        vetter = checked_vetter(vetter)
        with self._writing("nothing was undone"):
            row = self._connection.execute(
                f"SELECT number, {_COLUMNS} FROM changes WHERE vetter = ? AND undoes IS NULL AND "
                "number NOT IN (SELECT undoes FROM changes WHERE vetter = ? AND undoes IS NOT "
                "NULL) ORDER BY number DESC LIMIT 1",
                (vetter, vetter),
            ).fetchone()
            if row is None:
                return None
            number, undone = row[0], self._decision(row[1:])
            before = self._last(undone.candidate, vetter, before=number)
            after = before or replace(undone, status="", element="", comment="")
            after = replace(after, when=now())
            self._insert(after, undoes=number)
            return after

    # ------------------------------------------------------------------ reading

    def decisions(self, vetter: str | None = None) -> dict[str, Decision]:
        """Return what counts by candidate id, blank ones left out.

        Parameters
        ----------
        vetter : str, optional
            Whose decisions; without one, the newest of anybody's on each candidate.
        """
        condition = "" if vetter is None else "WHERE vetter = ?"
        values = () if vetter is None else (checked_vetter(vetter),)
        found = {}
        for row in self._rows(
            f"SELECT {_COLUMNS} FROM changes WHERE number IN (SELECT max(number) FROM changes "
            f"{condition} GROUP BY vetter, candidate) ORDER BY number",
            values,
        ):
            decision = self._decision(row)
            if not decision.blank:
                found[decision.candidate] = decision
        return found

    def everything(self) -> list[Decision]:
        """Return what counts of every vetter, blank ones left out, by wavelength and vetter."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM changes WHERE number IN "
            "(SELECT max(number) FROM changes GROUP BY vetter, candidate) "
            "ORDER BY wavelength, candidate, vetter"
        )
        return [d for d in map(self._decision, rows) if not d.blank]

    def history(self, candidate: str) -> list[Decision]:
        """Return every change about a candidate id, undone ones too, the oldest first."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM changes WHERE candidate = ? ORDER BY number", (candidate,)
        )
        return [self._decision(row) for row in rows]

    def vetters(self) -> list[str]:
        """Return the names of all who ever decided something, in alphabetical order."""
        return [str(r[0]) for r in self._rows("SELECT DISTINCT vetter FROM changes ORDER BY 1")]

    def progress(self, vetter: str, candidates: Iterable[Candidate]) -> tuple[int, int]:
        """Return how many candidates have a status by a vetter, and how many there are."""
        decided = {k for k, d in self.decisions(vetter).items() if d.status}
        ids = [c.id for c in candidates]
        return sum(i in decided for i in ids), len(ids)

    def orphans(self, candidates: Sequence[Candidate]) -> list[Orphan]:
        """Return decisions whose candidates are not in a table, each with a neighbour if any.

        Nothing is attached to the neighbour: it is for a person to say whether it is the
        same feature.
        """
        known = {c.id for c in candidates}
        return [
            Orphan(d, nearest_within(d, candidates))
            for d in self.everything()
            if d.candidate not in known
        ]

    def version(self) -> int:
        """Return a number that grows whenever anybody's program changes the file."""
        rows = self._rows("SELECT coalesce(max(number), 0) FROM changes")
        return int(rows[0][0])

    def close(self) -> None:
        """Close the file; what was decided is in it already."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._connection.close()

    def __enter__(self) -> Vetting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ------------------------------------------------------------------ the file

    def _where(self) -> tuple[int, int] | None:
        """Return which file lies at the path, None if none does."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _require_open(self) -> None:
        if self._closed:
            raise LinesError(f"{self.path} is closed; open it again.")

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        """Do some changes as one: all on the disk at the end, or none."""
        with self._lock, in_words(self.path, what):
            self._require_open()
            if self.read_only:
                raise LinesError(f"{self.path} was opened to be read; {what}.")
            if self._where() != self._inode:
                raise LinesError(
                    f"{self.path} was moved, deleted or replaced while it was open; {what}. Put it "
                    "back, or open it again."
                )
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock, in_words(self.path, "the decisions cannot be read"):
            self._require_open()
            return self._connection.execute(query, values).fetchall()

    def _last(self, candidate: str, vetter: str, before: int | None = None) -> Decision | None:
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM changes WHERE vetter = ? AND candidate = ? "
            "AND (? IS NULL OR number < ?) ORDER BY number DESC LIMIT 1",
            (vetter, candidate, before, before),
        ).fetchone()
        return self._decision(row) if row else None

    def _insert(self, decision: Decision, undoes: int | None = None) -> None:
        d = decision
        ends = (float(d.wavelength), float(d.low), float(d.high))
        said = (d.vetter, d.status, d.element, d.comment, d.when)
        self._connection.execute(
            f"INSERT INTO changes ({_COLUMNS}, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (d.candidate, *ends, *said, undoes),
        )

    def _decision(self, row: tuple[Any, ...]) -> Decision:
        """Rebuild a decision from a row; the file may be a stranger's."""
        candidate, wavelength, low, high, vetter, status, element, comment, when = row
        try:
            known: Status = checked_status(str(status))
            return Decision(
                str(candidate),
                float(wavelength),
                float(low),
                float(high),
                str(vetter),
                known,
                checked_element(str(element)),
                str(comment),
                str(when),
            )
        except (TypeError, ValueError, LinesError) as problem:
            raise LinesError(
                f"{self.path}: the decision about {candidate!r} cannot be understood. {problem}"
            ) from problem


_COLUMNS = "candidate, wavelength, low, high, vetter, status, element, comment, time"


def _blank(candidate: Candidate, vetter: str) -> Decision:
    return Decision(candidate.id, candidate.wavelength, candidate.low, candidate.high, vetter)
