"""Candidates of a bundle: those that it carries, or found now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from ..bundle.bundle import Bundle
from ..bundle.writing import attach, require_folder
from ..linelist import LineList, read_lines
from .candidate import Candidates
from .discovery import CANDIDATES, LineSettings, find_candidates

_found: dict[str, Candidates] = {}


_lock = Lock()


def candidates_of(bundle: Bundle) -> Candidates | None:
    """Return the candidates attached to a bundle, or found in this process; None if there are none.

    Raises
    ------
    LinesError
        If what is attached is no table of candidates.
    """
    with _lock:
        if bundle.fingerprint in _found:
            return _found[bundle.fingerprint]
    content = bundle.attached(CANDIDATES)
    if content is None:
        return None
    candidates = Candidates.loads(content)
    # A table of other weights names other candidates.
    return candidates if candidates.fingerprint == bundle.fingerprint else None


def find(bundle: Bundle, progress: Callable[[int, int], None] | None = None) -> Candidates:
    """Find the candidates of a bundle, and keep them for all pages of this process.

    Parameters
    ----------
    bundle : Bundle
        Where to look.
    progress : callable, optional
        Called with the number of stars done and to do.
    """
    candidates = find_candidates(bundle, progress=progress)
    with _lock:
        _found[bundle.fingerprint] = candidates
    return candidates


def find_and_store(
    bundle: Bundle,
    settings: LineSettings | None = None,
    *,
    lines: LineList | str | Path | None = None,
    store: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Candidates:
    """Find the lines that the models of a bundle lack or have wrong, and keep them in it.

    It is what ``spectrabridge lines`` does.

    Parameters
    ----------
    bundle : Bundle
        Where to look.
    settings : LineSettings, optional
        What counts.
    lines : LineList or path, optional
        Known lines instead of the shipped ones, or a file of them; see
        :func:`~spectrabridge.core.linelist.read_lines`.
    store : bool
        Attach the candidates to the bundle, where the explorer finds them.
    progress : callable, optional
        Called with the number of stars done and to do.

    Raises
    ------
    BundleError
        If the bundle is a zip file and candidates are to be stored in it.
    LineListError
        If the list cannot be read.
    """
    # What cannot work fails before the work.
    known = lines if lines is None or isinstance(lines, LineList) else read_lines(lines)
    if store:
        require_folder(bundle)
    found = find_candidates(bundle, settings or LineSettings(), lines=known, progress=progress)
    if store:
        attach(bundle, CANDIDATES, found.dumps())
    return found
