"""The command line: ``spectrabridge VERB``.

Exit codes: 0 done, 1 the work failed (one line on stderr), 2 wrong usage. Long work
shows a progress bar on stderr; figures go to stdout, as JSON with ``--json``.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import click

from ..core.errors import SpectrabridgeError
from ..core.version import __version__
from .bundles import bundles_group
from .embed import embed_command
from .evaluate import evaluate_command
from .fetch_apogee import fetch_apogee_command
from .fit import fit_command
from .import_grid import import_grid_command
from .lines import lines_command
from .make_grid import make_grid_command
from .train_adaptation import train_adaptation_command
from .train_emulator import train_emulator_command
from .vetting import vetting_group


class _Program(click.Group):
    """Turns errors written for users into one line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of a pipe has gone; click ends quietly
        except (SpectrabridgeError, OSError) as problem:
            if ctx.params.get("debug"):
                traceback.print_exc()
            name = getattr(problem, "filename", None)
            text = str(problem)
            if isinstance(problem, OSError) and problem.strerror:
                text = f"{problem.strerror}: {name}" if name else problem.strerror
            click.echo(f"spectrabridge: {text}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("spectrabridge: interrupted.", err=True)
            ctx.exit(1)


@click.group(
    cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="spectrabridge")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def main(debug: bool) -> None:
    """See what stellar models are missing."""


for _command in (
    make_grid_command,
    import_grid_command,
    train_emulator_command,
    train_adaptation_command,
    embed_command,
    evaluate_command,
    fit_command,
    lines_command,
    vetting_group,
    fetch_apogee_command,
    bundles_group,
):
    main.add_command(_command)


@main.command("serve")
@click.argument("bundle", required=False)
@click.argument("spectra", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=5006, show_default=True)
@click.option("--open/--no-open", "open_browser", default=False, help="Open a browser.")
@click.option(
    "--vetting",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of decisions about candidate features. [default: one for each bundle, in the "
    "user's data folder]",
)
def serve_command(
    bundle: str | None,
    spectra: tuple[Path, ...],
    host: str,
    port: int,
    open_browser: bool,
    vetting: Path | None,
) -> None:
    """Serve the explorer on BUNDLE (a name or a path; the default one if not given).

    SPECTRA are apStar FITS files to lay over the model from the start.
    """
    from .explorer import serve

    if bundle and Path(bundle).is_file() and not bundle.lower().endswith(".zip"):
        spectra = (Path(bundle), *spectra)
        bundle = None
    serve(
        bundle=bundle,
        port=port,
        host=host,
        open_browser=open_browser,
        files=spectra,
        vetting=vetting,
    )


if __name__ == "__main__":
    main()
