"""Options, figures and progress bars that the commands have in common."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path, PureWindowsPath
from typing import Any

import click
from tqdm import tqdm

from ..core.atomic_file import require_output
from ..core.errors import OutputError

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
OUT = click.Path(dir_okay=False, path_type=Path)


def threads_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--threads``."""
    return click.option(
        "--threads",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Threads that torch may use.",
    )(function)


def device_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--device``."""
    return click.option(
        "--device",
        type=click.Choice(["cpu", "cuda"]),
        default="cpu",
        show_default=True,
        help="Where to compute.",
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print figures as JSON.")(function)


def overwrite_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--overwrite``."""
    return click.option("--overwrite", is_flag=True, help="Replace an existing file.")(function)


def set_up_torch(threads: int, device: str) -> None:
    """Set torch's threads; refuse a CUDA device that is not there."""
    import torch

    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise click.UsageError("--device cuda: torch finds no CUDA device on this machine.")


def check_out(
    out: Path, overwrite: bool, suffixes: Iterable[str] = (), option: str = "--out"
) -> None:
    """Refuse a file that cannot be written in the end; better told now than after hours of work.

    Parameters
    ----------
    out : Path
        What was given as --out.
    overwrite : bool
        Whether an existing file may be replaced.
    suffixes : iterable of str
        Endings of which one must be its own; any will do if there are none.
    option : str
        The option that names the file.

    Raises
    ------
    click.UsageError
        In a sentence that begins with the option.
    """
    known = tuple(suffixes)
    if known and out.suffix.lower() not in known:
        raise click.UsageError(
            f"{option}: expected a file that ends in {', '.join(known)}; found {out.name!r}."
        )
    try:
        require_output(out, overwrite)
    except OutputError as problem:
        raise click.UsageError(f"{option}: {problem}") from problem


def check_folder(out: Path, main: str, overwrite: bool) -> None:
    """Refuse a folder that holds a result already, unless it may be replaced.

    Parameters
    ----------
    out : Path
        What was given as --out.
    main : str
        The file that a finished result has there.
    overwrite : bool
        Whether it may be replaced.

    Raises
    ------
    click.UsageError
        If it may not.
    """
    if (out / main).exists() and not overwrite:
        raise click.UsageError(
            f"--out: {out} holds a result already; give --overwrite to replace it, or another "
            "folder."
        )


def print_figures(figures: dict[str, Any], as_json: bool) -> None:
    """Print figures as JSON, or one per line for a person."""
    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    for key, value in figures.items():
        if isinstance(value, float):
            click.echo(f"{key:32s} {value:.5g}")
        elif isinstance(value, int | str | bool):
            click.echo(f"{key:32s} {value}")


@contextmanager
def bar(
    name: str, total: int, unit: str = "step"
) -> Iterator[Callable[[int, int, dict[str, float]], None]]:
    """Yield a progress callback that draws a bar with rate, time left and figures."""
    with tqdm(
        total=total, desc=name, unit=unit, file=sys.stderr, mininterval=0.5, dynamic_ncols=True
    ) as bar:

        def show(step: int, total: int, figures: dict[str, float]) -> None:
            if total != bar.total:
                bar.total = total
            bar.set_postfix({k: f"{v:.3g}" for k, v in figures.items()}, refresh=False)
            bar.update(step - bar.n)

        yield show


@contextmanager
def stage_bars(unit: str = "step") -> Iterator[Callable[..., None]]:
    """Yield a progress callback of several stages, with a bar for each.

    It is called with (name of the stage, step, steps, figures); the figures may be left out.
    """
    with ExitStack() as stack:
        shown: dict[str, Callable[[int, int, dict[str, float]], None]] = {}

        def show(
            stage: str, step: int, total: int, figures: dict[str, float] | None = None
        ) -> None:
            if stage not in shown:
                stack.close()
                shown[stage] = stack.enter_context(bar(stage, total, unit))
            shown[stage](step, total, figures or {})

        yield show


def say(sentence: str) -> None:
    """Print a sentence for a person on stderr."""
    click.echo(sentence, err=True)


def without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {k: v for k, v in given.items() if v is not None}


def typed_command() -> str:
    """Return the command as typed, for provenance; only file names of paths are kept."""

    def short(word: str) -> str:
        option, equals, value = word.rpartition("=")
        if "/" in value or "\\" in value or PureWindowsPath(value).drive:
            value = PureWindowsPath(value).name  # which splits at both kinds of slash
        return option + equals + value

    words = [short(w) for w in sys.argv[1:]]
    return "spectrabridge " + shlex.join(words)
