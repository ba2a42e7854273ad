"""A process of our own that does what a file of a stranger might make endless or huge.

A loop or an allocation inside a C library cannot be stopped from Python; a process can. One
child is kept warm, does one piece of work at a time, and is started anew after it had to
be ended. Parent and child speak in frames of bytes over pipes: see :mod:`.exchange`.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .budget import MAX_STAR_BYTES

_LENGTH = struct.Struct("<Q")

Work = Callable[[dict[str, object], bytes], bytes]
"""What the child does: from a question and the content of a file to an answer."""


@dataclass(frozen=True)
class ProcessLimits:
    """What a child may take for one piece of work.

    Parameters
    ----------
    cpu_seconds : int
        Computing time.
    wall_seconds : float
        Time on the clock, for work that waits instead of computing, and for systems that
        do not limit computing time.
    memory_bytes : int
        Memory beyond what the child has when it is idle.
    answer_bytes : int
        Length of its answer.
    start_seconds : float
        Time to start, and to wait for other work to be done.
    """

    cpu_seconds: int = 15
    wall_seconds: float = 60.0
    memory_bytes: int = 2_000_000_000
    answer_bytes: int = 250_000_000
    start_seconds: float = 120.0


class ProcessEndedError(Exception):
    """The child gave no answer.

    Parameters
    ----------
    reason : {"time", "memory", "answer", "busy", "crash"}
        What it ran out of, if it did.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChildProcess:
    """A child that answers one question after the other, and is replaced when it ended.

    Parameters
    ----------
    module, function : str
        What the child runs: a function of the package without arguments that calls
        :func:`serve`.
    limits : ProcessLimits
        For every question.
    """

    def __init__(self, module: str, function: str, limits: ProcessLimits | None = None) -> None:
        self.limits = limits or ProcessLimits()
        self._code = (
            "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
            f"from {module} import {function}; {function}()"
        )
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._parent = os.getpid()
        self._ready = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the child unless it runs, without waiting until it can work."""
        if self._parent != os.getpid():  # after a fork: that child is another process's
            self._process, self._parent = None, os.getpid()
        if self.pid is None:
            self._ready = False
            limits = [self.limits.cpu_seconds, self.limits.memory_bytes]
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", self._code, json.dumps(sys.path), json.dumps(limits)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"HDF5_PLUGIN_PRELOAD": "::", "OMP_NUM_THREADS": "1"},
            )

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()

    def ask(self, question: dict[str, object], content: bytes) -> bytes:
        """Return the answer of the child to a question about the content of a file.

        Raises
        ------
        ProcessEndedError
            If there is none within the limits; the child is gone then, and a new one starts.
        """
        if not self._turn.acquire(timeout=self.limits.start_seconds):
            raise ProcessEndedError("busy")
        try:
            return self._answer(question, content)
        except ProcessEndedError:
            self.close()
            self.start()  # the next question need not wait for it
            raise
        finally:
            self._turn.release()

    def _answer(self, question: dict[str, object], content: bytes) -> bytes:
        self.start()
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        if not self._ready:
            with _KillAfter(process, self.limits.start_seconds):
                if read_frame(process.stdout, 0) is None:
                    raise ProcessEndedError("crash")
            self._ready = True
        late = _KillAfter(process, self.limits.wall_seconds)
        try:
            with late:
                write_frame(process.stdin, json.dumps(question).encode())
                write_frame(process.stdin, content)
                answer = read_frame(process.stdout, self.limits.answer_bytes)
        except OSError:
            answer = None
        except ValueError as problem:
            raise ProcessEndedError("answer") from problem
        if answer is None:
            raise ProcessEndedError("time" if late.killed else _reason(process))
        return answer


def _reason(process: subprocess.Popen[bytes]) -> str:
    """Return why a process ended by itself."""
    import signal

    code = process.wait()
    if code == -getattr(signal, "SIGXCPU", 0) and code:
        return "time"
    return "memory" if code == -getattr(signal, "SIGKILL", 0) and code else "crash"


class _KillAfter:
    """Kill a process unless the block ends in time."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.killed = False
        self._process = process
        self._timer = threading.Timer(seconds, self._kill)
        self._timer.daemon = True

    def _kill(self) -> None:
        self.killed = True
        self._process.kill()

    def __enter__(self) -> _KillAfter:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def write_frame(pipe: IO[bytes], content: bytes) -> None:
    """Write a length and as many bytes."""
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def read_frame(pipe: IO[bytes], max_bytes: int | None = None) -> bytes | None:
    """Return the bytes of a frame; None where the pipe ends.

    Raises
    ------
    ValueError
        If the frame is longer than `max_bytes`.
    """
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    if max_bytes is not None and size > max_bytes:
        raise ValueError(f"A frame of {size} bytes; at most {max_bytes} are read.")
    content = pipe.read(size)
    return content if len(content) == size else None


def serve(work: Work) -> None:
    """Answer questions from the standard input until it ends; what the child runs.

    Whatever libraries print goes nowhere: the standard output belongs to the answers.
    """
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    cpu_seconds, memory_bytes = json.loads(sys.argv[2])
    _limit_memory(memory_bytes)
    write_frame(answers, b"")
    while True:
        question = read_frame(questions)
        content = None if question is None else read_frame(questions)
        if question is None or content is None:
            return
        _limit_time(cpu_seconds)
        write_frame(answers, work(json.loads(question), content))


def _limit_memory(more_bytes: int) -> None:
    """Bound what the process may allocate beyond what it has, where the system can."""
    try:
        import resource

        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        now = int(pages) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + more_bytes, now + more_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # HDF5 content is put into a temporary file; nothing else is written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_STAR_BYTES, MAX_STAR_BYTES))


def _limit_time(cpu_seconds: int) -> None:
    """Bound the computing time from now on, where the system can."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
