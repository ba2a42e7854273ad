"""The writers that are killed: small fixtures, what is run on them, and what must be there then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from click.testing import CliRunner
from fuzz_readers import built_by
from kills import Acknowledge, Writer

from spectrabridge.apps.cli import main
from spectrabridge.core.adaptation.checkpoint import read_checkpoint
from spectrabridge.core.bundle import Bundle, read_bundle, verify_bundle
from spectrabridge.core.bundle.emulator_source import read_emulator
from spectrabridge.core.bundle.writing import attach, store_metrics, write_bundle
from spectrabridge.core.embedding.storage import stored_embedding
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.files.tables import read_table
from spectrabridge.core.io.grid import read_grid
from spectrabridge.core.io.spectra_store import SpectraStore
from spectrabridge.core.labels import draws
from spectrabridge.core.lines import Candidates
from spectrabridge.core.lines.attached import candidates_of
from spectrabridge.core.spectra import Spectra
from spectrabridge.core.synthesis.grid_plan import GridPlan
from spectrabridge.core.synthesis.grid_run import make_grid, parts_folder
from spectrabridge.core.vetting import open_vetting

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = ROOT / "tests" / "data" / "written_by_0_1"
SHIPPED = ROOT / "core" / "bundles" / "mock-lines"
N_SPECTRA = 24
STARS = GridPlan(n=40, range=(15700.0, 15720.0), seed=3)
QUICK_FIT = "--spectrum raw --iterations 2 --search 0 --chunk 4 --workers 0"
QUICK_TRAINING = (
    "--members 1 --iterations 60 --n-basis 8 --setting pool=100 --setting validation=40 "
    "--setting batch=16 --setting hidden=16 --setting n_shared=8 --setting check_every=10 "
    "--setting warm_steps=10 --setting critics_full=30"
)
QUICK_EMULATOR = "--steps 30 --n-basis 6 --hidden 8 --no-confine --no-yardstick --continuum true"


def command(words: str) -> Callable[[Path, Acknowledge], None]:
    """Return a call of the command line that acknowledges 1 when it has ended well."""

    def run(folder: Path, acknowledge: Acknowledge) -> None:
        done = CliRunner().invoke(main, words.split())
        if done.exit_code:
            raise RuntimeError(done.output) from done.exception
        acknowledge(1)

    return run


def small_bundle(folder: Path) -> None:
    """Put the small bundle of 0.1 into a folder; it keeps candidates."""
    shutil.copytree(WRITTEN / "bundle", folder / "b")


def sound_bundle(path: Path) -> Bundle:
    """Return a bundle of which every file is as it was packed."""
    if problems := verify_bundle(path):
        raise ValueError("; ".join(problems))
    return read_bundle(path)


def spectra(n: int, seed: int = 0) -> Spectra:
    """Return spectra of the small bundle's emulator with their labels."""
    emulator = Emulator.load(WRITTEN / "emulator")
    labels = draws.giant_branch(n, torch.Generator().manual_seed(seed), emulator.labels)
    with torch.no_grad():
        flux = emulator(labels).numpy()
    values = labels.numpy().astype(float)
    ivar = np.full(flux.shape, 1e4, "f4")
    return Spectra(emulator.grid, flux, ivar, labels=values, label_set=emulator.labels)


# ---------------------------------------------------------------------- commands


def candidates_kept(folder: Path) -> int:
    """Return 1 if the bundle is sound and keeps candidates."""
    found = candidates_of(sound_bundle(folder / "b"))
    return int(found is not None and len(found.table()) > 0)


def map_prepared(folder: Path) -> None:
    """Put a bundle into a folder that keeps a map."""
    shutil.copytree(SHIPPED, folder / "b")


def map_kept(folder: Path) -> int:
    """Return 1 if the bundle is sound and keeps a map."""
    return int(stored_embedding(sound_bundle(folder / "b")) is not None)


def emulator_prepared(folder: Path) -> None:
    """Put a grid and an older emulator, with a report, into a folder."""
    spectra(60).save(folder / "grid.h5")
    shutil.copytree(WRITTEN / "emulator", folder / "e")


def emulator_kept(folder: Path) -> int:
    """Return 1 if there is an emulator of which weights and report belong together."""
    emulator, report = read_emulator(folder / "e")
    old = read_emulator(WRITTEN / "emulator")
    if (report == old[1]) != (emulator.description() == old[0].description()):
        raise ValueError("the weights are of one emulator and the report of another")
    return 1


def adaptation_prepared(folder: Path) -> None:
    """Put an emulator into a folder."""
    shutil.copytree(WRITTEN / "emulator", folder / "e")


def adaptation_kept(folder: Path) -> int:
    """Return 1 if there is a sound bundle; a checkpoint, if there is one, must be readable."""
    for path in folder.glob("*.checkpoint*"):
        read_checkpoint(path)
    if not (folder / "out").exists():
        return 0
    sound_bundle(folder / "out")
    return 1


def fit_prepared(folder: Path) -> None:
    """Put a set of spectra on the pixels of a shipped bundle into a folder."""
    emulator = read_bundle(SHIPPED).model.complete_emulator
    labels = draws.giant_branch(N_SPECTRA, torch.Generator().manual_seed(0), emulator.labels)
    with torch.no_grad():
        flux = emulator(labels).numpy()
    Spectra(emulator.grid, flux, np.full(flux.shape, 1e4, "f4")).save(folder / "stars.h5")


def fit_kept(folder: Path) -> int:
    """Return how many stars are kept, in parts or in the table."""
    if (folder / "f.ecsv").exists():
        return len(read_table(folder / "f.ecsv", "ascii.ecsv"))
    parts = sorted((folder / "f.ecsv.parts").glob("*.fits"))
    return sum(len(read_table(path, "fits")) for path in parts)


def fit(folder: Path, acknowledge: Acknowledge) -> None:
    """Fit a survey in parts; it is done when the table is there."""
    command(f"fit mock-lines stars.h5 --out f.ecsv {QUICK_FIT}")(folder, lambda _: None)
    acknowledge(N_SPECTRA)


@cache
def simulator() -> Any:
    """Return a stand-in for the simulator that needs no other package."""
    return built_by("synthesis/conftest").FakeSimulator(STARS.grid)


def grid(folder: Path, acknowledge: Acknowledge) -> None:
    """Make a grid with the stand-in; each count that is told is one that is kept."""
    GridPlan.simulator = lambda self: simulator()  # type: ignore[method-assign]
    make_grid(STARS, folder / "g.h5", progress=lambda done, *_: acknowledge(done))


def grid_kept(folder: Path) -> int:
    """Return how many stars are kept, in parts or in the grid, those that failed among them."""
    if (folder / "g.h5").exists():
        return len(read_grid(folder / "g.h5")) and STARS.n
    parts = parts_folder(folder / "g.h5")
    for path in parts.glob("*.flux"):
        if path.stat().st_size != 4 * STARS.grid.n_pixels:
            raise ValueError(f"{path.name} is cut")
    return len([*parts.glob("*.flux"), *parts.glob("*.failed")])


# ---------------------------------------------------------------------- functions, without end


def figures(folder: Path, acknowledge: Acknowledge) -> None:
    """Store one figure after the other in a bundle."""
    number = figures_kept(folder)
    while True:
        number += 1
        store_metrics(read_bundle(folder / "b"), {"number": number})
        acknowledge(number)


def figures_kept(folder: Path) -> int:
    """Return the figure that the bundle keeps."""
    return int(sound_bundle(folder / "b").metrics.get("number", 0))


def attached(folder: Path, acknowledge: Acknowledge) -> None:
    """Attach one file after the other to a bundle, each in place of the one before."""
    number = attached_kept(folder)
    while True:
        number += 1
        attach(read_bundle(folder / "b"), "n.json", f"{number:09d}".encode() * 20_000)
        acknowledge(number)


def attached_kept(folder: Path) -> int:
    """Return the number in the file that is attached."""
    content = sound_bundle(folder / "b").attached("n.json") or b"0"
    if content != content[:9] * max(1, len(content) // 9):
        raise ValueError("the attached file is a mixture")
    return int(content[:9])


def replaced(folder: Path, acknowledge: Acknowledge) -> None:
    """Write one bundle after the other into the same folder."""
    bundle = read_bundle(folder / "b")
    number, model = replaced_kept(folder), bundle.model
    emulator = model.complete_emulator
    while True:
        number += 1
        weights = {k: v + 1e-4 * number for k, v in emulator.state_dict().items()}
        write_bundle(
            folder / "b",
            name="small",
            title=str(number),
            description="x",
            emulator=Emulator.rebuild(
                emulator.description(), emulator.labels, emulator.grid, weights
            ),
            adapter=model.adapter,
            reference=model.reference,
        )
        acknowledge(number)


def replaced_kept(folder: Path) -> int:
    """Return the number of the bundle that is there."""
    title = sound_bundle(folder / "b").title
    return int(title) if title.isdigit() else 0


def saved(folder: Path, acknowledge: Acknowledge) -> None:
    """Save one set of spectra after the other under one name."""
    number, some = saved_kept(folder), spectra(40)
    while True:
        number += 1
        flux = np.full_like(some.flux, number)
        Spectra(some.grid, flux, provenance={"number": number}).save(folder / "s.h5")
        acknowledge(number)


def saved_kept(folder: Path) -> int:
    """Return the number of the spectra that are there."""
    found = Spectra.load(folder / "s.h5")
    number = int(found.provenance.get("number", 0))
    if number and not (found.flux == number).all():
        raise ValueError("the flux is that of other spectra")
    return number


def appended(folder: Path, acknowledge: Acknowledge) -> None:
    """Append spectra to a zarr store of its own; the flux of each is its number."""
    some, before = spectra(3), appended_kept(folder)
    path = folder / f"{before:06d}.zarr"
    shutil.rmtree(path, ignore_errors=True)  # of one that was killed before it appended any
    store = SpectraStore.create(path, Spectra(some.grid, some.flux), chunk=4)
    while True:
        numbers = np.arange(len(store), len(store) + 3)
        flux = np.ones_like(some.flux) * (1 + numbers[:, None])
        store.append(Spectra(some.grid, flux, some.ivar, tuple(map(str, numbers))))
        acknowledge(before + len(store))


def appended_kept(folder: Path) -> int:
    """Return how many spectra the stores have, each with its own name and flux."""
    total = 0
    for path in folder.glob("*.zarr"):
        found = SpectraStore.open(path)[:]
        numbers = np.arange(len(found))
        if not (found.flux == 1 + numbers[:, None]).all() or found.ids != tuple(map(str, numbers)):
            raise ValueError("names or flux are of other spectra")
        total += len(found)
    return total


def decided(folder: Path, acknowledge: Acknowledge) -> None:
    """Decide about candidates, as pages do for their vetters."""
    candidates = Candidates.loads((WRITTEN / "bundle" / "candidates.json.gz").read_bytes())
    with open_vetting(folder / "v.sqlite", candidates) as vetting:
        number = len(vetting.everything())
        while True:
            number += 1
            status = ("accepted", "rejected", "unsure")[number % 3]
            vetting.decide(candidates[number % len(candidates)], f"vetter {number}", status)
            acknowledge(number)


def decided_kept(folder: Path) -> int:
    """Return how many decisions are kept, all up to the newest."""
    candidates = Candidates.loads((WRITTEN / "bundle" / "candidates.json.gz").read_bytes())
    with open_vetting(folder / "v.sqlite", candidates) as vetting:
        found = {int(d.vetter.split()[1]) for d in vetting.everything()}
    return len(found) if found == set(range(1, len(found) + 1)) else 0


def nothing(folder: Path) -> None:
    """Leave a folder empty."""


WRITERS: dict[str, Writer] = {
    "lines --store": Writer(small_bundle, command("lines ./b --stars 2 --store"), candidates_kept),
    "embed --store": Writer(
        map_prepared, command("embed ./b --n 60 --store --overwrite"), map_kept
    ),
    "train-emulator": Writer(
        emulator_prepared,
        command(f"train-emulator grid.h5 --out e --overwrite {QUICK_EMULATOR}"),
        emulator_kept,
    ),
    "train-adaptation": Writer(
        adaptation_prepared,
        command(f"train-adaptation ./e --experiment mock-lines --out out {QUICK_TRAINING}"),
        adaptation_kept,
        whole=1,
    ),
    "fit": Writer(fit_prepared, fit, fit_kept, whole=N_SPECTRA),
    "make-grid": Writer(nothing, grid, grid_kept, whole=STARS.n),
    "vetting": Writer(nothing, decided, decided_kept, endless=60),
    "bundle, figures": Writer(small_bundle, figures, figures_kept, endless=120),
    "bundle, attached": Writer(small_bundle, attached, attached_kept, endless=120),
    "bundle, replaced": Writer(small_bundle, replaced, replaced_kept, endless=120),
    "spectra, HDF5": Writer(
        lambda folder: spectra(40).save(folder / "s.h5"), saved, saved_kept, endless=40
    ),
    "spectra, zarr": Writer(nothing, appended, appended_kept, endless=120),
}
"""Every writer of files that people keep, by its name in the table."""
