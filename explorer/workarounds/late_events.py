"""Panel handles an event that it has put off without the lock of the document.

Without this: a click or a key within 50 ms of a change of anything on the page fails where it
changes a figure ("_pending_writes should be non-None"), and what the user did is lost. The event
waits for the change, and both are dealt with later.

Versions: Panel 1.9.4 and before, since https://github.com/holoviz/panel/pull/8311 put events
off so that they keep their order. Panel asks the coroutine for an attribute ``lock``, which it
does not set.
"""

from __future__ import annotations

from panel.reactive import Syncable


def lock_late_events() -> None:
    """Have events that were put off dealt with under the lock of their document."""
    Syncable._event_coroutine.lock = True  # type: ignore[attr-defined]
