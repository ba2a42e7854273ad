"""``spectrabridge import-grid``: take over a grid that another code has made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import EXISTING, check_out, json_option, overwrite_option, print_figures


class GridFormat(click.ParamType):
    """A name that a reader of grids registered; readers are imported when one is given."""

    name = "format"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail with all that there are."""
        from ..core.grid_import import GRID_FORMATS

        if value not in GRID_FORMATS:
            self.fail(f"{value!r} is none of {', '.join(GRID_FORMATS.names)}.", param, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what stands for the value in the command's help."""
        from ..core.grid_import import GRID_FORMATS

        return f"[{'|'.join(GRID_FORMATS.names)}]"


def _pairs(values: tuple[str, ...], option: str) -> dict[str, str]:
    out = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.UsageError(f"{option} takes NAME=VALUE; found {text!r}.")
        out[name.strip()] = value.strip()
    return out


@click.command("import-grid")
@click.argument("source", type=EXISTING)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="HDF5 file to write; train-emulator reads it.",
)
@click.option("--format", "format_", type=GridFormat(), help="Whose grid it is.")
@click.option("--labels", "table", type=EXISTING, help="Table with a column file, for folders.")
@click.option(
    "--label", "columns", multiple=True, metavar="LABEL=NAME", help="What a label is called."
)
@click.option("--set", "constants", multiple=True, metavar="LABEL=VALUE", help="A label's value.")
@click.option(
    "--array", "arrays", multiple=True, metavar="WHAT=NAME", help="What an array is called."
)
@click.option("--unit", type=click.Choice(["angstrom", "nm", "um"]), help="Of the wavelengths.")
@click.option("--medium", type=click.Choice(["vacuum", "air"]), help="Of the wavelengths.")
@click.option(
    "--continuum", type=click.Choice(["true", "pseudo"]), help="What flux was divided by."
)
@click.option("--normalise", is_flag=True, help="Draw a continuum through each spectrum.")
@click.option("--resolution", type=click.FloatRange(100), help="Broaden spectra to this one.")
@click.option("--own-pixels", is_flag=True, help="Keep the grid's pixels instead of APOGEE's.")
@overwrite_option
@json_option
def import_grid_command(
    source: Path, out: Path, format_: str | None, overwrite: bool, as_json: bool, **given: Any
) -> None:
    """Take over SOURCE, a grid of another code, as a file that train-emulator reads.

    Order, unit and medium of the wavelengths, the continuum, labels and their units are checked;
    everything that was assumed is said. Formats: npz of The Payne, folders of Payne Zero,
    Turbospectrum, Synspec or synple and pykurucz, FITS cubes with axis keywords, and HDF5, FITS or
    ECSV with a map of columns.
    """
    from ..core.grid_import import ImportSettings, import_grid

    check_out(out, overwrite)
    constants = {}
    for name, text in _pairs(given["constants"], "--set").items():
        try:
            constants[name] = float(text)
        except ValueError:
            raise click.UsageError(f"--set {name} takes a number; found {text!r}.") from None
    settings = ImportSettings(
        unit=given["unit"],
        medium=given["medium"],
        continuum=given["continuum"],
        normalise=given["normalise"],
        resolution=given["resolution"],
        columns=_pairs(given["columns"], "--label"),
        constants=constants,
        own_pixels=given["own_pixels"],
    )
    spectra = import_grid(
        source, format_, settings, table=given["table"], arrays=_pairs(given["arrays"], "--array")
    )
    spectra.save(out)
    notes = list(spectra.provenance["notes"])
    figures: dict[str, Any] = {
        "out": str(out),
        "spectra": len(spectra),
        "pixels": spectra.grid.n_pixels,
        "continuum": spectra.provenance["continuum"],
    }
    if as_json:
        figures["notes"] = notes
    else:
        for note in notes:
            click.echo(note, err=True)
    print_figures(figures, as_json)
