"""Serve the explorer to one person or to a group."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import panel as pn
import torch
from tornado import process
from tornado.ioloop import PeriodicCallback

from ...core.errors import SpectrabridgeError
from ...core.io.read_apart import start_reading_apart
from ...explorer.app import Explorer
from ...explorer.pages import import_pages
from ...explorer.session import open_bundles
from ...explorer.session.messages import handle_exception
from ...explorer.share.url import make_legible
from ...explorer.widgets.file_drop import FileDrop
from .log import write_log
from .workarounds.busy_cleanup import start_busy_cleanup
from .workarounds.closed_sockets import pass_over_closed_sockets
from .workarounds.cookie_flags import flag_cookies
from .workarounds.style_sheets import keep_style_sheets_here

if TYPE_CHECKING:
    from panel.io.server import Server

    from .sessions import Sessions
    from .sign_in import SignIn

DISCONNECTED = (
    "The connection to the server is gone: it was stopped, or this page was left alone for too "
    "long. Reload the page to go on; the address keeps what is shown."
)
"""What a page says when its server has gone."""


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
        Files with spectra to open at once.
    vetting : path, optional
        File of decisions about candidate features; the default one of each bundle if not
        given.
    """
    # Panel takes a theme from there, too, and stumbles over bytes that are no text.
    make_legible(pn.state.session_args)
    pn.extension(
        notifications=True,
        exception_handler=handle_exception,
        disconnect_notification=DISCONNECTED,
    )
    if pn.state.curdoc is not None:
        keep_style_sheets_here(pn.state.curdoc)
    explorer = Explorer(bundle, files, vetting, pn.state.session_args)
    explorer.start()
    return explorer


@dataclass(frozen=True)
class Group:
    """How the explorer is served to more than the one who starts it.

    Parameters
    ----------
    origins : tuple of str
        Hosts, with ports, whose pages may connect, such as ``stars.example.org``; a scheme
        before them is taken off.
    prefix : str
        Path in front of all addresses, such as ``/stars``.
    root_path : str
        Path under which a reverse proxy that takes it off shows the explorer.
    behind_proxy : bool
        Whether a reverse proxy says in headers who asks, and by what scheme.
    processes : int
        Processes that answer; each has its own sessions.
    max_sessions : int or None
        Sessions at the same time, of all processes together.
    idle_timeout : float or None
        Minutes after which a session that nobody has touched ends.
    max_upload : int
        Largest file that a browser may send, in MB.
    log_json : bool
        Whether the log is JSON, an object in each line.
    sign_in : SignIn, optional
        Who may enter; everybody if not given.
    """

    origins: tuple[str, ...] = ()
    prefix: str = ""
    root_path: str = ""
    behind_proxy: bool = False
    processes: int = 1
    max_sessions: int | None = None
    idle_timeout: float | None = None
    max_upload: int = 100
    log_json: bool = False
    sign_in: SignIn | None = None


def origin(text: str) -> str:
    """Return host and port of an allowed origin.

    Raises
    ------
    SpectrabridgeError
        If it is not an origin.
    """
    found = re.fullmatch(r"(?:https?://)?([\w.*-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?/?", text)
    if found is None:
        raise SpectrabridgeError(
            f"Expected an origin such as stars.example.org or localhost:8080; found {text!r}."
        )
    port = found[2] or (":443" if text.startswith("https://") else "")
    return found[1].lower() + port


def path_prefix(text: str) -> str:
    """Return a path such as ``/stars``, with one slash before it and none behind.

    Raises
    ------
    SpectrabridgeError
        If it is not such a path.
    """
    path = text.strip("/")
    if not path:
        return ""
    if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path):
        raise SpectrabridgeError(f"Expected a path such as /stars; found {text!r}.")
    return "/" + path


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


def _allowed(host: str, port: int, origins: Iterable[str]) -> list[str]:
    """Return the hosts whose pages may connect."""
    names = {host, "localhost", "127.0.0.1"}
    if host in ("0.0.0.0", "::"):
        names |= {socket.gethostname(), socket.getfqdn()}
    return sorted({f"{n}:{port}" for n in names} | {origin(o) for o in origins})


def _start(
    page: Callable[[], Explorer], port: int, host: str, group: Group, sessions: Sessions
) -> Server:
    """Return a server that listens; in each process if there are several."""
    from .routes import our_routes, server_options

    flag_cookies()
    options = server_options(sessions)
    if group.prefix:
        options["prefix"] = group.prefix
    if group.sign_in is not None:
        options |= group.sign_in.options(options["metrics"])
    if group.processes > 1:
        options["num_procs"] = group.processes
    with our_routes():
        server = pn.serve(
            {"/": page},
            port=port,
            address=host,
            show=False,
            start=False,
            title="spectrabridge",
            websocket_origin=_allowed(host, port, group.origins),
            verbose=False,
            root_path=f"{group.root_path}/" if group.root_path else None,
            use_xheaders=group.behind_proxy,
            check_unused_sessions_milliseconds=2000,
            # Nobody but this server makes sessions; its processes have the same key.
            sign_sessions=True,
            secret_key=secrets.token_bytes(32),
            **options,
        )
    sessions.watch(lambda: [session.id for session in server.get_sessions()])
    server.start()
    start_reading_apart()  # in each process, so that the first dropped file need not wait
    server.io_loop.add_callback(start_busy_cleanup)
    server.io_loop.add_callback(lambda: pass_over_closed_sockets(asyncio.get_running_loop()))
    return server


def _end_with_parent(server: Server) -> None:
    """Stop when the process that forked this one is gone."""
    parent = os.getppid()

    def look() -> None:
        if os.getppid() != parent:
            server.io_loop.stop()

    PeriodicCallback(look, 1000).start()


def _require_readable(files: tuple[Path, ...]) -> None:
    """Raise a sentence for a file of the command line there, not in every page."""
    for path in files:
        # Readers take half a second to load, which the first screen need not wait for.
        from ...core.io.star_file import read_star

        read_star(path, path.name)


def _address(host: str, port: int, group: Group) -> str:
    """Return the address at which the explorer is found from this machine."""
    name = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://{name}:{port}{group.prefix}"


def _run(
    page: Callable[[], Explorer],
    port: int,
    host: str,
    group: Group,
    sessions: Sessions,
    url: str,
    open_browser: bool,
) -> None:
    """Serve in one process or several until interrupted."""
    if group.processes > 1:  # the server forks when it is made; what follows runs in each
        import_pages()
        print(f"spectrabridge explorer: {url} ({group.processes} processes)", flush=True)
    try:
        server = _start(page, port, host, group, sessions)
        if group.processes > 1:
            _end_with_parent(server)
        else:
            print(f"spectrabridge explorer: {url}")
        if process.task_id() in (None, 0):
            print("Press Ctrl-C to stop.", flush=True)
            if open_browser:
                server.show("/")
        server.io_loop.start()
    except KeyboardInterrupt:
        if process.task_id() in (None, 0):
            print("Stopped.")
    if process.task_id() is not None:
        sys.stdout.flush()
        os._exit(0)  # the parent cleans up, once, for all of its copies


def _serve_window(
    page: Callable[[], Explorer], port: int, host: str, group: Group, sessions: Sessions, url: str
) -> None:
    """Serve from a thread, and show the page in a window until it is closed."""
    import asyncio

    from .desktop_window import show

    started = threading.Event()
    servers: list[Server] = []
    problems: list[BaseException] = []

    def run() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            servers.append(_start(page, port, host, group, sessions))
        except BaseException as problem:
            problems.append(problem)
        started.set()
        if servers:
            servers[0].io_loop.start()

    thread = threading.Thread(target=run, name="server", daemon=True)
    thread.start()
    started.wait()
    if problems:
        raise problems[0]
    print(f"spectrabridge explorer: {url}")
    print("Close its window to stop.", flush=True)
    try:
        show(url)
    finally:
        servers[0].io_loop.add_callback(servers[0].io_loop.stop)
        thread.join(5)
    print("Stopped.")


def serve(
    bundle: str | None = None,
    port: int = 5006,
    host: str = "localhost",
    open_browser: bool = False,
    files: tuple[Path, ...] = (),
    vetting: Path | None = None,
    group: Group | None = None,
    window: bool = False,
) -> None:
    """Serve the explorer until interrupted, and print its address.

    Parameters
    ----------
    bundle : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if
        not given. It is opened before the server starts.
    port : int
        Port to listen at; 0 takes a free one.
    host : str
        Address to listen at; ``localhost`` cannot be reached from other machines.
    open_browser : bool
        Whether to open the page in the default browser.
    files : tuple of path
        Files with spectra to open in every session.
    vetting : path, optional
        File of decisions about candidate features; the default one of each bundle if not
        given.
    group : Group, optional
        Origins, sign-in, limits and processes.
    window : bool
        Whether to show the page in a window of its own; when it is closed, the server stops.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    SpectrumError
        If one of the files cannot be used.
    SpectrabridgeError
        If the port is taken, something of `group` is wrong, or there can be no window.
    """
    from .sessions import Sessions

    group = group or Group()
    if window:
        from .desktop_window import require

        require()
    _allowed(host, port, group.origins)
    torch.set_num_threads(1)
    write_log(group.log_json)
    name, opened, _ = open_bundles.shared_bundle(bundle)
    port = _free_port(host, port)
    _require_readable(files)
    FileDrop.param.largest.default = group.max_upload * 10**6
    sessions = Sessions(opened.name, group.processes, group.max_sessions, group.idle_timeout)
    url = _address(host, port, group)
    page = _page(name, files, vetting)
    if window:
        _serve_window(page, port, host, group, sessions, url)
        return
    _run(page, port, host, group, sessions, url, open_browser)
