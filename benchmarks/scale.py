"""Encode, train on, map and fit a large set of spectra, in memory that does not grow with it.

    python benchmarks/scale.py [--stars 250000] [--fit-stars 20000] [--map-stars 20000] [--json]

Makes a set of adapted spectra of giants with noise (57 kB a star, HDF5 or ``--zarr``), runs each
stage in a new process, and prints for each its stars, stars per second, and the largest resident
memory (MB) of all its processes together. Fitting and t-SNE take longer than reading: they can be
given a part of the stars, which the figures name; reading, encoding and training see all of them.
``--keep FILE`` keeps the set for a next run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from spectrabridge.core.adaptation.settings import PRESETS
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.domains.observed_file import ObservedFile
from spectrabridge.core.domains.user_spectra import read_own_domains
from spectrabridge.core.embedding import TsneSettings
from spectrabridge.core.embedding.stored_map import embed_bundle
from spectrabridge.core.fitting import FitSettings, population_of
from spectrabridge.core.fitting.survey import Survey, run_survey
from spectrabridge.core.io.spectra_store import SpectraStore
from spectrabridge.core.resumable_run import dask_client
from spectrabridge.core.spectra import Spectra, SpectraFile

NAME = "apogee-giants"
SIGMA = 0.01
AT_ONCE = 1024
ITERATIONS = 200
"""Optimiser steps of the training that is measured; their speed does not depend on the set."""


class Watch(threading.Thread):
    """Remembers the largest resident memory of this process and its children together."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.running = True

    def run(self) -> None:
        own = psutil.Process()
        while self.running:
            total = own.memory_info().rss
            for process in own.children(recursive=True):
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue
            self.most = max(self.most, total)
            time.sleep(0.2)


def make_set(path: Path, n: int) -> int:
    """Write stars to an HDF5 file or, where the name ends so, a zarr store; return their number."""
    bundle = open_bundle(NAME)
    population = population_of(bundle)
    rng = np.random.default_rng(0)
    made = {"continuum": {"routine": "none, made at 1"}}
    # Fluxes of some stars and their noise are used again, at other places: what is measured is
    # reading them.
    labels = population[rng.integers(0, len(population), 4 * AT_ONCE)]
    flux = bundle.model.adapt(torch.tensor(labels).float()).numpy()
    noise = SIGMA * rng.standard_normal((AT_ONCE, flux.shape[1]), dtype=np.float32)
    first = Spectra(bundle.grid, flux[:1], provenance=made)
    file: Any = (
        SpectraStore.create(path, first)
        if path.suffix == ".zarr"
        else SpectraFile.create(path, bundle.grid, provenance=made)
    )
    with file:
        for start in range(0, n, AT_ONCE):
            rows = rng.integers(0, len(flux), min(AT_ONCE, n - start))
            seen = flux[rows] + noise[rng.permutation(AT_ONCE)[: len(rows)]]
            ids = tuple(f"star{i}" for i in range(start, start + len(rows)))
            ivar = np.full_like(seen, SIGMA**-2)
            file.append(Spectra(bundle.grid, seen, ivar, ids, provenance=made))
    return n


def encode(path: Path, n: int) -> int:
    """Read, normalise and encode all stars."""
    bundle = open_bundle(NAME)
    obs, done = bundle.model.adapter.obs, 0
    with torch.inference_mode():
        for block in ObservedFile(path, bundle.model.complete_emulator).blocks():
            done += len(obs.encode(torch.tensor(block.flux), torch.tensor(block.ivar)))
    assert done == n
    return done


def train(path: Path, n: int) -> int:
    """Prepare domains from all stars, and take some steps of a training of one network."""
    bundle = open_bundle(NAME)
    training = replace(PRESETS["basis"], members=1, iterations=ITERATIONS)
    domains = read_own_domains(path, bundle.model.complete_emulator, training)
    domains.trainer(training).run()
    return n


def embed(path: Path, n: int) -> int:
    """Place stars on a map."""
    bundle = open_bundle(NAME)
    made = embed_bundle(bundle, 2 * (n // 2), spectra=path, settings=TsneSettings())
    return len(made.embedding)


def fit(path: Path, n: int) -> int:
    """Fit stars on two Dask workers."""
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.h5"
        whole: Any = SpectraStore.open(path) if path.suffix == ".zarr" else SpectraFile.open(path)
        with whole, SpectraFile.create(part, whole.grid, provenance=whole.provenance) as file:
            for start in range(0, n, AT_ONCE):
                file.append(whole[start : min(start + AT_ONCE, n)])
        settings = FitSettings(floor=0.0, search=0.0)
        survey = Survey(NAME, (str(part),), ("adapted",), settings, chunk=256)
        with dask_client(workers=2) as client:
            table = run_survey(survey, Path(folder) / "labels.fits", client=client)
        assert len(table) == n
    return n


def measured(stage: str, path: Path, n: int) -> dict[str, Any]:
    """Run a stage in this process, and return its figures."""
    torch.set_num_threads(1)
    watch = Watch()
    watch.start()
    began = time.perf_counter()
    done = {"make": make_set, "encode": encode, "train": train, "embed": embed, "fit": fit}[stage](
        path, n
    )
    seconds = time.perf_counter() - began
    watch.running = False
    return {
        "stage": stage,
        "stars": done,
        "seconds": round(seconds, 1),
        "stars_per_second": round(done / seconds, 1),
        "peak_mb": round(watch.most / 1e6),
    }


def main() -> None:
    """Measure and print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stars", type=int, default=250_000)
    parser.add_argument("--fit-stars", type=int, default=20_000)
    parser.add_argument("--map-stars", type=int, default=20_000)
    parser.add_argument("--stages", nargs="+", default=["encode", "train", "embed", "fit"])
    parser.add_argument("--zarr", action="store_true", help="a zarr store in place of HDF5")
    parser.add_argument("--keep", type=Path, help="where to keep the set, or where it lies")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    parts = {"fit": min(given.fit_stars, given.stars), "embed": min(given.map_stars, given.stars)}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / ("stars.zarr" if given.zarr else "stars.h5")
        stages = [*([] if path.exists() else ["make"]), *given.stages]
        for stage in stages:
            # What one stage leaves in memory must not count for the next.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                n = parts.get(stage, given.stars)
                found.append(alone.submit(measured, stage, path, n).result())
            if not given.json:
                print(*(f"{k} {v}" for k, v in found[-1].items()), sep=", ", flush=True)
    if given.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
