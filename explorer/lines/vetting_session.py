"""One vetter's decisions about candidate features, and where they are kept."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from ...core.errors import LinesError, SpectrabridgeError
from ...core.lines import Candidate, Candidates
from ...core.vetting import Decision, Vetting, default_vetting_path, open_vetting
from ...core.vetting.agreement import Agreement, compare


def user_name() -> str:
    """Return the name of the system's user, to begin with."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without an entry
        return "vetter"


class VettingSession:
    """Decisions about the candidates of a bundle, kept in a file as they are made.

    Parameters
    ----------
    candidates : Candidates
        What is decided about.
    bundle : Bundle
        Whose they are; names the default file.
    vetter : str
        Who decides.
    path : path, optional
        File of the decisions. Without one it is the default file of the bundle, which is
        made when something is decided for the first time.

    Attributes
    ----------
    problem : str
        Why the file cannot be used, empty if it can.
    decisions : dict
        The vetter's decisions by candidate id.
    """

    def __init__(
        self, candidates: Candidates, bundle: Any, vetter: str, path: str | Path | None = None
    ) -> None:
        self.candidates = candidates
        self.by_id = candidates.by_id()
        self.vetter = vetter
        self.path = Path(path) if path is not None else default_vetting_path(bundle)
        self._given = path is not None
        self._file: Vetting | None = None
        self._version = -1
        self._changes = 0  # that were made here and are not taken back
        self._warned = False
        self.problem = ""
        self.decisions: dict[str, Decision] = {}
        self._open(begin=self._given)
        self.refresh()

    def _open(self, begin: bool) -> None:
        """Open the file, to be read at least; it is made only if `begin`."""
        if not begin and not self.path.exists():
            return
        try:
            self._file = open_vetting(self.path, self.candidates)
            self.problem = ""
        except SpectrabridgeError as problem:
            self.problem = str(problem)
            if self._file is None:
                try:
                    self._file = open_vetting(self.path, self.candidates, read_only=True)
                except SpectrabridgeError:
                    return

    def _writable(self) -> Vetting:
        """Return the file, opened for decisions; raise if it cannot be."""
        if self._file is None or self._file.read_only:
            before = self._file
            self._file = open_vetting(self.path, self.candidates)
            self.problem = ""
            if before is not None:
                before.close()
        return self._file

    # ------------------------------------------------------------------ deciding

    def decide(self, candidate: Candidate, **said: str) -> Decision:
        """Keep what the vetter says about a candidate; it is on the disk on return.

        Parameters
        ----------
        candidate : Candidate
            Whose decision it is.
        **said : str
            `status`, `element`, `comment`; what is not given stays.

        Raises
        ------
        LinesError
            If it cannot be kept; nothing has changed then.
        """
        decision = self._writable().decide(candidate, self.vetter, **said)
        self._changes += 1
        self._warned = False
        self.refresh()
        return decision

    def undo(self) -> Decision:
        """Take back the vetter's last change; return what counts again.

        Changes from before this session are taken back when it is asked for a second time.

        Raises
        ------
        LinesError
            If there is nothing to take back, nothing of this session, or that cannot be kept.
        """
        if self._file is None and not self.path.exists():
            raise LinesError(f"There is nothing to undo for {self.vetter}.")
        if not self._changes and not self._warned:
            self._warned = True
            raise LinesError(
                "Nothing that was said on this page is left to undo. Undo once more takes back "
                f"what {self.vetter} said before."
            )
        decision = self._writable().undo(self.vetter)
        if decision is None:
            raise LinesError(f"There is nothing to undo for {self.vetter}.")
        self._changes = max(0, self._changes - 1)
        self.refresh()
        return decision

    def change_vetter(self, name: str) -> None:
        """Let somebody else decide from now on."""
        self.vetter = name
        self._version = -1
        self._changes, self._warned = 0, False
        self.refresh()

    # ------------------------------------------------------------------- reading

    def refresh(self) -> bool:
        """Read what anybody has decided since; return whether there was anything new."""
        if self._file is None:
            self._open(begin=False)
        if self._file is None:
            changed = bool(self.decisions) or self._version == -1
            self.decisions, self._version = {}, 0
            return changed
        version = self._file.version()
        if version == self._version:
            return False
        self.decisions = self._file.decisions(self.vetter)
        self._version = version
        return True

    @property
    def file(self) -> Vetting | None:
        """The open file, None while nothing has been decided."""
        return self._file

    @property
    def agreements(self) -> list[Agreement]:
        """Return the agreement on status with every other vetter who shares features."""
        if self._file is None:
            return []
        found = []
        for other in self._file.vetters():
            if other != self.vetter:
                pair = (self.vetter, other)
                both = self.decisions, self._file.decisions(other)
                found.append(compare(*both, pair, "status", self.candidates))
        return [agreement for agreement in found if agreement.n]

    @property
    def vetters(self) -> list[str]:
        """Names of all who have decided something, and of the vetter."""
        known = self._file.vetters() if self._file is not None else []
        return sorted({*known, self.vetter})

    @property
    def orphans(self) -> int:
        """Number of decisions about features that the table does not have."""
        return len(self._file.orphans(self.candidates)) if self._file is not None else 0

    @property
    def progress(self) -> tuple[int, int]:
        """Number of candidates with a status from the vetter, and of all candidates."""
        decided = sum(bool(d.status) for k, d in self.decisions.items() if k in self.by_id)
        return decided, len(self.candidates)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
