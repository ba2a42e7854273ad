"""Fit the shipped atmospheres to a table of MARCS models and say how far off they are.

    python benchmarks/atmospheres.py TABLE.npz [--out FILE] [--held-out 200] [--json]

The errors are those of a fit that has not seen the models held out; the file written is a
fit to all of them, with these errors in its facts. Flux errors: ``benchmarks/synthesis.py``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from spectrabridge.core.atmosphere import read_model_table
from spectrabridge.core.atmosphere.training import errors, held_out_models, learn

DESCRIPTION = (
    "spectrabridge's smooth function of Teff, log g and [Fe/H], fitted to MARCS structures "
    "(Gustafsson et al. 2008, A&A 486, 951; spherical below log g 3.5)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = read_model_table(options.table)
    models = held_out_models(table, options.held_out, options.seed)
    blind = learn(table, held_out=models)
    final = learn(table, description=DESCRIPTION)
    final.facts["held_out"] = blind.facts["held_out"]
    final.facts["seen"] = errors(final, table, models)
    if options.out:
        final.save(options.out)
    figures = {"held_out": final.facts["held_out"], "seen": final.facts["seen"]}
    if options.out:
        figures["bytes"] = options.out.stat().st_size
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for name in ("held_out", "seen"):
        for kind, values in final.facts[name].items():
            print(f"{name}, {kind}: " + ", ".join(f"{k} {v:.3g}" for k, v in values.items()))


if __name__ == "__main__":
    main()
