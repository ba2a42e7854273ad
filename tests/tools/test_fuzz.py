"""The fuzzer counts what it should: sentences, other exceptions, hangs, memory, dead processes."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"

# Readers of another kind than the project's: each does what the content says.
READERS = """
import ctypes, os, time
import fuzz_mutations
from spectrabridge.core.errors import SpectrumError

class Reader:
    def __init__(self, what):
        self.what = what
    def seeds(self):
        return [("f.txt", b"whole")]
    def mutation(self, rng, content):
        return str(rng.randrange(1000)).encode()
    def read(self, path):
        text = path.read_bytes()
        if text == b"whole":
            return
        if self.what == "refuses":
            raise SpectrumError("It is damaged.")
        if self.what == "raises":
            {}[text]
        if self.what == "loops" and int(text) % 4 == 0:
            while True:
                sum(range(10**6))
        if self.what == "dies" and int(text) % 4 == 0:
            os._exit(7)
        if self.what == "eats":
            b"x" * (100 * 2**20)

READERS = {what: Reader(what) for what in ("reads", "refuses", "raises", "loops", "dies", "eats")}
"""


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    """A copy of the fuzzer with readers that misbehave as they are told."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("fuzz.py", "fuzz_mutations.py"):
        text = (TOOLS / name).read_text(encoding="utf-8")
        text = text.replace("MAX_SECONDS = 5.0", "MAX_SECONDS = 1.0")
        text = text.replace("MAX_BYTES = 1 << 30", "MAX_BYTES = 64 << 20")
        (tools / name).write_text(text, encoding="utf-8")
    (tools / "fuzz_readers.py").write_text(READERS, encoding="utf-8")
    return tools / "fuzz.py"


def row(tool: Path, what: str, inputs: int = 8) -> tuple[int, list[float], str]:
    """Return the exit status, the numbers of the reader's row, and all that is printed."""
    words = [sys.executable, str(tool), what, "--inputs", str(inputs)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    line = next(li for li in done.stdout.splitlines() if li.startswith(what))
    return done.returncode, [float(word) for word in line[28:].split()], done.stdout


def test_sentences_and_whole_files_are_fine(tool: Path) -> None:
    code, numbers, _ = row(tool, "reads")
    assert (code, numbers[:5]) == (0, [8, 8, 0, 0, 0])
    code, numbers, _ = row(tool, "refuses")
    assert (code, numbers[:5]) == (0, [8, 0, 8, 0, 0])
    assert not (tool.parents[1] / "test-results").exists()


def test_other_exceptions_are_counted_by_kind_and_can_be_had_again(tool: Path) -> None:
    code, numbers, said = row(tool, "raises")
    assert (code, numbers[:5]) == (1, [8, 0, 0, 8, 0])
    assert "8 KeyError at " in said
    (note,) = (tool.parents[1] / "test-results" / "fuzz").glob("*.json")
    words = [sys.executable, str(tool), "--again", str(note)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["what"].startswith("KeyError at ")
    (content,) = note.parent.glob("*.f.txt")
    rng = random.Random(f"0:raises:{json.loads(note.read_text('utf-8'))['number']}")
    rng.choice([1])
    assert content.read_bytes() == str(rng.randrange(1000)).encode()


def test_a_hang_is_ended_and_the_rest_is_read(tool: Path) -> None:
    code, numbers, _ = row(tool, "loops")
    loops = sum(_content("loops", i) % 4 == 0 for i in range(8))
    assert loops
    assert (code, numbers[:5]) == (1, [8, 8 - loops, 0, 0, loops])


def test_a_process_that_dies_is_counted_and_replaced(tool: Path) -> None:
    code, numbers, said = row(tool, "dies")
    deaths = sum(_content("dies", i) % 4 == 0 for i in range(8))
    assert deaths
    assert (code, numbers[:5]) == (1, [8, 8 - deaths, 0, deaths, 0])
    assert f"{deaths} the process ended with 7" in said


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory of an input")
def test_memory_of_an_input_is_measured(tool: Path) -> None:
    code, numbers, _ = row(tool, "eats", 2)
    assert code == 1
    assert 90 <= numbers[5] <= 150


def _content(reader: str, number: int) -> int:
    rng = random.Random(f"0:{reader}:{number}")
    rng.choice([1])
    return rng.randrange(1000)


@pytest.fixture(scope="module")
def readers() -> Any:
    """The project's own readers."""
    sys.path.insert(0, str(TOOLS))
    try:
        spec = importlib.util.spec_from_file_location("fuzz_readers", TOOLS / "fuzz_readers.py")
        assert spec and spec.loader
        module: Any = importlib.util.module_from_spec(spec)
        sys.modules["fuzz_readers"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))
    return module.READERS


def test_there_are_readers_of_every_room(readers: Any) -> None:
    assert len(readers) >= 25


@pytest.mark.slow
def test_whole_files_are_read_and_some_damaged_ones_end_in_sentences(
    readers: Any, tmp_path: Path
) -> None:
    from spectrabridge.core.errors import SpectrabridgeError

    wrong = []
    for name, reader in readers.items():
        seeds = reader.seeds()
        rng = random.Random(name)
        for number in range(12):
            file, content = seeds[number % len(seeds)]
            whole = number < len(seeds)
            folder = tmp_path / f"{abs(hash(name))}-{number}"
            folder.mkdir()
            (folder / file).write_bytes(content if whole else reader.mutation(rng, content))
            try:
                reader.read(folder / file)
            except SpectrabridgeError as problem:
                if whole:
                    wrong.append(f"{name}, {file}, whole: {problem}")
            except Exception as problem:
                wrong.append(f"{name}, {file}, input {number}: {problem!r}")
    assert not wrong
