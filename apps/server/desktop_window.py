"""The explorer in a window of its own on the desktop, by pywebview."""

from __future__ import annotations

from typing import Any

from platformdirs import user_data_path

from ...core.errors import SpectrabridgeError

INSTALL = 'pip install "spectrabridge[desktop]"'


def require() -> Any:
    """Return pywebview.

    Raises
    ------
    SpectrabridgeError
        If it is not installed.
    """
    try:
        import webview
    except ImportError as problem:
        raise SpectrabridgeError(
            f"--window needs pywebview, which is not installed: {INSTALL}. Without --window the "
            "explorer opens in a browser (--open)."
        ) from problem
    return webview


def show(url: str, title: str = "spectrabridge") -> None:
    """Show a page in a window, and return when it has been closed.

    Must be called from the main thread: the systems' windows live there.

    Raises
    ------
    SpectrabridgeError
        If pywebview is not installed, or finds nothing that can show a window.
    """
    webview = require()
    webview.settings["ALLOW_DOWNLOADS"] = True
    try:
        webview.create_window(title, url, width=1360, height=860, min_size=(900, 600))
        # Not private: what the page keeps, such as the tour having been seen, stays.
        webview.start(private_mode=False, storage_path=str(user_data_path("spectrabridge")))
    except webview.errors.WebViewException as problem:
        raise SpectrabridgeError(
            f"No window can be shown here ({problem}). On Linux pywebview needs Qt or GTK, and a "
            f"display: {INSTALL} brings Qt. Without --window the explorer opens in a browser "
            "(--open)."
        ) from problem
