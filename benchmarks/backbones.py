"""Measure both backbones of the adaptation against training time, on the masked lines.

    python benchmarks/backbones.py [--minutes 1 3 10 30] [--json] [--out FILE]
    python benchmarks/backbones.py --show FILE

Both learn the experiment of the bundle `mock-lines`, whose truth is known, from the same
spectra, and are scored on stars that neither saw:

- conv is the paper's network with the paper's settings. Its rate is constant over the first
  50,000 steps, so one run is stopped at each budget, scored, and goes on;
- basis falls along a cosine, so every budget is a run of its own, planned from measured seconds
  per step: up to the default four members and 3,000 steps, fewer where the budget is short. A
  budget above what the default needs carries that figure on.

Seconds are those of training: on a CPU those that the process spent there (`time.process_time`)
with one thread, so that other work on the machine does not count; on a GPU those of the clock.
Setting up (drawing spectra, finding components) is printed apart, and ratios are given with and
without it. The paper trains for 5e5 steps; what that would take here is extrapolated from the
measured rate. `--out` is written anew after every scored state, so that a stop loses nothing;
`--show` prints the tables of such a file.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from spectrabridge.core.adaptation.adapter import Adapter
from spectrabridge.core.adaptation.callbacks import ShowProgress
from spectrabridge.core.adaptation.settings import PAPER_CONV, SMALL_CONV, AdaptationTraining
from spectrabridge.core.adaptation.training import AdaptationTrainer
from spectrabridge.core.bundle import Model, open_bundle
from spectrabridge.core.domains.mock_lines import MockSurvey, mock_trainer
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.emulator.hidden_lines import HiddenLines, hidden_pixels
from spectrabridge.core.evaluation import score_hidden_lines

FIGURES = ("masked_r2", "derivative_r2", "attribution_agreement", "gap_ratio")
LOWER_IS_BETTER = ("gap_ratio",)
PAPER_ITERATIONS = 500_000
DEFAULT = replace(AdaptationTraining(), patience=0)
CONV = {
    "paper": PAPER_CONV,
    "centred": replace(PAPER_CONV, centre_pixels=True),
    "small": SMALL_CONV,
}
"""The paper's settings; the same on deviations from the mean spectrum; a small network with
what was learnt from the other backbone."""
ENOUGH_STEPS = 1500
"""Steps that a run should have before it is given another member."""
FEWEST_STEPS = 20


@dataclass
class Point:
    """One scored state of a training."""

    backbone: str
    budget_s: float
    seconds: float
    setup_s: float
    iterations: int
    members: int
    figures: dict[str, float]
    note: str = ""


@dataclass
class Bench:
    """The experiment, and how it is measured."""

    emulator: Emulator
    features: list[Any]
    reference: Any
    survey: MockSurvey
    device: str
    stars: int

    def clock(self) -> float:
        """Return seconds: of this process on a CPU, else of the day."""
        return time.process_time() if self.device == "cpu" else time.perf_counter()

    def trainer(self, training: AdaptationTraining) -> tuple[AdaptationTrainer, float]:
        """Return a trainer and the seconds that setting it up took."""
        start = self.clock()
        trainer = mock_trainer(self.emulator, self.features, training, self.survey, self.device)
        return trainer, self.clock() - start

    def score(self, adapter: Adapter) -> dict[str, float]:
        """Return the figures of an adaptation, scored on the CPU."""
        hidden = hidden_pixels(self.features, self.emulator.grid.n_pixels)
        synthetic = HiddenLines(self.emulator, hidden)
        model = Model(synthetic, adapter, self.reference, truth=self.emulator)
        scores = score_hidden_lines(model, self.features, n_stars=self.stars)
        return {name: float(scores[name]) for name in FIGURES}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------------- basis


def seconds_per_step(bench: Bench, members: int) -> float:
    """Measure steps of the basis with critics, as most of a run has them."""
    training = replace(DEFAULT, members=members, critics_from=0, critics_full=0, check_every=10**9)
    trainer, _ = bench.trainer(training)
    times: list[float] = []

    def record(step: int, total: int, figures: dict[str, float]) -> None:
        times.append(bench.clock())
        if len(times) == 16:
            trainer.request_stop()

    run_until_stopped(trainer, record)
    return (times[-1] - times[3]) / (len(times) - 4)


def run_until_stopped(trainer: AdaptationTrainer, progress: Any) -> None:
    """Train until `progress` asks for a stop, or to the end."""
    try:
        trainer.run([] if progress is None else [ShowProgress(progress)])
    except KeyboardInterrupt:
        if progress is None:
            raise


def plan(seconds: float, rates: dict[int, float]) -> AdaptationTraining | None:
    """Return the training of the basis that fills a budget; None if nothing fits in it."""
    for members in sorted(rates, reverse=True):
        # A twentieth is left for validation and for the machine's moods.
        iterations = min(DEFAULT.iterations, int(0.95 * seconds / rates[members]))
        if iterations >= ENOUGH_STEPS:
            break
    if iterations < FEWEST_STEPS:
        return None
    training = replace(DEFAULT, members=members).lasting(iterations)
    return replace(training, check_every=max(1, iterations // 4))


def run_basis(bench: Bench, budgets: list[float]) -> Iterator[Point]:
    """Give one planned run per budget."""
    one, four = seconds_per_step(bench, 1), seconds_per_step(bench, DEFAULT.members)
    rates = {
        m: one + (four - one) * (m - 1) / (DEFAULT.members - 1)
        for m in range(1, DEFAULT.members + 1)
    }
    say(f"basis: {one:.4f} s/step alone, {four:.4f} s/step for {DEFAULT.members} members")
    whole: Point | None = None
    for budget in sorted(budgets):
        if whole is not None:
            note = f"default training, complete after {whole.seconds:.0f} s"
            yield replace(whole, budget_s=budget, note=note)
            continue
        training = plan(budget, rates)
        if training is None:
            say(f"basis: {budget:.0f} s are not enough for {FEWEST_STEPS} steps")
            continue
        trainer, setup = bench.trainer(training)
        start = bench.clock()
        result = trainer.run()
        point = Point(
            "basis",
            budget,
            bench.clock() - start,
            setup,
            result.iterations,
            training.members,
            bench.score(result.adapter),
        )
        say(f"basis: {budget:.0f} s: {line(point)}")
        yield point
        if (training.members, training.iterations) == (DEFAULT.members, DEFAULT.iterations):
            whole = point


# ---------------------------------------------------------------------- conv


def run_conv(bench: Bench, budgets: list[float], training: AdaptationTraining) -> Iterator[Point]:
    """Give one run's state at each budget."""
    training = replace(training, schedule="steps", check_every=10**9)
    trainer, setup = bench.trainer(training)
    spent = 0.0
    for budget in sorted(budgets):
        start = bench.clock()

        def stop_in_time(
            step: int,
            total: int,
            figures: dict[str, float],
            end: float = start + budget - spent,
        ) -> None:
            if bench.clock() >= end:
                trainer.request_stop()

        run_until_stopped(trainer, stop_in_time)
        spent += bench.clock() - start
        point = Point(
            "conv",
            budget,
            spent,
            setup,
            trainer.iteration,
            training.members,
            bench.score(trainer.adapter()),
        )
        say(f"conv: {budget:.0f} s: {line(point)}")
        yield point


# ---------------------------------------------------------------------- comparison


def reached(points: list[Point], figure: str, value: float) -> Point | None:
    """Return the quickest point that is as good as `value`."""
    sign = -1 if figure in LOWER_IS_BETTER else 1
    good = [p for p in points if sign * p.figures[figure] >= sign * value]
    return min(good, key=lambda p: p.seconds, default=None)


def compare(basis: list[Point], conv: list[Point]) -> list[dict[str, Any]]:
    """Return, for every quality that conv reached, when basis reached it."""
    out = []
    for figure in FIGURES:
        for c in conv:
            b = reached(basis, figure, c.figures[figure])
            row: dict[str, Any] = {
                "figure": figure,
                "value": c.figures[figure],
                "conv_seconds": c.seconds,
                "basis_seconds": None,
                # Nothing is to be concluded from qualities that no training has, too.
                "conv_helps": c.figures["gap_ratio"] < 1,
            }
            if b is not None:
                row |= {
                    "basis_seconds": b.seconds,
                    "basis_value": b.figures[figure],
                    "ratio": c.seconds / b.seconds,
                    "ratio_with_setup": (c.seconds + c.setup_s) / (b.seconds + b.setup_s),
                    # The time line starts somewhere: basis may have been there before.
                    "at_least": b.seconds == min(p.seconds for p in basis),
                }
            out.append(row)
    return out


def processor(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return all figures of one run."""
    bundle = open_bundle("mock-lines")
    emulator = bundle.model.truth_emulator
    assert emulator is not None and bundle.experiment is not None
    bench = Bench(
        emulator,
        bundle.experiment.features,
        bundle.model.reference,
        MockSurvey(n_stars=arguments.observed),
        arguments.device,
        arguments.stars,
    )
    budgets = [60.0 * m for m in arguments.minutes]
    early = [s for s in arguments.timeline if s < max(budgets) and s not in budgets]
    conv: list[Point] = []
    basis: list[Point] = []
    found: dict[str, Any] = {}
    each = {
        "basis": (early + budgets, basis, run_basis(bench, early + budgets)),
        "conv": (budgets, conv, run_conv(bench, budgets, CONV[arguments.conv])),
    }
    # Short budgets first, so that a stop leaves a table that compares.
    for budget in sorted(early + budgets):
        for planned, points, run in each.values():
            if budget not in planned or (point := next(run, None)) is None:
                continue
            points.append(point)
            found = summary(arguments, budgets, basis, conv)
            if arguments.out is not None:
                arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def summary(
    arguments: argparse.Namespace, budgets: list[float], basis: list[Point], conv: list[Point]
) -> dict[str, Any]:
    """Return what is known so far, as JSON."""
    rate = conv[-1].iterations / conv[-1].seconds if conv else None
    cpu = arguments.device == "cpu"
    return {
        "device": arguments.device,
        "processor": processor(arguments.device),
        "threads": arguments.threads,
        "seconds_are": "CPU seconds of the process" if cpu else "seconds of the clock",
        "stars_scored": arguments.stars,
        "stars_observed": arguments.observed,
        "conv_training": arguments.conv,
        "points": [asdict(p) for p in basis + conv],
        "budgets_s": budgets,
        "comparison": compare(basis, conv),
        "conv_iterations_per_second": rate,
        "conv_paper_hours_extrapolated": None if rate is None else PAPER_ITERATIONS / rate / 3600,
    }


# ---------------------------------------------------------------------- output


def line(point: Point) -> str:
    values = " ".join(f"{k} {v:.3f}" for k, v in point.figures.items())
    return f"{point.seconds:.1f} s, {point.iterations} steps, {values}"


def show(found: dict[str, Any]) -> None:
    """Print the tables."""
    points = [Point(**p) for p in found["points"]]
    print(
        f"{found['processor']}, {found['device']}, {found['threads']} thread(s); "
        f"{found['stars_observed']} observed spectra, scored on {found['stars_scored']} stars; "
        f"conv: {found['conv_training']} settings; times are {found['seconds_are']}"
    )
    for name in ("basis", "conv"):
        setup = [p.setup_s for p in points if p.backbone == name]
        if setup:
            print(f"setting up {name}: {min(setup):.0f} s, not in the budgets")
    head = ("budget", "backbone", "seconds", "steps", "members", *FIGURES)
    form = "{:>9} {:8} {:>8} {:>7} {:>7} {:>10} {:>13} {:>21} {:>10}"
    print("\n" + form.format(*head))
    for budget in sorted(found["budgets_s"]):
        for p in (p for p in points if p.budget_s == budget):
            values = [f"{p.figures[f]:.3f}" for f in FIGURES]
            text = f"{budget / 60:g} min"
            row = (text, p.backbone, f"{p.seconds:.0f}", p.iterations, p.members, *values)
            print(form.format(*row) + (f"  {p.note}" if p.note else ""))
    print("\nbasis over time")
    for p in sorted((p for p in points if p.backbone == "basis"), key=lambda p: p.budget_s):
        if not p.note:
            print(f"{p.seconds:8.1f} s  masked_r2 {p.figures['masked_r2']:.3f}")
    print("\nwhat conv reached, and when basis had it")
    for row in found["comparison"]:
        text = f"{row['figure']:22} {row['value']:7.3f}  conv {row['conv_seconds']:6.0f} s"
        if not row["conv_helps"]:
            print(f"{text}  farther from the truth than unadapted spectra")
            continue
        if row["basis_seconds"] is None:
            print(f"{text}  basis not within its runs")
            continue
        sign = ">=" if row["at_least"] else "  "
        print(
            f"{text}  basis {row['basis_seconds']:6.1f} s ({row['basis_value']:.3f})  "
            f"ratio {sign}{row['ratio']:6.1f}, with setting up {row['ratio_with_setup']:.1f}"
        )
    if found["conv_iterations_per_second"] is None:
        return
    print(
        f"\nconv: {found['conv_iterations_per_second']:.2f} steps/s. The paper's 5e5 steps would "
        f"take {found['conv_paper_hours_extrapolated']:.0f} h here (extrapolated from this rate; "
        f"{found['processor']}, {found['device']}, {found['threads']} thread(s))."
    )


def main() -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 3, 10, 30])
    parser.add_argument(
        "--timeline", type=float, nargs="*", default=[5, 10, 20, 40], help="seconds, basis only"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--stars", type=int, default=500, help="stars to score on")
    parser.add_argument("--observed", type=int, default=12_000, help="observed spectra")
    parser.add_argument("--conv", choices=tuple(CONV), default="paper")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, help="write the JSON object to a file, as it grows")
    parser.add_argument("--show", type=Path, help="print the tables of such a file, and end")
    arguments = parser.parse_args()
    if arguments.show is not None:
        show(json.loads(arguments.show.read_text(encoding="utf-8")))
        return
    torch.set_num_threads(arguments.threads)
    found = measure(arguments)
    if arguments.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
