"""The command line: ``spectrabridge VERB``.

Exit codes: 0 done, 1 the work failed or was interrupted (one line on stderr), 2 wrong
usage, 143 terminated by SIGTERM (one line on stderr, what is done is kept). Long work
shows a progress bar on stderr; figures go to stdout, as JSON with ``--json``.
"""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from ..core.errors import SpectrabridgeError
from ..core.user_data import require_home
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

TERMINATED = 143
"""Exit code after SIGTERM, as shells have it: 128 and the number of the signal."""


class Program(click.Group):
    """Turns errors written for users, Ctrl-C and SIGTERM into one line on stderr."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; see the module for the exit codes."""
        with _ended_like_ctrl_c() as terminated:
            try:
                require_home()
                result = super().invoke(ctx)
            except BrokenPipeError:
                raise  # the reader of a pipe has gone; click ends quietly
            except (SpectrabridgeError, OSError) as problem:
                if ctx.params.get("debug"):
                    traceback.print_exc()
                click.echo(f"spectrabridge: {_sentence(problem)}", err=True)
                ctx.exit(TERMINATED if terminated() else 1)
            except KeyboardInterrupt:
                word = "terminated" if terminated() else "interrupted"
                click.echo(f"spectrabridge: {word}.", err=True)
                ctx.exit(TERMINATED if terminated() else 1)
            if terminated():
                ctx.exit(TERMINATED)
            return result


def _sentence(problem: SpectrabridgeError | OSError) -> str:
    """Return what is said about an error; the system's own errors name their file."""
    if isinstance(problem, OSError) and problem.strerror:
        name = problem.filename
        return f"{problem.strerror}: {name}" if name else problem.strerror
    return str(problem)


@contextmanager
def _ended_like_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Have SIGTERM do what Ctrl-C does; yield what tells whether it came.

    Batch systems and service managers end a process by SIGTERM: a fit or a training then
    keeps its state and says so, as it does after Ctrl-C.
    """
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        ctrl_c = signal.getsignal(signal.SIGINT)
        if callable(ctrl_c):  # a training finishes its step first
            ctrl_c(signal.SIGINT, frame)
        else:  # shells have jobs in the background ignore Ctrl-C
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread may set what signals do
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_citation(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from ..core.citation import bibtex

        click.echo(bibtex())
        ctx.exit()


@click.group(
    cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
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
