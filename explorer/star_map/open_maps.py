"""Maps that are open in this process, each once, shared by all sessions; and making small ones."""

from __future__ import annotations

from threading import Lock

from ...core.bundle import Bundle
from ...core.embedding import (
    NAME,
    Embedding,
    Placer,
    stored_embedding,
)

_lock = Lock()
_maps: dict[tuple[str, str], Embedding | None] = {}
_placers: dict[int, Placer] = {}


def _key(bundle: Bundle) -> tuple[str, str]:
    entry = bundle.data["attached"].get(NAME, {})
    return bundle.fingerprint, str(entry.get("sha256", ""))


def shared_map(bundle: Bundle) -> Embedding | None:
    """Return the map of a bundle: that which it keeps, or one made here; None without one.

    Raises
    ------
    SpectrabridgeError
        If the bundle keeps a map that cannot be used.
    """
    key = _key(bundle)
    with _lock:
        if key not in _maps:
            _maps[key] = stored_embedding(bundle)
        return _maps[key]


def keep_map(bundle: Bundle, embedding: Embedding) -> None:
    """Keep a map that was made here, until the process ends."""
    with _lock:
        _maps[_key(bundle)] = embedding


def placer_of(bundle: Bundle, embedding: Embedding) -> Placer:
    """Return what places stars on a map, the same for all sessions."""
    with _lock:
        return _placers.setdefault(id(embedding), Placer(bundle, embedding))
