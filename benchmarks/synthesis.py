"""Measure the synthesis: atlases, learnt atmospheres, derivatives, speed.

    python benchmarks/synthesis.py DATA [--parts atlases nodes pruning derivatives] [--json]

DATA is the folder of the data pack. Needs the extra [synthesis]. Parts:

atlases      standard deviation of Sun and Arcturus minus synthesis at R = 22,500, shipped lines
             and atmospheres
nodes        flux of atmospheres learnt without some MARCS models minus flux of these models
pruning      lines left out by --prune 0.001, what it changes, processor seconds with and without
derivatives  emulator's d flux / d [X/H] against the simulator's finite differences, both
             normalised like observations; one correlation per element over all pixels and stars,
             and one over the pixels on which the element acts

A line's depth is estimated from its derivative over ln 10, what it is where lines are weak.

Finite differences take seven minutes. --keep FILE writes them, --kept FILE reads them, and then
neither pysme nor DATA is needed:

    python benchmarks/synthesis.py . --parts derivatives --kept tests/data/derivatives-of-giants.npz
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
import torch

from spectrabridge.core.atmosphere import read_model_table
from spectrabridge.core.atmosphere.training import held_out_models, learn
from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.emulator import Emulator
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import APSTAR_GRID, Spectra, normalise
from spectrabridge.core.synthesis import SmeSimulator
from spectrabridge.core.synthesis.pruning import prune, pruning_error
from spectrabridge.core.synthesis.sme import work_in_scratch_folder

TRIM = 100
"""Pixels left out at both ends of the atlases."""

SUN = {"teff": 5777.0, "logg": 4.44, "feh": 0.0, "vturb": 1.0, "c12c13": 89.0}
ARCTURUS = {"teff": 4286.0, "logg": 1.66, "feh": -0.52, "vturb": 1.7, "c12c13": 9.0}
ARCTURUS_OVER_IRON = {
    **{"C": 0.43, "O": 0.5, "Na": 0.11, "Mg": 0.37, "Al": 0.34, "Si": 0.33, "P": 0.2, "S": 0.3},
    **{"K": 0.2, "Ca": 0.11, "Sc": 0.15, "Ti": 0.27},
}
"""Ramirez and Allende Prieto (2011, ApJ 743, 135)."""

STEP = 0.05
"""dex, of the finite differences."""

ACTING = 0.003
"""Change of flux per dex above which an element acts on a pixel."""

_seconds: list[tuple[float, float]] = []


def timed(function: Callable[..., np.ndarray], *args: Any, **kwargs: Any) -> np.ndarray:
    """Call a synthesis and remember its wall-clock and processor time."""
    wall, cpu = time.monotonic(), time.process_time()
    out = function(*args, **kwargs)
    _seconds.append((time.monotonic() - wall, time.process_time() - cpu))
    return out


def atlases(data: Path, simulator: SmeSimulator) -> dict[str, float]:
    with np.load(data / "atlases" / "sun_arcturus_R22500.npz") as file:
        observed = {name: file[f"{name}_observed"] for name in ("sun", "arcturus")}
    inner = slice(TRIM, -TRIM)
    out = {}
    for name, star, over_iron, vmacro in (
        ("sun", SUN, {}, 2.0),
        ("arcturus", ARCTURUS, ARCTURUS_OVER_IRON, 4.5),
    ):
        fine = timed(simulator.normalised_flux, **star, over_iron=over_iron)
        flux = simulator.observed(fine, vmacro)
        out[f"{name}_rms"] = float((observed[name] - flux)[inner].std())
    return out


def nodes(data: Path, simulator: SmeSimulator, n: int) -> dict[str, float]:
    table = read_model_table(data / "atmospheres" / "marcs_apogee.npz")
    held = held_out_models(table, 200, 0)
    blind = learn(table, held_out=held)
    errors = []
    for model in held[np.linspace(0, len(held) - 1, n).round().astype(int)]:
        star = tuple(float(v) for v in table.stars[model])
        flux = [
            simulator.observed(timed(simulator.normalised_flux, *star, 1.5, structure=s), 4.0)
            for s in (blind(*star), table.structure(int(model)))
        ]
        errors.append(float((flux[0] - flux[1]).std()))
    squares = np.square(errors)
    return {
        "n_nodes": n,
        "flux_rms": float(np.sqrt(squares.mean())),
        "flux_rms_median_node": float(np.median(errors)),
        "flux_rms_worst_node": float(max(errors)),
    }


def stars_of_giants(n: int) -> list[np.ndarray]:
    """Five giants along the branch, of different metallicity."""
    rows = [
        (4000.0, 1.0, 1.9, -0.3, 10.0, 5.5),
        (4300.0, 1.7, 1.8, 0.2, 12.0, 4.5),
        (4750.0, 2.5, 1.5, 0.0, 20.0, 4.0),
        (4900.0, 2.4, 1.6, -0.8, 8.0, 4.5),
        (5100.0, 3.2, 1.3, -0.2, 30.0, 3.5),
    ]
    out = []
    for teff, logg, vturb, feh, ratio, vmacro in rows[:n]:
        star = dict.fromkeys(APOGEE_LABELS.names, feh)
        star |= {"teff": teff, "logg": logg, "vturb": vturb, "c12c13": ratio, "vmacro": vmacro}
        out.append(APOGEE_LABELS.array(star))
    return out


def differences(simulator: SmeSimulator, star: np.ndarray) -> np.ndarray:
    """Return the simulator's derivatives by the abundances, ``(n_elements, n_pixels)``."""
    rows = [star]
    for column in APOGEE_LABELS.element_columns():
        moved = star.copy()
        moved[column] += STEP
        rows.append(moved)
    flux = np.stack([timed(simulator, row) for row in rows])
    chips = normalise(Spectra(APSTAR_GRID, flux)).on_chips().flux.astype(np.float64)
    return (chips[1:] - chips[0]) / STEP


def keep(path: Path, labels: np.ndarray, slopes: np.ndarray) -> None:
    """Write derivatives ``(n_stars, n_elements, n_pixels)`` in a byte each.

    Stored is ``127 (|x| / largest)^(2/3)`` with the sign of x, which keeps small ones finer;
    the correlation with the numbers themselves is 0.9999.
    """
    largest = np.abs(slopes).max(axis=-1)
    root = (np.abs(slopes) / largest[..., None]) ** (2 / 3)
    stored = np.rint(127 * np.sign(slopes) * root).astype(np.int8)
    np.savez_compressed(path, labels=labels, stored=stored, largest=largest)


def read_kept(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and derivatives that :func:`keep` wrote."""
    with np.load(path, allow_pickle=False) as file:
        stored, largest, labels = file["stored"].astype(float), file["largest"], file["labels"]
    return labels, np.sign(stored) * (np.abs(stored) / 127) ** 1.5 * largest[..., None]


def derivatives(
    simulator: SmeSimulator | None,
    bundle: str,
    n_stars: int,
    written: Path | None,
    kept: Path | None,
) -> dict[str, Any]:
    alone = (Path(bundle) / "emulator.json").exists()
    emulator = Emulator.load(bundle) if alone else open_bundle(bundle).model.emulator
    columns = APOGEE_LABELS.element_columns()
    ours: list[np.ndarray] = []
    theirs: list[np.ndarray] = []
    stars = np.stack(stars_of_giants(n_stars))
    known = None
    if kept is not None:
        stars, known = read_kept(kept)
    for i, star in enumerate(stars):
        if known is not None:
            theirs.append(known[i])
        else:
            assert simulator is not None
            theirs.append(differences(simulator, star))
        slopes = emulator.slopes(torch.tensor(star).float()[None])[1][0].numpy()
        ours.append(slopes[columns].astype(np.float64))
        state = correlations(np.stack(ours), np.stack(theirs))
        print(
            f"{len(ours)} stars: lowest {state['lowest_of_deep']:.4f} ({state['lowest_element']}), "
            f"below 0.98: {', '.join(state['below_0.98']) or 'none'}; in lines lowest "
            f"{state['lowest_of_deep_in_lines']:.4f}, below 0.98: "
            f"{', '.join(state['below_0.98_in_lines']) or 'none'}",
            file=sys.stderr,
            flush=True,
        )
    if written is not None:
        keep(written, stars, np.stack(theirs))
    return {"n_stars": len(stars)} | state


def pruning(simulator: SmeSimulator, threshold: float = 1e-3) -> dict[str, Any]:
    pruned = prune(simulator, threshold)
    out: dict[str, Any] = pruning_error(simulator, pruned)
    star = stars_of_giants(3)[2]
    seconds: dict[str, list[float]] = {"all": [], "pruned": []}
    for _ in range(5):
        for name, one in (("all", simulator), ("pruned", pruned)):
            start = time.process_time()
            one(star)
            seconds[name].append(time.process_time() - start)
    out |= {f"cpu_seconds_{name}": float(np.median(values)) for name, values in seconds.items()}
    return out | {"spectra_per_core_hour_pruned": 3600 / out["cpu_seconds_pruned"]}


def correlations(a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    """Compare derivatives (n_stars, n_elements, n_pixels) of emulator and simulator."""
    table = {}
    for k, element in enumerate(APOGEE_LABELS.elements):
        lines = np.abs(b[:, k]) > ACTING
        table[element] = {
            "correlation": float(np.corrcoef(a[:, k].ravel(), b[:, k].ravel())[0, 1]),
            "correlation_in_lines": float(np.corrcoef(a[:, k][lines], b[:, k][lines])[0, 1])
            if lines.sum() > 2
            else float("nan"),
            "emulator_rms_elsewhere": float(a[:, k][~lines].std()),
            "simulator_rms_elsewhere": float(b[:, k][~lines].std()),
            "deepest_line": float(np.abs(b[:, k]).max() / np.log(10)),
        }
    deep = {e: v["correlation"] for e, v in table.items() if v["deepest_line"] > 0.02}
    inside = {e: table[e]["correlation_in_lines"] for e in deep}
    lowest = min(deep, key=deep.__getitem__)
    return {
        "elements": table,
        "n_deep": len(deep),
        "lowest_of_deep": deep[lowest],
        "lowest_element": lowest,
        "below_0.98": [e for e, value in deep.items() if value < 0.98],
        "lowest_of_deep_in_lines": min(inside.values()),
        "below_0.98_in_lines": [e for e, value in inside.items() if value < 0.98],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=["atlases", "nodes", "pruning", "derivatives"],
        default=["atlases", "nodes", "pruning", "derivatives"],
    )
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("--stars", type=int, default=5, choices=range(1, 6))
    parser.add_argument("--bundle", default="apogee-giants", help="or a folder of train-emulator")
    parser.add_argument("--keep", type=Path, help="file for finite differences")
    parser.add_argument("--kept", type=Path, help="finite differences to use instead of new ones")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if (Path(options.bundle) / "emulator.json").exists():
        options.bundle = str(Path(options.bundle).resolve())
    data = options.data.resolve()
    written, kept = (p.resolve() if p else None for p in (options.keep, options.kept))
    torch.set_num_threads(1)
    work_in_scratch_folder()
    alone = options.parts == ["derivatives"] and kept is not None
    simulator = None if alone else SmeSimulator()
    figures: dict[str, Any] = {}
    if simulator is not None and "atlases" in options.parts:
        figures["atlases"] = atlases(data, simulator)
    if simulator is not None and "nodes" in options.parts:
        figures["nodes"] = nodes(data, simulator, options.nodes)
    if simulator is not None and "pruning" in options.parts:
        figures["pruning"] = pruning(simulator)
    if "derivatives" in options.parts:
        figures["derivatives"] = derivatives(
            simulator, options.bundle, options.stars, written, kept
        )
    if _seconds:
        wall, cpu = np.median(np.array(_seconds), axis=0)
        figures["speed"] = {
            "n": len(_seconds),
            "median_wall_seconds": float(wall),
            "median_cpu_seconds": float(cpu),
            "fastest_wall_seconds": float(min(w for w, _ in _seconds)),
            "spectra_per_core_hour": 3600 / float(cpu),
            "spectra_per_hour_wall": 3600 / float(wall),
        }
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for part, values in figures.items():
        print(part)
        for name, value in values.items():
            print(f"  {name:24s} {value}")


if __name__ == "__main__":
    main()
