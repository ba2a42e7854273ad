"""Tell the user what went wrong: a notification, and a line that stays in the page."""

from __future__ import annotations

import html
import logging

import panel as pn
import panel_material_ui as pmui

from ...core.errors import SpectrabridgeError

log = logging.getLogger("spectrabridge")


def sentence_of(problem: BaseException) -> str:
    """Return what to tell a user about an exception.

    Messages of :class:`~spectrabridge.core.errors.SpectrabridgeError` are written for
    users and stay as they are; of anything else the traceback goes to the log.
    """
    if isinstance(problem, SpectrabridgeError):
        return str(problem)
    log.error("unexpected error in the explorer", exc_info=problem)
    return (
        f"Something went wrong inside the explorer ({type(problem).__name__}). The page still "
        "works; the details are in the log of the server."
    )


def notify(sentence: str) -> None:
    """Show a notification that stays until it is dismissed, where a page can show one."""
    if pn.state.notifications is not None:
        pn.state.notifications.error(sentence, duration=0)


def handle_exception(problem: BaseException) -> None:
    """Tell of an exception that nobody caught; for ``pn.config.exception_handler``."""
    notify(sentence_of(problem))


class Messages(pn.viewable.Viewer):
    """The last message, in a box that can be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.box = pmui.Alert(
            object="",
            severity="error",
            variant="outlined",
            closeable=True,
            visible=False,
            margin=(4, 0, 0, 0),
            sizing_mode="stretch_width",
            sx={
                "padding": "0 8px",
                "fontSize": "12px",
                "lineHeight": 1.25,
                "maxHeight": "78px",
                "overflowY": "auto",
                "& .MuiAlert-icon": {"padding": "3px 0", "marginRight": "8px", "fontSize": "18px"},
                "& .MuiAlert-message p": {"margin": 0},
                "& .MuiAlert-message": {"padding": "2px 0", "overflowWrap": "anywhere"},
            },
        )
        self.box.param.watch(self._closed, "closed")

    @property
    def text(self) -> str:
        """The message on show, empty if there is none."""
        return html.unescape(str(self.box.object)) if self.box.visible else ""

    def tell(self, what: str | BaseException) -> None:
        """Show a sentence or the message of an exception, here and as a notification."""
        sentence = what if isinstance(what, str) else sentence_of(what)
        # The box takes HTML, and what a sentence quotes may be anybody's.
        self.box.object = html.escape(sentence, quote=False)
        self.box.closed = False
        self.box.visible = True
        notify(sentence)

    def _closed(self, *_: object) -> None:
        if self.box.closed:
            self.box.visible = False

    def __panel__(self) -> pn.viewable.Viewable:
        return self.box
