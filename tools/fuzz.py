"""Fuzz the readers: damaged files must end in a sentence, in time, and in little memory.

``python tools/fuzz.py --inputs 20000`` prints a table: for each reader how many inputs it
accepted and refused, how many ended in an exception that is no SpectrabridgeError, how many took
longer than five seconds, and the largest memory that one took. The exit status is 1 where the last
three are not 0. Inputs depend on the seed, the reader and their number only, so that a failure can
be had again: it is kept in ``test-results/fuzz`` and run again by ``--again FILE``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]
MAX_SECONDS = 5.0
"""Of the processor's time for one input, or ten times as long by the clock."""
MAX_BYTES = 1 << 30
"""Memory that one input may take."""
ADDRESS_BYTES = 12 << 30
"""Address space of a process that reads, so that the machine stays usable."""
KEPT = ROOT / "test-results" / "fuzz"


@dataclass
class Found:
    """What became of the inputs of one reader."""

    reader: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    hangs: int = 0
    peak_mb: int = 0
    slowest: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)
    """Exceptions that are no sentence, by type and place."""

    @property
    def other(self) -> int:
        """Inputs that ended in such an exception."""
        return sum(self.kinds.values())

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.other or self.hangs or self.peak_mb << 20 > MAX_BYTES)


def damaged(reader: Any, seeds: list[tuple[str, bytes]], name: str, number: int, seed: int) -> Any:
    """Return the name and the content of one input."""
    rng = random.Random(f"{seed}:{name}:{number}")
    file, content = rng.choice(seeds)
    return file, reader.mutation(rng, content)


# ---------------------------------------------------------------------- the process that reads


def read_inputs(name: str, first: int, last: int, seed: int, state: Path) -> None:
    """Read inputs one after the other; print what happened to each, say where it is in `state`."""
    sys.path.insert(0, str(ROOT / "tools"))
    from fuzz_readers import READERS

    _limit_memory()
    warnings.simplefilter("ignore")
    reader = READERS[name]
    seeds = reader.seeds()
    for file, content in seeds:  # what is whole is read; imports are done, too
        _outcome(reader, file, content)
    with state.open("r+b", buffering=0) as progress:
        for number in range(first, last):
            file, content = damaged(reader, seeds, name, number, seed)
            progress.seek(0)
            progress.write(struct.pack("<qdd", number, time.process_time(), time.time()))
            print(json.dumps({"number": number} | _outcome(reader, file, content)), flush=True)


def _outcome(reader: Any, file: str, content: bytes) -> dict[str, Any]:
    """Read one input in a folder of its own, and return how it ended."""
    from spectrabridge.core.errors import SpectrabridgeError

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    before, begun = _reset_peak(), time.process_time()
    out: dict[str, Any] = {"kind": "accepted"}
    try:
        path = folder / file
        path.write_bytes(content)
        reader.read(path)
    except SpectrabridgeError as problem:
        out["kind"] = "refused"
        if len(str(problem)) > 3000 or "\0" in str(problem):
            out = {"kind": "other", "what": f"message of {len(str(problem))} characters"}
    except Exception as problem:
        out = {"kind": "other", "what": f"{type(problem).__name__} at {_place(problem)}"}
    finally:
        out["seconds"] = round(time.process_time() - begun, 3)
        out["mb"] = max(0, _peak() - before) >> 20
        shutil.rmtree(folder, ignore_errors=True)
    return out


def _place(problem: BaseException) -> str:
    """Return the last line of the package that an exception came through."""
    frames = traceback.extract_tb(problem.__traceback__)
    ours = [f for f in frames if re.search(r"/(core|explorer|apps)/[^:]*$", f.filename)]
    last = (ours or frames)[-1]
    return f"{re.sub(r'.*/(?=core/|explorer/|apps/)', '', last.filename)}:{last.lineno}"


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))


def _reset_peak() -> int:
    """Return the memory in use, and count the peak from here on; 0 where that cannot be told."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0
    return _peak()


def _peak() -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) << 10 if found else 0


# ---------------------------------------------------------------------- the process that watches


def fuzz(name: str, inputs: int, seed: int, kept: Path = KEPT) -> Found:
    """Return what became of the inputs of a reader; processes that hang or die are replaced.

    Parameters
    ----------
    name : str
        A reader, as ``fuzz_readers.READERS`` has it.
    inputs : int
        How many.
    seed : int
        Of the damage.
    kept : Path
        Folder for what failed, one input of each kind.
    """
    found = Found(name)
    first = 0
    while first < inputs:
        with tempfile.TemporaryDirectory(prefix="fuzz-state-") as folder:
            state = Path(folder, "state")
            state.write_bytes(struct.pack("<qdd", first - 1, 0.0, time.time()))
            words = [sys.executable, __file__, "--read", name, str(first), str(inputs)]
            words += ["--seed", str(seed), "--state", str(state)]
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
                watch = _Watch(process, state, first)
                lines = [json.loads(line) for line in process.stdout or () if line.endswith("}\n")]
                code = process.wait()
            number = watch.join()
        for line in lines:
            _count(found, line, seed, kept)
        if code == 0:
            break
        if number < first:
            raise RuntimeError(f"{name}: the reading process ended before its first input.")
        if not lines or lines[-1]["number"] < number:  # of the input that it was at
            kind = "hang" if watch.hung else "other"
            what = "" if watch.hung else f"the process ended with {code}"
            _count(found, {"number": number, "kind": kind, "what": what}, seed, kept)
        first = number + 1
    return found


class _Watch(threading.Thread):
    """Kills a reading process that is at one input for too long."""

    def __init__(self, process: subprocess.Popen[str], state: Path, first: int) -> None:
        super().__init__(daemon=True)
        self._process, self._state, self._first = process, state, first
        self.number = first - 1
        self.hung = False
        self.start()

    def run(self) -> None:
        """Look every fifth of a second."""
        while self._process.poll() is None:
            time.sleep(0.2)
            self._look()

    def join(self, timeout: float | None = None) -> int:  # type: ignore[override]
        """Return the number of the input that the process was at when it ended."""
        super().join(timeout)
        self._look()
        return self.number

    def _look(self) -> None:
        self.number, begun, clock = struct.unpack("<qdd", self._state.read_bytes())
        used = _processor_seconds(self._process.pid) - begun
        waited = time.time() - clock
        late = used > MAX_SECONDS or waited > 10 * MAX_SECONDS
        if self.number >= self._first and late and self._process.poll() is None:
            self.hung = True
            self._process.kill()


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _count(found: Found, line: dict[str, Any], seed: int, kept: Path) -> None:
    """Add how one input ended to what was found, and keep the input if it failed."""
    found.inputs += 1
    found.peak_mb = max(found.peak_mb, line.get("mb", 0))
    found.slowest = max(found.slowest, line.get("seconds", 0.0))
    kind, what = line["kind"], line.get("what", "")
    slow = line.get("seconds", 0.0) > MAX_SECONDS
    found.hangs += slow or kind == "hang"
    found.accepted += kind == "accepted"
    found.refused += kind == "refused"
    if kind == "other":
        found.kinds[what] = found.kinds.get(what, 0) + 1
    large = line.get("mb", 0) << 20 > MAX_BYTES
    first = kind == "other" and found.kinds[what] == 1
    if first or kind == "hang" or slow or large:
        _keep(found.reader, line | {"seed": seed}, kept)


def _keep(name: str, line: dict[str, Any], kept: Path) -> None:
    """Write down which input failed; :func:`again` makes it once more."""
    kept.mkdir(parents=True, exist_ok=True)
    words = re.sub(r"[^A-Za-z0-9.]+", "-", f"{name} {line['number']} {line.get('what', '')}")
    text = json.dumps({"reader": name} | line, indent=1) + "\n"
    (kept / f"{words[:120].strip('-')}.json").write_text(text, encoding="utf-8")


def again(path: Path) -> dict[str, Any]:
    """Read an input once more that failed, leave it beside its note, and return how it ends."""
    sys.path.insert(0, str(ROOT / "tools"))
    from fuzz_readers import READERS

    note = json.loads(path.read_text(encoding="utf-8"))
    reader = READERS[note["reader"]]
    seeds = reader.seeds()
    file, content = damaged(reader, seeds, note["reader"], note["number"], note["seed"])
    path.with_suffix(f".{file}").write_bytes(content)
    return _outcome(reader, file, content)


HEAD = ("reader", "inputs", "accepted", "refused", "other", "hangs", "peak MB", "slowest s")


def print_row(found: Found) -> None:
    """Print one reader's row of the table, and below it what kinds of exceptions there were."""
    row = (found.inputs, found.accepted, found.refused, found.other, found.hangs, found.peak_mb)
    print(f"{found.reader:28s}" + "".join(f"{n:>9d}" for n in row) + f"{found.slowest:>10.2f}")
    for what, n in sorted(found.kinds.items(), key=lambda item: -item[1]):
        print(f"    {n:6d} {what}")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Fuzz the readers that are asked for; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", help="some readers only, by their names")
    parser.add_argument("--inputs", type=int, default=20_000, help="of each reader")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--workers", type=int, default=2, help="readers at a time")
    parser.add_argument("--again", type=Path, help="a note of an input that failed")
    parser.add_argument("--read", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.read:
        name, first, last = given.read
        read_inputs(name, int(first), int(last), given.seed, given.state)
        return 0
    if given.again:
        print(json.dumps(again(given.again), indent=1))
        return 0
    sys.path.insert(0, str(ROOT / "tools"))
    from fuzz_readers import READERS

    names = given.readers or list(READERS)
    if unknown := set(names) - READERS.keys():
        parser.error(f"no readers {', '.join(sorted(unknown))}; there are {', '.join(READERS)}")
    print(f"{HEAD[0]:28s}" + "".join(f"{word:>9s}" for word in HEAD[1:-1]) + f"{HEAD[-1]:>10s}")
    sound = True
    with ThreadPoolExecutor(given.workers) as pool:
        for found in pool.map(lambda name: fuzz(name, given.inputs, given.seed), names):
            print_row(found)
            sound &= found.sound
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
