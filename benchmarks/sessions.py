"""Measure how the explorer serves many people at a time, and what their sessions leave behind.

    python benchmarks/sessions.py [--json] [--sessions N] [--moves N] [--rounds N] [--processes N]

A server runs in a process of its own, and visitors (tests/ui/visitor.py: what a browser says,
without the browser) in this one. A request is a slider moved to a new value, and is answered when
the new spectra have arrived; every visitor sends the next as soon as the last is answered. Before
anything counts, a visitor comes and goes twice, for what the server loads once.

- p50_ms, p95_ms: time of a request with all sessions at work; errors: requests without an answer.
- growth_mb: memory that the server has gained with all sessions open and at work, per session.
- left_percent: memory beyond the start when all are gone, after `rounds` times `sessions`.
- cpu_ms: time of the server's processor per request, which does not depend on what else runs.
- health_ms: the slowest answer of /health while all sessions were at work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ui.conftest import Server, free_port, start_server
from ui.visitor import Visitor


def health(server: Server) -> dict[str, Any]:
    """Return what the server tells of itself."""
    with urllib.request.urlopen(f"{server.url}/health", timeout=120) as answer:
        return json.load(answer)


async def ask_health(server: Server) -> tuple[dict[str, Any], float]:
    """Return the same, and how long it took, without holding up visitors."""
    start = time.monotonic()
    told = await asyncio.to_thread(health, server)
    return told, time.monotonic() - start


async def emptied(server: Server, seconds: float = 120) -> dict[str, Any]:
    """Wait until all sessions have ended and the server has tidied up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        told, _ = await ask_health(server)
        if told["sessions"] == 0:
            await asyncio.sleep(4)
            return (await ask_health(server))[0]
        await asyncio.sleep(0.5)
    raise TimeoutError(f"{told['sessions']} sessions have not ended within {seconds:.0f} s.")


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of its children (Linux)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    total = 0.0
    for each in [str(pid), *children]:
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


async def at_work(visitor: Visitor, number: int, moves: int) -> tuple[list[float], int]:
    """Move sliders one after the other; return the times of the answers, and the errors."""
    times = []
    for move in range(moves):
        try:
            # Values that no session has had, so that no answer can have been kept.
            value = 4000 + (number * moves + move) % 1400 + number / 100
            times.append(await asyncio.wait_for(visitor.drag("T_eff", value), 60))
        except Exception as problem:
            print(f"visitor {number}: {problem!r}", file=sys.stderr)
            return times, moves - move
    return times, 0


async def measure(server: Server, sessions: int, moves: int, rounds: int) -> dict[str, Any]:
    """Return all figures."""
    for _ in range(2):
        first = await Visitor(server.url).open()
        await at_work(first, sessions, 3)
        await first.let_go("T_eff", 1)
        await asyncio.sleep(3)
        first.close()
        start = await emptied(server)
    visitors = [await Visitor(server.url).open() for _ in range(sessions)]
    cpu = cpu_seconds(server.process.pid)
    slowest = 0.0
    work = asyncio.gather(*(at_work(v, n, moves) for n, v in enumerate(visitors)))
    while not work.done():
        _, took = await ask_health(server)
        slowest = max(slowest, took)
        await asyncio.sleep(0.25)
    results = await work
    times = sorted(t for found, _ in results for t in found)
    errors = sum(failed for _, failed in results)
    cpu = cpu_seconds(server.process.pid) - cpu
    full = (await ask_health(server))[0]
    for visitor in visitors:
        visitor.close()
    end = await emptied(server)
    left = [end["memory_mb"]]
    for _ in range(rounds - 1):
        visitors = [await Visitor(server.url).open() for _ in range(sessions)]
        await asyncio.gather(*(at_work(v, n, 2) for n, v in enumerate(visitors)))
        for visitor in visitors:
            visitor.close()
        end = await emptied(server)
        left.append(end["memory_mb"])
    return {
        "sessions": sessions,
        "requests": len(times) + errors,
        "errors": errors,
        "p50_ms": round(1000 * statistics.median(times), 1),
        "p95_ms": round(1000 * times[int(0.95 * (len(times) - 1))], 1),
        "cpu_ms": round(1000 * cpu / max(len(times), 1), 1),
        "health_ms": round(1000 * slowest, 1),
        "opened": sessions * rounds,
        "start_mb": start["memory_mb"],
        "full_mb": full["memory_mb"],
        "left_mb": left,
        "growth_mb": round((full["memory_mb"] - start["memory_mb"]) / sessions, 2),
        "left_percent": round(100 * (end["memory_mb"] / start["memory_mb"] - 1), 1),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--moves", type=int, default=30, help="requests of each session")
    parser.add_argument("--rounds", type=int, default=5, help="how often all come and go")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    port = free_port()
    code = "from spectrabridge.apps.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", str(port)]
    command += ["--processes", str(options.processes)]
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(command, port, Path(folder))
        try:
            server.wait(180, "/health")
            figures = asyncio.run(measure(server, options.sessions, options.moves, options.rounds))
            figures["processes"] = options.processes
            log = server.log.read_text(encoding="utf-8")
            if "Traceback" in log:
                print(log, file=sys.stderr)
        finally:
            server.stop()
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:16s} {value}")


if __name__ == "__main__":
    main()
