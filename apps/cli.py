"""The command line: ``spectrabridge VERB``.

Exit codes: 0 done, 1 the work failed (one line on stderr), 2 wrong usage. Long work
shows a progress bar on stderr; figures go to stdout, as JSON with ``--json``.
"""

from __future__ import annotations

import traceback
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
from .serve import serve_command
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


def _print_citation(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from ..core.citation import bibtex

        click.echo(bibtex())
        ctx.exit()


@click.group(
    cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="spectrabridge")
@click.option(
    "--cite",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_citation,
    help="Print BibTeX of spectrabridge and of the paper behind it, and exit.",
)
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def main(debug: bool) -> None:
    """See what stellar models are missing."""


for _command in (
    serve_command,
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


if __name__ == "__main__":
    main()
