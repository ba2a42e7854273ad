"""Serve the explorer: ``panel serve apps/explorer.py``, or :func:`serve` from Python.

Panel runs this file by its path, where relative imports do not work; so its imports
are absolute.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import panel as pn
import torch

from spectrabridge.core.errors import SpectrabridgeError
from spectrabridge.explorer import shelf
from spectrabridge.explorer.app import Explorer
from spectrabridge.explorer.messages import handle_exception


def build(bundle: str | None = None, files: Sequence[Path] = ()) -> Explorer:
    """Return the explorer of a new session.

    Parameters
    ----------
    bundle : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if not
        given.
    files : sequence of path
        apStar files to open at once.
    """
    pn.extension(notifications=True, exception_handler=handle_exception)
    explorer = Explorer(bundle, files)
    explorer.start()
    return explorer


def _require_free(host: str, port: int) -> None:
    """Raise unless a server can listen at the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise SpectrabridgeError(
                f"The explorer cannot listen at {host}, port {port}: {problem.strerror}. "
                "Choose another port with --port, or stop the program that uses it."
            ) from problem


def _page(bundle: str, files: Sequence[Path]) -> Callable[[], Explorer]:
    return lambda: build(bundle, files)


def serve(
    bundle: str | None = None,
    port: int = 5006,
    host: str = "localhost",
    open_browser: bool = False,
    files: tuple[Path, ...] = (),
) -> None:
    """Serve the explorer until interrupted, and print its address.

    Parameters
    ----------
    bundle : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if
        not given. It is opened before the server starts.
    port : int
        Port to listen at.
    host : str
        Address to listen at; ``localhost`` cannot be reached from other machines.
    open_browser : bool
        Whether to open the page in the default browser.
    files : tuple of path
        apStar files to open in every session.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    SpectrabridgeError
        If the port is taken.
    """
    torch.set_num_threads(1)
    name, _, _ = shelf.shared_bundle(bundle)
    _require_free(host, port)
    names = {host, "localhost", "127.0.0.1"}
    if host in ("0.0.0.0", "::"):
        names |= {socket.gethostname(), socket.getfqdn()}
    print(f"spectrabridge explorer: http://{'localhost' if host == '0.0.0.0' else host}:{port}")
    print("Press Ctrl-C to stop.", flush=True)
    pn.serve(
        {"/": _page(name, files)},
        port=port,
        address=host,
        show=open_browser,
        title="spectrabridge",
        websocket_origin=[f"{n}:{port}" for n in sorted(names)],
        verbose=False,
    )


if __name__.startswith("bokeh_app"):
    build().servable(title="spectrabridge")
