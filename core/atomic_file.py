"""Output files that are whole or not there: written beside, moved into place in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError

_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # Windows has no quota error


def require_output(path: str | Path, overwrite: bool = False) -> Path:
    """Return where an output file goes, or raise an OutputError if it cannot be written.

    Call it before hours of work rather than after.

    Parameters
    ----------
    path : path
        The file. A link is followed: the file that it points to is written.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Returns
    -------
    Path
        The file, with its folder resolved.

    Raises
    ------
    OutputError
        If a file is there that may not be replaced, if the path is a folder, a pipe or a
        device, or if its folder is missing or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     require_output(f"{folder}/stars.ecsv").name
    'stars.ecsv'
    """
    final = _checked(path, overwrite)
    try:
        # Permissions alone do not tell: the file system may be read-only, or the disk full.
        tempfile.TemporaryFile(dir=final.parent).close()
    except OSError as problem:
        raise OutputError(_sentence(Path(path), problem)) from problem
    return final


def _checked(path: str | Path, overwrite: bool) -> Path:
    """Return where an output file goes, or raise an OutputError if it may not go there."""
    given = Path(path)
    try:
        final = Path(os.path.realpath(given))
        kind = final.stat().st_mode
    except FileNotFoundError:
        kind = None
    except (OSError, ValueError) as problem:
        raise OutputError(_sentence(given, problem)) from problem
    if kind is not None and stat.S_ISDIR(kind):
        raise OutputError(f"{given} is a folder; give the name of a file.")
    if kind is not None and not stat.S_ISREG(kind):
        raise OutputError(f"{given} is a pipe or a device; give the name of a file.")
    if kind is not None and not overwrite:
        raise OutputError(
            f"{given} exists; nothing was written. Give --overwrite to replace it "
            "(overwrite=True in Python), or another name."
        )
    if not final.parent.is_dir():
        raise OutputError(
            f"{given} cannot be written: there is no folder {final.parent}. Make it first."
        )
    return final


@contextmanager
def replacing(path: str | Path, overwrite: bool = True) -> Iterator[Path]:
    """Yield the path of a partial file, which becomes the output file when the block ends.

    If the block fails, nothing is left of the partial file, and an old file stays as it was.

    Parameters
    ----------
    path : path
        The output file.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Yields
    ------
    Path
        Where to write; in the same folder, so that the last step is one rename.

    Raises
    ------
    OutputError
        If the file cannot be written, as on a full disk; names the file and says why.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/note.txt") as partial:
    ...         _ = partial.write_text("whole", encoding="utf-8")
    ...     Path(folder, "note.txt").read_text(encoding="utf-8")
    'whole'
    """
    final = _checked(path, overwrite)
    # A name has 255 bytes at most, so that the partial file's cannot hold all of a long one.
    partial = final.with_name(f".{final.name[:40]}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        if not overwrite:
            _checked(path, overwrite)  # somebody else may have written it meanwhile
        partial.replace(final)
    except OSError as problem:
        _remove(partial)
        raise OutputError(_sentence(Path(path), problem)) from problem
    except BaseException:  # Ctrl-C too
        _remove(partial)
        raise


def write_whole(path: str | Path, content: bytes, overwrite: bool = True) -> None:
    """Write a file in one step: whoever looks finds the old file or the new one, whole.

    Parameters
    ----------
    path : path
        The file.
    content : bytes
        What it holds then.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written; names the file and says why.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/note.txt", b"whole")
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['note.txt']
    """
    with replacing(path, overwrite) as partial:
        partial.write_bytes(content)


def _remove(partial: Path) -> None:
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)


def _sentence(path: Path, problem: OSError | ValueError) -> str:
    """Return in a sentence why a file cannot be written, and what to do."""
    code = getattr(problem, "errno", None)
    reason = getattr(problem, "strerror", None) or str(problem).splitlines()[0]
    remedy = "Make room" if code in _DISK_FULL else "Give another place"
    return f"{path} cannot be written: {reason}. {remedy}; nothing was saved."
