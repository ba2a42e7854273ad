"""Fit a whole survey on Dask workers and kill one of them half way.

    python benchmarks/survey.py [--stars 100000] [--workers 2] [--json] [--out FILE]

Makes an HDF5 file of adapted giants with noise, fits it with `run_survey` on a local cluster,
kills a worker when half of the stars are done, and checks that every star came out, once.
Prints stars per second and the largest resident memory (MB) of the process that hands out tasks
and of any worker. With several sizes it does all of them, each in a new process, so that one
sees whether memory grows with the survey.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.fitting import FitSettings, population_of
from spectrabridge.core.fitting.survey import Survey, run_survey
from spectrabridge.core.resumable_run import dask_client
from spectrabridge.core.spectra import Spectra, SpectraFile

SIGMA = 0.01
AT_ONCE = 500


def make_file(path: Path, name: str, n: int) -> np.ndarray:
    """Write the stars and return their true labels."""
    bundle = open_bundle(name)
    population = population_of(bundle)
    rng = np.random.default_rng(0)
    labels = population[rng.integers(0, len(population), n)]
    made = {"continuum": {"routine": "none, made at 1"}}
    with SpectraFile.create(path, bundle.grid, provenance=made) as file:
        for start in range(0, n, AT_ONCE):
            y = torch.tensor(labels[start : start + AT_ONCE]).float()
            flux = bundle.model.adapt(y).numpy()
            flux = flux + SIGMA * rng.standard_normal(flux.shape, dtype=np.float32)
            ids = tuple(f"star{i}" for i in range(start, start + len(y)))
            ivar = np.full_like(flux, SIGMA**-2)
            file.append(Spectra(bundle.grid, flux, ivar, ids))
    return labels


class Watch(threading.Thread):
    """Remembers the largest resident memory of this process and of any child."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own = self.child = 0
        self.running = True

    def run(self) -> None:
        own = psutil.Process()
        while self.running:
            self.own = max(self.own, own.memory_info().rss)
            for process in own.children(recursive=True):
                try:
                    self.child = max(self.child, process.memory_info().rss)
                except psutil.Error:
                    continue
            time.sleep(0.5)


def measure(name: str, stars: int, workers: int, kill: bool, chunk: int) -> dict[str, Any]:
    """Return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "stars.h5", Path(folder) / "labels.fits"
        labels = make_file(path, name, stars)
        settings = FitSettings(floor=0.0, search=0.0)
        survey = Survey(name, (str(path),), ("adapted",), settings, chunk=chunk)
        watch = Watch()
        watch.start()
        killed = []
        with dask_client(workers=workers) as client:
            pids = list(client.run(os.getpid).values())

            def tell(done: int, total: int) -> None:
                if kill and not killed and done >= total / 2:
                    killed.append(pids[0])
                    os.kill(pids[0], signal.SIGKILL)

            began = time.perf_counter()
            table = run_survey(survey, out, client=client, progress=tell)
            seconds = time.perf_counter() - began
        watch.running = False
        expected = [f"star{i}" for i in range(stars)]
        pull = (np.asarray(table["Fe"]) - labels[:, 18]) / np.asarray(table["Fe_err"])
        return {
            "stars": stars,
            "workers": workers,
            "killed": len(killed),
            "every_star_once": list(table["id"]) == expected,
            "seconds": seconds,
            "stars_per_second": stars / seconds,
            "driver_mb": watch.own / 1e6,
            "largest_worker_mb": watch.child / 1e6,
            "pull_std_Fe": float(np.nanstd(pull)),
        }


def main() -> None:
    """Measure and print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?", default="apogee-giants")
    parser.add_argument("--stars", type=int, nargs="+", default=[100_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=256, help="stars per task")
    parser.add_argument("--no-kill", action="store_true", help="let all workers live")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--out", type=Path, help="file to write the JSON to")
    given = parser.parse_args()
    found = []
    for stars in given.stars:
        values = (given.bundle, stars, given.workers, not given.no_kill, given.chunk)
        # What one size leaves in memory must not count for the next.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found.append(alone.submit(measure, *values).result())
        if given.out is not None:
            given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        if not given.json:
            for key, value in found[-1].items():
                print(f"{key:22s} {value}", flush=True)
    if given.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
