"""Serve the explorer: ``panel serve apps/explorer.py``, or :func:`serve` from Python.

Panel runs this file by its path, where relative imports do not work; so its imports
are absolute.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import panel as pn
import torch

from spectrabridge.core.errors import SpectrabridgeError
from spectrabridge.explorer import shelf
from spectrabridge.explorer.app import Explorer
from spectrabridge.explorer.messages import handle_exception


def build(
    bundle: str | None = None, files: Sequence[Path] = (), vetting: Path | None = None
) -> Explorer:
    """Return the explorer of a new session.

    Parameters
    ----------
    bundle : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if not
        given.
    files : sequence of path
        apStar files to open at once.
    vetting : path, optional
        File of decisions about candidate features; the default one of each bundle if not
        given.
    """
    pn.extension(notifications=True, exception_handler=handle_exception)
    explorer = Explorer(bundle, files, vetting, pn.state.session_args)
    explorer.start()
    return explorer


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raise unless a server can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return int(probe.getsockname()[1])
        except OSError as problem:
            raise SpectrabridgeError(
                f"The explorer cannot listen at {host}, port {port}: {problem.strerror}. "
                "Choose another port with --port, or stop the program that uses it."
            ) from problem


def _page(
    bundle: str, files: Sequence[Path], vetting: Path | None = None
) -> Callable[[], Explorer]:
    return lambda: build(bundle, files, vetting)


def serve(
    bundle: str | None = None,
    port: int = 5006,
    host: str = "localhost",
    open_browser: bool = False,
    files: tuple[Path, ...] = (),
    vetting: Path | None = None,
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
    vetting : path, optional
        File of decisions about candidate features; the default one of each bundle if not
        given.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    SpectrumError
        If one of the files cannot be used.
    SpectrabridgeError
        If the port is taken.
    """
    from spectrabridge.core.io.apstar import read_apstar

    torch.set_num_threads(1)
    name, _, _ = shelf.shared_bundle(bundle)
    port = _free_port(host, port)
    names = {host, "localhost", "127.0.0.1"}
    if host in ("0.0.0.0", "::"):
        names |= {socket.gethostname(), socket.getfqdn()}
    for path in files:
        read_apstar(path)  # a file named on the command line fails there, not in every page
    # What has been imported stays; the collector need not go through it for every session.
    gc.freeze()
    server = pn.serve(
        {"/": _page(name, files, vetting)},
        port=port,
        address=host,
        show=False,
        start=False,
        title="spectrabridge",
        websocket_origin=[f"{n}:{port}" for n in sorted(names)],
        verbose=False,
    )
    server.start()
    address = "localhost" if host in ("0.0.0.0", "::") else host
    print(f"spectrabridge explorer: http://{address}:{server.port}")
    print("Press Ctrl-C to stop.", flush=True)
    if open_browser:
        server.show("/")
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        print("Stopped.")


if __name__.startswith("bokeh_app"):
    build().servable(title="spectrabridge")
