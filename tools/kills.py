"""Kill programs while they write, and look whether all they wrote can be read and nothing is lost.

``python tools/kills.py --kills 200`` spreads that many SIGKILLs over all writers of files and
prints a table: how many processes were killed, how many ended before it, how often a file could not
be read afterwards, and how often something was lost that a process had acknowledged: a decision
that was returned, a part that was counted, a command that ended well. The exit status is 1 where
the last two are not 0.

A program runs in a forked process on small fixtures. Each time before it opens a file for writing,
or renames, makes or removes one, and each time after it acknowledged something, it waits for the
parent, which kills at one of these moments, chosen at random with the seed: at once, or some
milliseconds later. What a killed program left is what the next one begins with.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

Acknowledge = Callable[[int], None]
"""Called with a number by what was promised to be kept, one greater each time."""

DELAY_SECONDS = 0.006
"""Longest wait between a moment that was chosen and the kill."""

MAX_SECONDS = 300.0
"""After which a program counts as hung."""

MAX_TRIES = 4
"""Runs for each kill: some programs end before the kill comes."""

MODULES = "modules.txt"
"""File in which a program that ended leaves the names of what it imported."""


@dataclass(frozen=True)
class Writer:
    """A program that writes.

    Parameters
    ----------
    prepare : callable
        Put fixtures into an empty folder.
    run : callable
        Write, in that folder; called with :data:`Acknowledge`. It may go on without end.
    check : callable
        Return up to which number all is kept, or raise whatever reading raises.
    endless : int
        Moments among which one is chosen, of a program that goes on without end; 0 for one that
        ends, whose moments are counted in a first run.
    whole : int
        Number at which all is done and the next run begins in a new folder; 0 for none.
    """

    prepare: Callable[[Path], None]
    run: Callable[[Path, Acknowledge], None]
    check: Callable[[Path], int]
    endless: int = 0
    whole: int = 0


@dataclass
class Found:
    """What became of the kills of one writer."""

    writer: str
    killed: int = 0
    ended: int = 0
    acknowledged: int = 0
    unreadable: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether all could be read and nothing was lost."""
        return not (self.unreadable or self.lost)


@dataclass
class Ended:
    """How a forked program ended."""

    status: int
    moments: int
    acknowledged: int
    said: str


def forked(
    writer: Writer, folder: Path, moment: int | None = None, delay: float = 0.0, first: int = 0
) -> Ended:
    """Run a writer in a process of its own; kill it some seconds after a moment of writing.

    Parameters
    ----------
    writer : Writer
        What to run.
    folder : Path
        Where it works.
    moment : int, optional
        Number of the moment; the program runs to its end without one.
    delay : float
        Seconds from there to the kill; 0 to kill while the program waits at the moment.
    first : int
        Number that was acknowledged before.
    """
    (reading, writing), (waiting, letting) = os.pipe(), os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(reading)
        os.close(letting)
        _child(writer, folder, writing, waiting)
    os.close(writing)
    os.close(waiting)
    moments, acknowledged, begun = 0, first, time.monotonic()
    with os.fdopen(reading, "rb") as told:
        for line in told:
            moments += 1
            acknowledged = int(line) if line.strip() else acknowledged
            chosen = moments == moment or time.monotonic() - begun > MAX_SECONDS
            if not (chosen and delay == 0) and (moment is None or moments <= moment):
                os.write(letting, b"\n")
            if chosen:
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
    os.close(letting)
    status = os.waitpid(pid, 0)[1]
    log = folder / "log.txt"
    return Ended(status, moments, acknowledged, log.read_text("utf-8")[-500:])


def _child(writer: Writer, folder: Path, told: int, waiting: int) -> None:
    """Run a writer in the forked process, which ends here."""
    inside = f"{folder}{os.sep}"

    def tell(line: bytes) -> None:
        os.write(told, line)
        os.read(waiting, 1)

    def moment(event: str, given: tuple[object, ...]) -> None:
        changes = event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")
        if event == "open":
            mode = given[1] or ""
            flags = given[2] if isinstance(given[2], int) else 0
            changes = any(c in str(mode) for c in "wax+") or bool(flags & (os.O_WRONLY | os.O_RDWR))
        if changes and given and os.fspath(given[0]).startswith(inside):  # type: ignore[call-overload]
            tell(b"\n")

    def acknowledge(number: int) -> None:
        tell(f"{number}\n".encode())

    code = 3
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        try:
            os.chdir(folder)
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
            sys.addaudithook(moment)
            writer.run(folder, acknowledge)
            code = 0
            (folder / MODULES).write_text("\n".join(sys.modules), encoding="utf-8")
        except BaseException:
            traceback.print_exc(file=log)
        log.flush()
        os._exit(code)


def campaign(name: str, writer: Writer, kills: int, seed: int) -> Found:
    """Kill a writer again and again, and look after each kill what it left.

    Parameters
    ----------
    name : str
        What to call it in the table.
    writer : Writer
        What to kill.
    kills : int
        How often.
    seed : int
        Of the moments.
    """
    found = Found(name)
    rng = random.Random(f"{seed}:{name}")
    with tempfile.TemporaryDirectory(prefix="kills-") as place:
        folder, kept, moments = Path(place, "0"), 0, writer.endless
        _begin(writer, folder)
        if not moments:
            whole = forked(writer, folder)
            if whole.status:
                raise RuntimeError(f"{name} fails without a kill: {whole.said}")
            _import_all((folder / MODULES).read_text("utf-8").split())
            moments = whole.moments
            folder = Path(place, "1")
            _begin(writer, folder)
        for number in range(MAX_TRIES * kills):
            if found.killed == kills:
                break
            moment = rng.randint(1, moments)
            delay = rng.choice((0, rng.uniform(0, DELAY_SECONDS)))
            ended = forked(writer, folder, moment, delay, kept)
            found.killed += ended.status == signal.SIGKILL
            if ended.status not in (0, signal.SIGKILL):
                found.unreadable.append(ended.said.strip().splitlines()[-1])
            found.acknowledged += max(0, ended.acknowledged - kept)
            kept = _look(writer, folder, max(kept, ended.acknowledged), found)
            found.ended += ended.status != signal.SIGKILL
            if ended.status != signal.SIGKILL or (writer.whole and kept >= writer.whole):
                folder, kept = Path(place, f"fresh-{number}"), 0
                _begin(writer, folder)
        if not writer.endless:  # what was killed so often still comes to its end
            ended = forked(writer, folder, first=kept)
            if ended.status:
                found.unreadable.append(ended.said.strip().splitlines()[-1])
            _look(writer, folder, ended.acknowledged, found)
    return found


def _import_all(names: list[str]) -> None:
    """Import what a program imported, so that the next ones begin with it."""
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)


def _begin(writer: Writer, folder: Path) -> None:
    folder.mkdir()
    writer.prepare(folder)


def _look(writer: Writer, folder: Path, expected: int, found: Found) -> int:
    """Read what is there, count what is wrong, and return up to which number all is kept."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kept = writer.check(folder)
    except Exception as problem:
        found.unreadable.append(f"{type(problem).__name__}: {problem}")
        return expected
    if kept < expected:
        found.lost.append(f"{expected} were acknowledged and {kept} are kept")
    return kept


HEAD = ("writer", "killed", "ended", "acknowledged", "unreadable", "lost")


def print_row(found: Found) -> None:
    """Print one writer's row of the table, and below it what went wrong."""
    row = (found.killed, found.ended, found.acknowledged, len(found.unreadable), len(found.lost))
    print(f"{found.writer:22s}" + "".join(f"{n:>13d}" for n in row))
    for what in dict.fromkeys(found.unreadable + found.lost):
        print(f"    {what[:300]}")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Kill the writers that are asked for; return 1 if anything is wrong."""
    sys.path.insert(0, str(Path(__file__).parent))
    from kills_writers import WRITERS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("writers", nargs="*", help="some writers only, by their names")
    parser.add_argument("--kills", type=int, default=200, help="of all writers together")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args(arguments)
    names = given.writers or list(WRITERS)
    if unknown := set(names) - WRITERS.keys():
        parser.error(f"no writers {', '.join(sorted(unknown))}; there are {', '.join(WRITERS)}")
    print(f"{HEAD[0]:22s}" + "".join(f"{word:>13s}" for word in HEAD[1:]))
    sound, total = True, 0
    for i, name in enumerate(names):
        kills = given.kills // len(names) + (i < given.kills % len(names))
        found = campaign(name, WRITERS[name], kills, given.seed)
        print_row(found)
        sound &= found.sound
        total += found.killed
    print(f"{total} kills")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
