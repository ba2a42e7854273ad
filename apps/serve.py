"""``spectrabridge serve``: the explorer, for one person or a group."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click.core import ParameterSource

from ..core.errors import SpectrabridgeError
from .server.sign_in import PROVIDERS, SignIn, read_oauth, read_passwords


def _sign_in(
    basic_auth: str | None,
    provider: str | None,
    redirect_uri: str | None,
    users: tuple[str, ...],
) -> SignIn | None:
    """Return how visitors sign in, None if they need not."""
    try:
        if basic_auth:
            return SignIn(passwords=read_passwords(basic_auth))
        return read_oauth(provider, redirect_uri, users) if provider else None
    except SpectrabridgeError as problem:
        raise click.UsageError(str(problem)) from problem


@click.command("serve")
@click.argument("bundle", required=False)
@click.argument("spectra", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5006,
    show_default=True,
    help="Port to listen on; 0 takes a free one, and so does --window without --port.",
)
@click.option("--open/--no-open", "open_browser", default=False, help="Open a browser.")
@click.option(
    "--window", is_flag=True, help="Show a window of its own; the server stops when it is closed."
)
@click.option(
    "--vetting",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of decisions about candidate features. [default: one for each bundle, in the "
    "user's data folder]",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Name under which others reach the explorer, such as stars.example.org; may be repeated.",
)
@click.option("--prefix", default="", metavar="PATH", help="Path in front of all addresses.")
@click.option(
    "--root-path",
    default="",
    metavar="PATH",
    help="Path that a reverse proxy takes off before it asks.",
)
@click.option(
    "--behind-proxy", is_flag=True, help="Believe a reverse proxy's X-Forwarded-* headers."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that answer (Linux and macOS).",
)
@click.option(
    "--max-sessions",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Pages that may be open at a time.",
)
@click.option(
    "--idle-timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="MINUTES",
    help="End sessions that nobody has touched for so long.",
)
@click.option(
    "--max-upload",
    type=click.IntRange(1, 2000),
    default=100,
    show_default=True,
    metavar="MB",
    help="Largest file that a browser may send.",
)
@click.option("--log-json", is_flag=True, help="Write the log as JSON, an object in each line.")
@click.option(
    "--basic-auth",
    metavar="FILE|env:NAME",
    help="Ask for a password: a file of user:password lines, or of one password for all, or a "
    "variable of the environment.",
)
@click.option(
    "--oauth-provider",
    type=click.Choice(PROVIDERS),
    help="Have visitors sign in there. Takes PANEL_OAUTH_KEY, PANEL_OAUTH_SECRET, "
    "PANEL_COOKIE_SECRET and PANEL_OAUTH_ENCRYPTION from the environment.",
)
@click.option("--oauth-redirect-uri", metavar="URL", help="Where the provider sends visitors back.")
@click.option(
    "--allow-user",
    "users",
    multiple=True,
    metavar="USER",
    help="Who may enter with --oauth-provider; all whom it knows if not given. May be repeated.",
)
def serve_command(
    bundle: str | None,
    spectra: tuple[Path, ...],
    host: str,
    port: int,
    open_browser: bool,
    window: bool,
    vetting: Path | None,
    origins: tuple[str, ...],
    prefix: str,
    root_path: str,
    behind_proxy: bool,
    processes: int,
    max_sessions: int | None,
    idle_timeout: float | None,
    max_upload: int,
    log_json: bool,
    basic_auth: str | None,
    oauth_provider: str | None,
    oauth_redirect_uri: str | None,
    users: tuple[str, ...],
) -> None:
    """Serve the explorer on BUNDLE (a name or a path; the default one if not given).

    SPECTRA are files of any format that is read, to lay over the model from the start.
    """
    if window and (processes > 1 or open_browser):
        raise click.UsageError("--window cannot be had together with --processes or --open.")
    if processes > 1 and sys.platform == "win32":
        raise click.UsageError("--processes needs Linux or macOS.")
    if basic_auth and oauth_provider:
        raise click.UsageError("--basic-auth and --oauth-provider: choose one.")
    if (users or oauth_redirect_uri) and not oauth_provider:
        raise click.UsageError("--allow-user and --oauth-redirect-uri need --oauth-provider.")
    if prefix and root_path:
        raise click.UsageError(
            "--prefix is for a proxy that leaves the path, --root-path for one that takes it off: "
            "choose one."
        )
    sign_in = _sign_in(basic_auth, oauth_provider, oauth_redirect_uri, users)
    source = click.get_current_context().get_parameter_source("port")
    if window and source is ParameterSource.DEFAULT:
        port = 0
    if bundle and Path(bundle).is_file() and not bundle.lower().endswith(".zip"):
        spectra = (Path(bundle), *spectra)
        bundle = None

    from .server.server import Group, origin, path_prefix, serve

    try:
        group = Group(
            origins=tuple(origin(o) for o in origins),
            prefix=path_prefix(prefix),
            root_path=path_prefix(root_path),
            behind_proxy=behind_proxy,
            processes=processes,
            max_sessions=max_sessions,
            idle_timeout=idle_timeout,
            max_upload=max_upload,
            log_json=log_json,
            sign_in=sign_in,
        )
    except SpectrabridgeError as problem:
        raise click.UsageError(str(problem)) from problem
    serve(
        bundle=bundle,
        port=port,
        host=host,
        open_browser=open_browser,
        files=spectra,
        vetting=vetting,
        group=group,
        window=window,
    )
