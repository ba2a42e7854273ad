"""Continuum pixels of a grid, derived from its synthetic spectra."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.grid import read_grid
from ..spectra.continuum import CONTINUUM_FRACTION, N_BLOCKS
from ..spectra.spectra import Spectra
from ..spectra.stored_continuum_pixels import STORED_PIXELS


def derive_continuum_pixels(
    spectra: Spectra,
    fraction: float = CONTINUUM_FRACTION,
    blocks_per_chip: int = N_BLOCKS,
    width: int = 1,
) -> NDArray[np.bool_]:
    """Find the pixels that stay near the continuum whatever the labels.

    Pixels are ranked by ``(1 - median) + spread`` of their flux over the giants of the
    grid, spread being the distance between the 5th and the 95th percentile: it is
    small where a pixel is high and depends little on the labels. The best ones are
    taken from every block of every chip, so that the ends of the polynomial are held.

    Parameters
    ----------
    spectra : Spectra
        Synthetic spectra divided by their true continuum. If there is a column
        ``kind``, only rows where it is 1 (draws from the giant branch) are used.
    fraction : float
        Part of the pixels of each block to take.
    blocks_per_chip : int
        Blocks into which each chip is cut.
    width : int
        A pixel counts as bad as the worst one up to this many pixels away, so that
        a small error of the velocity or the line spread function does no harm.

    Returns
    -------
    ndarray of bool, shape ``(n_pixels,)``
        True at continuum pixels; False off the chips.
    """
    kind = spectra.columns.get("kind")
    flux = spectra.flux if kind is None or not (kind == 1).any() else spectra.flux[kind == 1]
    low, middle, high = np.percentile(flux, (5, 50, 95), axis=0)
    rank = (1 - middle) + (high - low)
    out = np.zeros(spectra.grid.n_pixels, bool)
    for chip in spectra.grid.chips:
        padded = np.pad(rank[chip.pixels], width, mode="edge")
        worst = np.lib.stride_tricks.sliding_window_view(padded, 2 * width + 1).max(axis=1)
        for block in np.array_split(np.arange(len(chip)), blocks_per_chip):
            count = max(1, round(fraction * block.size))
            out[chip.start + block[np.argsort(worst[block], kind="stable")[:count]]] = True
    return out


def stored_form(spectra: Spectra, pixels: NDArray[np.bool_], **parameters: Any) -> dict[str, Any]:
    """Return what :data:`STORED_PIXELS` holds for a list of continuum pixels.

    Parameters
    ----------
    spectra : Spectra
        The synthetic grid that the list was derived from.
    pixels : ndarray of bool, shape ``(n_pixels,)``
        The list.
    **parameters
        Parameters of :func:`derive_continuum_pixels`.
    """
    where = np.flatnonzero(pixels)
    return {
        "description": "Continuum pixels: indices on the grid and vacuum wavelengths in angstrom.",
        "source": {
            "file": spectra.provenance.get("file", ""),
            "n_spectra": len(spectra),
            "function": "spectrabridge.core.synthesis.continuum_pixels.derive_continuum_pixels",
            "parameters": parameters,
            "command": "python -m spectrabridge.core.synthesis.continuum_pixels "
            + str(spectra.provenance.get("file", "GRID.npz")),
        },
        "grid": spectra.grid.to_json(),
        "pixels": where.tolist(),
        "wavelength": np.round(spectra.grid.wavelength[where], 2).tolist(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Derive the continuum pixels from a synthetic grid and store them."""
    parser = argparse.ArgumentParser(
        prog="python -m spectrabridge.core.synthesis.continuum_pixels", description=main.__doc__
    )
    parser.add_argument("grid", type=Path, help="synthetic grid, npz")
    parser.add_argument("--out", type=Path, default=STORED_PIXELS, help="file to write")
    given = parser.parse_args(arguments)
    spectra = read_grid(given.grid)
    pixels = derive_continuum_pixels(spectra)
    parameters = {"fraction": CONTINUUM_FRACTION, "blocks_per_chip": N_BLOCKS, "width": 1}
    text = json.dumps(stored_form(spectra, pixels, **parameters), separators=(",", ":"))
    # One array per line keeps the file small and its changes readable.
    given.out.write_text(
        text.replace('],"', '],\n"').replace('},"', '},\n"') + "\n", encoding="utf-8"
    )
    print(f"{pixels.sum()} of {len(spectra.grid.chip_pixels)} pixels written to {given.out}")


if __name__ == "__main__":
    main()
