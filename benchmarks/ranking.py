"""How well the score without truth orders training runs whose truth is known.

    python benchmarks/ranking.py mock-lines tuned-gf [--iterations 800] [--json] [--out FILE]

Every run is one network with its own seed and settings: complete ones, ones with a part
left out, ones stopped far too early, and ones in which nothing holds the meaning of the
latents, so that they end permuted. Each is scored without truth, as a training does that
chooses among its members and as a user with real stars would have to, and against the
truth: what is left of the gap, derivatives, labels. Spearman's rank correlation tells how
alike the orders are (1: the same). `--out` is written anew after every run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from spectrabridge.core.adaptation.settings import AdaptationTraining
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.domains.registry import domains_of
from spectrabridge.core.evaluation import judge_of, rank_agreement, score_ablation

_UNHELD = {"warm_start": False, "linear_path": False}

RUNS: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("full", {"seed": 0}, 1.0),
    ("full", {"seed": 1}, 1.0),
    ("full", {"seed": 2}, 1.0),
    ("no warm start", _UNHELD, 1.0),
    ("critics only", _UNHELD | {"matching_weight": 0.0}, 1.0),
    ("critics only", _UNHELD | {"matching_weight": 0.0, "seed": 1}, 1.0),
    ("unbiased", {"seed": 0, "unbiased_matching": True}, 1.0),
    ("unbiased", {"seed": 1, "unbiased_matching": True}, 1.0),
    ("stopped early", {"seed": 0}, 0.25),
    ("stopped early", {"seed": 1}, 0.5),
    ("no critics", {"adversarial": False}, 1.0),
    ("no matching", {"matching_weight": 0.0}, 1.0),
    ("no linear path", {"linear_path": False}, 1.0),
    ("leaky", {"activation": "leaky_relu"}, 1.0),
)
"""Name, settings that differ, and part of the steps."""

UNHELD = ("no warm start", "critics only")
"""Runs in which nothing holds the meaning of the latents: the score has to put them last."""

LIMITS = {"teff": 40.0, "logg": 0.1, "Fe": 0.04}


def measure(
    name: str, iterations: int, data: str | None, say: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Train all runs on one bundle's domains and return their figures and correlations.

    Parameters
    ----------
    name : str
        A bundle of a built-in experiment.
    iterations : int
        Steps of a complete run.
    data : str, optional
        Data folder, where the experiment needs one.
    say : callable
        Given what is known after every run.
    """
    bundle = open_bundle(name)
    domains = domains_of(bundle, data)
    stored = AdaptationTraining.of(bundle.provenance.get("training", {}))
    base = replace(AdaptationTraining(), n_basis=stored.n_basis, members=1, validation=400, keep=0)
    rows: list[dict[str, Any]] = []
    known = None
    out: dict[str, Any] = {"bundle": name, "iterations": iterations}
    for label, changes, part in RUNS:
        n = max(20, round(part * iterations))
        # A run that is stopped early has the ramps, and the rates, of a complete one.
        training = replace(base.lasting(iterations), iterations=n, **changes)
        start = time.process_time()
        trainer = domains.trainer(training, judge=judge_of(domains), representations=known)
        known = trainer.representations
        result = trainer.run()
        truth = score_ablation(domains, result.adapter)
        bias = truth["label_bias"]
        rows.append(
            {
                "run": label,
                "seed": training.seed,
                "iterations": n,
                "score": result.scores[0],
                "validation": result.history[-1]["validation"] if result.history else None,
                "gap_ratio": truth["gap_ratio"],
                "derivative_error": 1 - truth["derivative_r2"],
                "label_error": sum(abs(bias[k]) / limit for k, limit in LIMITS.items()),
                "cpu_seconds": time.process_time() - start,
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
        out |= {"runs": rows, **_agreement(rows)}
        say(out)
    return out


def _agreement(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how alike the orders are, over all runs and over those that are held."""
    truths = ("gap_ratio", "derivative_error", "label_error")
    held = [r for r in rows if r["run"] not in UNHELD]
    lost = [r["score"] for r in rows if r["run"] in UNHELD]

    def spearman(of: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
        return {
            by: {t: rank_agreement([r[by] for r in of], [r[t] for r in of]) for t in truths}
            for by in ("score", "validation")
        }

    best = min(rows, key=lambda r: r["score"])
    return {
        "spearman": spearman(rows),
        "spearman_of_held_runs": spearman(held),
        "unheld_are_last": bool(lost) and min(lost) > max(r["score"] for r in held),
        "regret_of_choice": best["gap_ratio"] / min(r["gap_ratio"] for r in rows),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", default=["mock-lines", "tuned-gf"])
    parser.add_argument("--iterations", type=int, default=800)
    parser.add_argument("--data", help="Data folder; for apogee-giants.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="write the JSON to a file, as it grows")
    parser.add_argument("--show", type=Path, help="print the tables of such a file, and end")
    arguments = parser.parse_args()
    if arguments.show is not None:
        show(json.loads(arguments.show.read_text(encoding="utf-8")))
        return
    torch.set_num_threads(arguments.threads)
    done: list[dict[str, Any]] = []

    def keep(latest: dict[str, Any]) -> None:
        if arguments.out is not None:
            arguments.out.write_text(json.dumps([*done, latest], indent=1) + "\n", encoding="utf-8")

    for name in arguments.bundles:
        done.append(measure(name, arguments.iterations, arguments.data, keep))
    if arguments.json:
        print(json.dumps(done, indent=1))
    else:
        show(done)


def show(found: list[dict[str, Any]]) -> None:
    """Print a table for every bundle, the best score first."""
    for result in found:
        print(f"{result['bundle']}, {result['iterations']} steps")
        for r in sorted(result["runs"], key=lambda r: r["score"]):
            print(
                f"  {r['run']:16s} seed {r['seed']}  {r['iterations']:5d} steps  score "
                f"{r['score']:6.3f}  gap {r['gap_ratio']:.3f}  derivatives "
                f"{r['derivative_error']:.3f}  labels {r['label_error']:.2f}"
            )
        for key, what in (("spearman", "all runs"), ("spearman_of_held_runs", "held runs")):
            for by, values in result[key].items():
                text = "  ".join(f"{k} {v:.2f}" for k, v in values.items())
                print(f"  Spearman of {by}, {what}: {text}")
        print(
            f"  runs that nothing held are last: {result['unheld_are_last']}; gap of the run "
            f"chosen by score, over the smallest: {result['regret_of_choice']:.2f}"
        )


if __name__ == "__main__":
    main()
