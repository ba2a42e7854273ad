"""Ask the Sun and Arcturus whether a bundle's candidate features are real.

    python benchmarks/atlases.py [BUNDLE] --atlases sun_arcturus_R22500.npz [--json]

The atlases are observed spectra of two stars at APOGEE's resolution that no training saw, each
with a synthetic spectrum of the star on the apStar grid (arrays `arcturus_observed`,
`arcturus_synthetic_dr17mol`, the same of the Sun). If the adaptation has learnt about atoms and
not about its training set, the observed star has more absorption than the synthetic one where a
candidate says that the simulator lacks some, and less where it says that it has too much.

Printed for each star and kind: candidates, the part whose sign the atlas has, and the correlation
of the candidates' depths with the mean of observed minus synthetic absorption over their pixels.
Chance gives a half and 0.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.lines import CANDIDATES, Candidate, Candidates, find_candidates
from spectrabridge.core.lines.extent import without_slopes
from spectrabridge.core.spectra import APSTAR_GRID, WavelengthGrid


def on_grid(flux: np.ndarray, grid: WavelengthGrid) -> np.ndarray:
    """Return the pixels of the apStar grid that a grid has."""
    step = np.log10(APSTAR_GRID.wavelength[1] / APSTAR_GRID.wavelength[0])
    pixel = np.log10(grid.wavelength / APSTAR_GRID.wavelength[0]) / step
    return flux[np.rint(pixel).astype(int)]


def compare(more: np.ndarray, rows: list[Candidate]) -> dict[str, Any]:
    """Compare candidates with how much more absorption a star has than its model."""
    seen = np.array([more[c.pixels].mean() for c in rows])
    said = np.array([c.depth for c in rows])
    return {
        "n": len(rows),
        "sign_agrees": float(np.mean(np.sign(seen) == np.sign(said))),
        "correlation": float(np.corrcoef(seen, said)[0, 1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?", default="apogee-giants")
    parser.add_argument("--atlases", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    kept = bundle.attached(CANDIDATES)
    found = find_candidates(bundle) if kept is None else Candidates.loads(kept)
    strongest = sorted(found, key=lambda c: -c.significance)[:100]
    groups = {
        "all": list(found),
        "100 most significant": strongest,
        **{k: [c for c in found if c.kind == k] for k in ("missing", "too weak", "too strong")},
        "missing, no known line": [c for c in found if c.kind == "missing" and not c.near],
    }
    out: dict[str, Any] = {"bundle": bundle.name}
    with np.load(arguments.atlases, allow_pickle=False) as atlas:
        for star in ("sun", "arcturus"):
            more = atlas[f"{star}_synthetic_dr17mol"] - atlas[f"{star}_observed"]
            clean = without_slopes(on_grid(more, bundle.grid), bundle.grid)
            out[star] = {k: compare(clean, rows) for k, rows in groups.items() if len(rows) > 2}
    if arguments.json:
        print(json.dumps(out, indent=1))
        return
    for star in ("sun", "arcturus"):
        for name, row in out[star].items():
            print(
                f"{star:9} {name:24} {row['n']:4d}  sign agrees {row['sign_agrees']:.2f}  "
                f"correlation {row['correlation']:.2f}"
            )


if __name__ == "__main__":
    main()
