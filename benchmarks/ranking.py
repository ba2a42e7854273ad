"""How well the score without truth orders training runs whose truth is known.

    python benchmarks/ranking.py mock-lines tuned-gf --iterations 800 --json

Every run is one network with its own seed and settings: complete ones, ones with a part
left out, and ones stopped far too early. Each is scored without truth, as a user with real
stars would have to, and against the truth: what is left of the gap, derivatives, labels.
Spearman's rank correlation tells how alike the orders are (1: the same).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Any

import torch

from spectrabridge.core.adaptation.settings import AdaptationTraining
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.evaluation import rank_agreement, score_ablation, score_without_truth
from spectrabridge.core.experiments import domains_of

RUNS: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("full", {"seed": 0}, 1.0),
    ("full", {"seed": 1}, 1.0),
    ("full", {"seed": 2}, 1.0),
    ("stopped early", {"seed": 0}, 0.25),
    ("stopped early", {"seed": 1}, 0.5),
    ("no critics", {"adversarial": False}, 1.0),
    ("no warm start", {"warm_start": False, "linear_path": False}, 1.0),
    ("no matching", {"matching_weight": 0.0}, 1.0),
    ("no linear path", {"linear_path": False}, 1.0),
    ("leaky", {"activation": "leaky_relu"}, 1.0),
)
"""Name, settings that differ, and part of the steps."""


LIMITS = {"teff": 40.0, "logg": 0.1, "Fe": 0.04}
_RAMPS = ("warm_steps", "critics_from", "critics_full", "match_from")


def measure(name: str, iterations: int, data: str | None) -> dict[str, Any]:
    """Train all runs on one bundle's domains and return their figures and correlations."""
    bundle = open_bundle(name)
    domains = domains_of(bundle, data)
    stored = bundle.provenance.get("training", {})
    base = replace(AdaptationTraining.of(stored), members=1, patience=0, validation=400)
    rows = []
    for label, changes, part in RUNS:
        n = max(20, round(part * iterations))
        ramp = {k: round(getattr(base, k) * iterations / base.iterations) for k in _RAMPS}
        training = replace(base, iterations=n, **(ramp | changes))
        result = domains.trainer(training).run()
        truth = score_ablation(domains, result.adapter)
        sample = domains.sample(result.adapter)
        assert sample is not None
        own = score_without_truth((result.adapter, domains.synthetic), sample)[0]
        bias = truth["label_bias"]
        row = {
            "run": label,
            "seed": training.seed,
            "iterations": n,
            "score": own["score"],
            "validation": result.history[-1]["validation"] if result.history else None,
            "gap_ratio": truth["gap_ratio"],
            "derivative_error": 1 - truth["derivative_r2"],
            "label_error": abs(bias["teff"]) / 40
            + abs(bias["logg"]) / 0.1
            + abs(bias["Fe"]) / 0.04,
        }
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
    truths = ("gap_ratio", "derivative_error", "label_error")
    agreement = {
        by: {t: rank_agreement([r[by] for r in rows], [r[t] for r in rows]) for t in truths}
        for by in ("score", "validation")
    }
    best = min(rows, key=lambda r: r["score"])
    regret = best["gap_ratio"] / min(r["gap_ratio"] for r in rows)
    return {"bundle": name, "runs": rows, "spearman": agreement, "regret_of_choice": regret}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="+")
    parser.add_argument("--iterations", type=int, default=800)
    parser.add_argument("--data", help="Data folder; for apogee-giants.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    out = [measure(b, arguments.iterations, arguments.data) for b in arguments.bundles]
    if arguments.json:
        print(json.dumps(out, indent=1))
        return
    for result in out:
        print(result["bundle"])
        for r in result["runs"]:
            print(
                f"  {r['run']:16s} seed {r['seed']}  {r['iterations']:5d} steps  score "
                f"{r['score']:6.3f}  gap {r['gap_ratio']:.3f}  derivatives "
                f"{r['derivative_error']:.3f}  labels {r['label_error']:.2f}"
            )
        for by, values in result["spearman"].items():
            text = "  ".join(f"{k} {v:.2f}" for k, v in values.items())
            print(f"  Spearman of {by}: {text}")
        print(
            f"  gap of the run chosen by score, over the smallest: {result['regret_of_choice']:.2f}"
        )


if __name__ == "__main__":
    main()
