"""What a library raises while it reads a file, as a sentence for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import SpectrabridgeError, SpectrumError


@contextmanager
def understood(
    name: str | Path,
    what: str,
    error: type[SpectrabridgeError] = SpectrumError,
    advice: str = "Download or make it again.",
) -> Iterator[None]:
    """Turn whatever a reader raises into an error of this package that names the file.

    One damaged byte surfaces as any kind of error in the libraries that parse a file, so
    that a list of kinds is never complete. Errors of this package pass through unchanged,
    and so do KeyboardInterrupt and the other ways to end a program.

    Parameters
    ----------
    name : str or path
        What to call the file.
    what : str
        What it is read as, with an article: ``a FITS table``.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.
    advice : str
        What to do about a damaged file, one sentence.

    Raises
    ------
    SpectrabridgeError
        Of the kind `error`, from whatever was raised inside.

    Examples
    --------
    >>> try:
    ...     with understood("star.npz", "an npz file"):
    ...         raise ValueError("bad magic number")
    ... except Exception as problem:
    ...     print(problem)
    star.npz cannot be read as an npz file: it is truncated or damaged, or of another kind. \
Download or make it again.
    """
    try:
        yield
    except SpectrabridgeError:
        raise
    except MemoryError as problem:
        raise error(
            f"{name} needs more memory than there is to be read as {what}. Cut it into smaller "
            "files, or read it on a larger machine."
        ) from problem
    except OSError as problem:
        if problem.errno is None or not problem.strerror:
            raise error(_damaged(name, what, advice)) from problem
        raise error(f"{name} cannot be read: {problem.strerror}.") from problem
    except Exception as problem:
        raise error(_damaged(name, what, advice)) from problem
    except BaseException as problem:
        # Libraries in Rust (safetensors) end with a panic of their own, which is no Exception.
        if type(problem).__name__ != "PanicException":
            raise
        raise error(_damaged(name, what, advice)) from problem


def _damaged(name: str | Path, what: str, advice: str) -> str:
    why = "it is truncated or damaged, or of another kind"
    return f"{name} cannot be read as {what}: {why}. {advice}".strip()
