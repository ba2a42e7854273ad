"""Panel keeps the first session of a server for ever, by a callback that it starts in its name.

Without this: what the first visitor had open stays in memory as long as the server runs.

Versions: Panel 1.9.4 and before. The callback that forgets unanswered events is started by the
first event of any session, and keeps that session's document as its own.
"""

from __future__ import annotations

import panel as pn


def start_busy_cleanup() -> None:
    """Start Panel's callback in nobody's name; to be called in the loop of the server."""
    pn.state._schedule_busy_cleanup()
