"""SIGTERM does what Ctrl-C does: a sentence, what is done is kept, and exit code 143."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import click
import pytest
from click.testing import CliRunner

from spectrabridge.apps.cli import Program

COMMON = """
import signal, sys, time
import click
from spectrabridge.apps.cli import Program
from spectrabridge.core.errors import SpectrabridgeError

@click.command()
def work():
"""
PLAIN = """
    print("ready", flush=True)
    time.sleep(60)
"""
KEEPS = """
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        raise SpectrabridgeError("interrupted; the state is kept.") from None
"""
FINISHES = """
    asked = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(1))
    print("ready", flush=True)
    while not asked:
        time.sleep(0.01)
    signal.signal(signal.SIGINT, before)
    print("finished the step", flush=True)
"""
RUN = """
Program("spectrabridge", commands=[work])(["work"])
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")


def ended_by(sign: signal.Signals, body: str, before: str = "") -> tuple[int, str, str]:
    words = [sys.executable, "-c", before + COMMON + body + RUN]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(sign)
        said, complained = process.communicate(timeout=60)
    return process.returncode, said, complained


@posix
@pytest.mark.parametrize(
    ("sign", "code", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 1, "interrupted")],
)
def test_a_signal_ends_in_a_sentence(sign: signal.Signals, code: int, word: str) -> None:
    assert ended_by(sign, PLAIN) == (code, "", f"spectrabridge: {word}.\n")
    said = "spectrabridge: interrupted; the state is kept.\n"
    assert ended_by(sign, KEEPS) == (code, "", said)


@posix
def test_work_that_takes_ctrl_c_takes_sigterm_in_the_same_way() -> None:
    assert ended_by(signal.SIGTERM, FINISHES) == (143, "finished the step\n", "")


@posix
def test_a_job_in_the_background_ends_though_ctrl_c_is_ignored_there() -> None:
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    assert ended_by(signal.SIGTERM, PLAIN, ignore)[0] == 143


def test_other_threads_and_later_code_keep_their_signals() -> None:
    @click.command()
    def work() -> None:
        click.echo(f"done {callable(signal.getsignal(signal.SIGTERM))}")

    program = Program("spectrabridge", commands=[work])
    before = signal.getsignal(signal.SIGTERM)
    assert CliRunner().invoke(program, ["work"]).output == "done True\n"
    assert signal.getsignal(signal.SIGTERM) is before
    said: list[str] = []
    thread = threading.Thread(
        target=lambda: said.append(CliRunner().invoke(program, ["work"]).output)
    )
    thread.start()
    thread.join()
    assert said == [f"done {callable(before)}\n"]
