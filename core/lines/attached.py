"""Candidates of a bundle: those that it carries, or found now."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ..bundle import Bundle
from . import CANDIDATES, Candidates

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
    from .discovery import find_candidates

    candidates = find_candidates(bundle, progress=progress)
    with _lock:
        _found[bundle.fingerprint] = candidates
    return candidates
