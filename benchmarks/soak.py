"""Serve many people for an hour, and look whether anything fails, slows down or grows.

    python benchmarks/soak.py [--json] [--sessions 20] [--minutes 60] [--rest 2] [--bundle NAME]

A server runs in a process of its own, and visitors (tests/ui/visitor.py: what a browser says,
without the browser) in this one. A visitor drags a slider to five new values one after the other,
lets go, so that derivatives are computed, and rests for some seconds, about `--rest`; after a few
minutes it leaves, and another comes at once in its place. What is slow tells nothing where the
machine is not quiet: the load is printed with each ten minutes.

- errors: requests without an answer, and visitors who could not come in.
- p50_ms, p95_ms: time from a slider's move until its spectra have arrived; also by ten minutes.
- memory_mb: of the server, by the minute; grown_percent: median of the last ten minutes against
  that of the minutes after the first ten, which are for what is loaded once.
- health_ms: the slowest answer of /health.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from sessions import ask_health
from ui.conftest import Server, free_port, start_server
from ui.visitor import Visitor

BURST = 5
"""Values that a slider is dragged to before it is let go."""

STAY_SECONDS = 240.0
"""How long a visitor stays, about."""


@dataclass
class Seen:
    """What visitors have seen since the start."""

    began: float
    times: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, and those that an answer took."""
    problems: list[str] = field(default_factory=list)
    visits: int = 0


async def visit(server: Server, seen: Seen, number: int, end: float, rest: float) -> None:
    """Come, work and leave, again and again until the end."""
    rng = random.Random(number)
    while time.monotonic() < end:
        leaves = min(end, time.monotonic() + STAY_SECONDS * rng.uniform(0.5, 1.5))
        try:
            visitor = await asyncio.wait_for(Visitor(server.url).open(), 60)
        except Exception as problem:
            seen.problems.append(f"visitor {number} could not come in: {problem!r}")
            await asyncio.sleep(5)
            continue
        seen.visits += 1
        let_go = 0
        try:
            while time.monotonic() < leaves:
                for _ in range(BURST):
                    value = round(rng.uniform(4000, 5400), 2)
                    took = await asyncio.wait_for(visitor.drag("T_eff", value), 60)
                    seen.times.append((time.monotonic() - seen.began, took))
                let_go += 1
                await visitor.let_go("T_eff", let_go)
                await asyncio.sleep(rng.expovariate(1 / rest))
        except Exception as problem:
            seen.problems.append(f"visitor {number}: {problem!r}")
        visitor.close()


async def measure(server: Server, sessions: int, minutes: float, rest: float) -> dict[str, Any]:
    """Return all figures."""
    seen = Seen(time.monotonic())
    end = seen.began + 60 * minutes
    work = asyncio.gather(*(visit(server, seen, n, end, rest) for n in range(sessions)))
    memory: list[float] = []
    loads: list[float] = []
    slowest = 0.0
    while not work.done():
        await asyncio.wait(
            [asyncio.ensure_future(asyncio.sleep(60)), work], return_when="FIRST_COMPLETED"
        )
        told, took = await ask_health(server)
        slowest = max(slowest, took)
        memory.append(told["memory_mb"])
        loads.append(os.getloadavg()[0])
    await work
    tenths = []
    for start in range(0, int(60 * minutes), 600):
        part = sorted(t for at, t in seen.times if start <= at < start + 600)
        if part:
            load = loads[start // 60 : start // 60 + 10]
            tenths.append(
                {
                    "minutes": [start // 60, start // 60 + 10],
                    "requests": len(part),
                    "p50_ms": round(1000 * statistics.median(part), 1),
                    "p95_ms": round(1000 * part[int(0.95 * (len(part) - 1))], 1),
                    "load": round(statistics.median(load), 1) if load else None,
                }
            )
    times = sorted(t for _, t in seen.times)
    early, late = memory[10:20] or memory, memory[-10:]
    return {
        "sessions": sessions,
        "minutes": minutes,
        "visits": seen.visits,
        "requests": len(times),
        "errors": len(seen.problems),
        "problems": seen.problems[:5],
        "p50_ms": round(1000 * statistics.median(times), 1),
        "p95_ms": round(1000 * times[int(0.95 * (len(times) - 1))], 1),
        "by_ten_minutes": tenths,
        "health_ms": round(1000 * slowest, 1),
        "memory_mb": memory,
        "grown_percent": round(100 * (statistics.median(late) / statistics.median(early) - 1), 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rest", type=float, default=2.0, help="seconds between two drags")
    parser.add_argument("--bundle", default="apogee-giants")
    options = parser.parse_args()
    port = free_port()
    code = "from spectrabridge.apps.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", options.bundle, "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(command, port, Path(folder))
        try:
            server.wait(180, "/health")
            asked = measure(server, options.sessions, options.minutes, options.rest)
            figures = asyncio.run(asked)
            log = server.log.read_text(encoding="utf-8")
            figures["tracebacks"] = log.count("Traceback")
            if figures["tracebacks"]:
                print(log[-5000:], file=sys.stderr)
        finally:
            server.stop()
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:16s} {value}")


if __name__ == "__main__":
    main()
