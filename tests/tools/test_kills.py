"""The campaign of kills counts what it should, and a few kills of each writer do no harm."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no forks")


@pytest.fixture(scope="module")
def kills() -> Iterator[Any]:
    """The tool."""
    sys.path.insert(0, str(TOOLS))
    yield importlib.import_module("kills")
    sys.path.remove(str(TOOLS))


def number_in(path: Path) -> int:
    text = path.read_text("utf-8")
    if not text.endswith("."):
        raise ValueError("cut")
    return int(text[:-1])


def write(folder: Path, acknowledge: Any, how: Any) -> None:
    number = number_in(folder / "n.txt")
    while True:
        number += 1
        how(folder, number)
        acknowledge(number)


def whole(folder: Path, number: int) -> None:
    (folder / "new.txt").write_text(f"{number}.", "utf-8")
    (folder / "new.txt").replace(folder / "n.txt")


def in_pieces(folder: Path, number: int) -> None:
    with (folder / "n.txt").open("w", encoding="utf-8") as file:
        file.write(str(number))
        file.flush()
        (folder / "other.txt").write_text("x", "utf-8")
        file.write(".")


def never(folder: Path, number: int) -> None:
    (folder / "other.txt").write_text("x", "utf-8")


def writer(kills: Any, how: Any) -> Any:
    return kills.Writer(
        lambda folder: (folder / "n.txt").write_text("0.", "utf-8"),
        lambda folder, acknowledge: write(folder, acknowledge, how),
        lambda folder: number_in(folder / "n.txt"),
        endless=12,
    )


def test_a_writer_in_one_step_is_sound(kills: Any) -> None:
    found = kills.campaign("whole", writer(kills, whole), 8, 0)
    assert (found.killed, found.ended, found.sound) == (8, 0, True)
    assert found.acknowledged > 8


def test_a_writer_in_pieces_leaves_what_cannot_be_read(kills: Any) -> None:
    found = kills.campaign("pieces", writer(kills, in_pieces), 8, 0)
    assert any("ValueError" in what for what in found.unreadable)
    assert not found.sound


def test_what_was_acknowledged_and_is_not_kept_is_lost(kills: Any) -> None:
    found = kills.campaign("never", writer(kills, never), 4, 0)
    assert any(what.endswith("and 0 are kept") for what in found.lost)
    assert not found.sound


def test_a_program_that_ends_is_run_to_its_end_after_the_kills(kills: Any) -> None:
    def run(folder: Path, acknowledge: Any) -> None:
        for number in range(number_in(folder / "n.txt") + 1, 4):
            whole(folder, number)
            acknowledge(number)

    once = kills.Writer(
        lambda folder: (folder / "n.txt").write_text("0.", "utf-8"),
        run,
        lambda folder: number_in(folder / "n.txt"),
    )
    found = kills.campaign("once", once, 6, 1)
    assert found.sound
    assert found.killed == 6
    fails = kills.Writer(lambda folder: None, lambda folder, acknowledge: 1 / 0, lambda folder: 0)
    with pytest.raises(RuntimeError, match=r"fails without a kill: [\s\S]*ZeroDivisionError"):
        kills.campaign("fails", fails, 1, 0)


@pytest.mark.slow
def test_a_few_kills_of_each_writer_do_no_harm() -> None:
    """In a process of its own: what torch started in this one does not survive a fork."""
    words = [sys.executable, str(TOOLS / "kills.py"), "--kills", "36", "--seed", "5"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert len(rows) == 13 and int(rows[-1][0]) >= 12
