"""Fit the shipped atmospheres to a table of MARCS models and say how far off they are.

    python benchmarks/atmospheres.py TABLE.npz [--out FILE] [--held-out 40] [--json]

The errors are those of a fit that has not seen the models held out; the file written is a
fit to all of them, with these errors in its facts. Flux errors: ``benchmarks/synthesis.py``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from spectrabridge.core.atmosphere.table import read_structure_table
from spectrabridge.core.atmosphere.training import errors, held_out_nodes, learn

DESCRIPTION = (
    "spectrabridge's smooth function of Teff, log g and [Fe/H], fitted to plane-parallel MARCS "
    "structures (Gustafsson et al. 2008, A&A 486, 951)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    arrays = read_structure_table(options.table)
    nodes = held_out_nodes(arrays, options.held_out, options.seed)
    blind = learn(arrays, held_out=nodes)
    final = learn(arrays, description=DESCRIPTION)
    final.facts["held_out"] = blind.facts["held_out"]
    final.facts["seen"] = errors(final, arrays, nodes)
    if options.out:
        final.save(options.out)
    figures = {"held_out": final.facts["held_out"], "seen": final.facts["seen"]}
    if options.out:
        figures["bytes"] = options.out.stat().st_size
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for name, values in figures.items():
        print(f"{name}: {values}")


if __name__ == "__main__":
    main()
