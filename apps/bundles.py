"""``spectrabridge bundles``."""

from __future__ import annotations

import json

import click

from ..core.errors import SpectrabridgeError
from .options import (
    json_option,
    print_figures,
)


@click.group("bundles")
def bundles_group() -> None:
    """List, describe and check bundles."""


@bundles_group.command("list")
@json_option
def bundles_list(as_json: bool) -> None:
    """List the bundles that can be opened by name."""
    from ..core.bundle import list_bundles
    from ..core.bundle.bundle import DEFAULT

    found = list_bundles()
    if as_json:
        keys = ("name", "title", "size")
        rows = [{k: getattr(b, k) for k in keys} | {"default": b.name == DEFAULT} for b in found]
        click.echo(json.dumps(rows, indent=1))
        return
    for b in found:
        mark = "*" if b.name == DEFAULT else " "
        click.echo(f"{mark} {b.name:16s} {b.size / 1e6:5.1f} MB  {b.title}")


@bundles_group.command("info")
@click.argument("bundle")
@json_option
def bundles_info(bundle: str, as_json: bool) -> None:
    """Describe BUNDLE: what it is, how it was made, how good it is."""
    from ..core.bundle import open_bundle

    opened = open_bundle(bundle)
    provenance = {k: v for k, v in opened.provenance.items() if k != "history"}
    if as_json:
        keys = ("name", "title", "description", "fingerprint")
        out = {k: getattr(opened, k) for k in keys}
        click.echo(
            json.dumps(out | {"provenance": provenance, "metrics": opened.metrics}, indent=1)
        )
        return
    click.echo(f"{opened.name}: {opened.title}\n\n{opened.description}\n")
    click.echo(
        f"{len(opened.labels)} labels, {opened.grid.n_pixels} pixels, "
        f"{opened.size / 1e6:.1f} MB, fingerprint {opened.fingerprint}\n"
    )
    click.echo(f"made by: {provenance.get('command', 'not recorded')}")
    print_figures({k: v for k, v in provenance.items() if k != "command"}, False)
    click.echo("\nfigures:")
    print_figures(opened.metrics, False)


@bundles_group.command("verify")
@click.argument("bundle")
@json_option
def bundles_verify(bundle: str, as_json: bool) -> None:
    """Check every file of BUNDLE against its hash, and that its model works."""
    from ..core.bundle import verify_bundle

    problems = verify_bundle(bundle)
    if as_json:
        click.echo(json.dumps({"ok": not problems, "problems": problems}, indent=1))
    if problems:
        raise SpectrabridgeError(" ".join(problems))
    if not as_json:
        click.echo(f"{bundle}: all files are as they were packed, and the model works.")
