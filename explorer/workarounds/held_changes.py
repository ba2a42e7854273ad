"""Panel throws away changes that it holds outside a server.

Without this: in a notebook what changes while Panel holds a document may never reach the
browser, and with it the calls of Python that should follow; and a hold that one thread lifts,
another sets again that had begun before, so that nothing is sent any more.

Versions: Panel 1.9.4 and before; https://github.com/holoviz/panel/pull/8698 sends what is held
once a browser is connected.
"""

from __future__ import annotations

from bokeh.document import Document


def never_hold(document: Document) -> None:
    """Have all changes of a document told at once, whoever asks for a hold."""
    setattr(document, "hold", lambda policy="combine": None)  # noqa: B010
