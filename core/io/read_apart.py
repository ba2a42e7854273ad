"""Read stars from files of strangers in a process of their own, with limits.

What a visitor of a server drops is read there: a loop in a C library, or arrays that fill
the memory, end that process and not the server. Files named on the command line are the
user's own and need none of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import SpectrabridgeError, SpectrumError
from ..files.child_process import ChildProcess, ProcessEndedError, ProcessLimits, serve
from ..files.exchange import from_bytes, to_bytes
from ..files.understood import understood

if TYPE_CHECKING:
    from .star_file import StarFile

_SENTENCES = {
    "time": "{name} takes longer to read than a file of its size can: it is damaged or made to.",
    "memory": "{name} needs more memory to be read than is given to one file. Cut it into smaller "
    "files.",
    "answer": "{name} holds more spectra than can be shown. Fit it on the command line, or cut it.",
    "busy": "Other files are being read and take long; {name} was not opened. Try again later.",
    "crash": "{name} is damaged: the library that reads it ended. Download or make it again.",
}


def read_star_apart(
    content: bytes, name: str, limits: ProcessLimits | None = None, **options: Any
) -> StarFile:
    """Read a star from the content of a file, in another process.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        What to call it in messages.
    limits : ProcessLimits, optional
        What reading may take. Each set of limits has a process of its own, which is kept.
    **options
        See :func:`~spectrabridge.core.io.star_file.read_star`.

    Raises
    ------
    SpectrumError
        As read_star does, and if reading takes too long, needs too much memory or ends
        the process.
    """
    child = _child(limits or ProcessLimits())
    try:
        answer = child.ask({"name": name, "options": options}, content)
    except ProcessEndedError as problem:
        raise SpectrumError(_SENTENCES[problem.reason].format(name=name)) from problem
    with understood(name, "a file with a spectrum"):
        found = from_bytes(answer, _types(), name, max_bytes=child.limits.answer_bytes)
    if isinstance(found, dict):
        kinds = {kind.__name__: kind for kind in SpectrabridgeError.__subclasses__()}
        raise kinds.get(str(found["kind"]), SpectrumError)(str(found["sentence"]))
    return found  # type: ignore[no-any-return]


def start_reading_apart() -> None:
    """Start the process that reads files, so that the first file need not wait for it."""
    _child(ProcessLimits()).start()


@lru_cache(maxsize=4)
def _child(limits: ProcessLimits) -> ChildProcess:
    return ChildProcess(__name__, answer_questions.__name__, limits)


def answer_questions() -> None:
    """Read the files that come over the standard input; what the child process runs."""
    from .star_file import read_star

    def work(question: dict[str, Any], content: bytes) -> bytes:
        name = str(question["name"])
        try:
            with understood(name, "a file with a spectrum"):
                return to_bytes(read_star(content, name, **question["options"]))
        except SpectrabridgeError as problem:
            return to_bytes({"kind": type(problem).__name__, "sentence": str(problem)})

    serve(work)


def _types() -> dict[str, type]:
    from ..labels.label_set import Label, LabelSet
    from ..spectra.spectra import Spectra
    from ..spectra.wavelength import WavelengthGrid
    from .star_formats import StarFile

    return {t.__name__: t for t in (StarFile, Spectra, WavelengthGrid, Label, LabelSet)}
