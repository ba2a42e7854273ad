"""Time label fits against scipy's curve_fit on a network like The Payne's.

    python benchmarks/fitting.py [--stars 200] [--by-scipy 8] [--json] [--out FILE]

The yardstick is fitted the way The Payne is (Ting et al. 2019, section 4, and its published
example): a 25-300-300-P perceptron in numpy, labels scaled to -0.5 to 0.5, the velocity by
linear interpolation, scipy.optimize.curve_fit with method trf, bounds and derivatives by finite
differences, tolerances 1e-4, normalised spectra and no continuum. Ours fits labels, velocity and
a continuum per chip. All on one core, in one process, on the same spectra: emulated giants with
noise of one hundredth per pixel and velocities of up to 2 km/s. Seconds are those of the
processor, which other work on the machine changes much less than the clock's.

Rows: `curve_fit` on the perceptron; `same network`, ours on the same perceptron; `emulated`, ours
on the bundle's emulator; `adapted`, ours on the bundle's adapted spectra, with their own data. An
equal or lower reduced chi2 on equal data means an equal or better fit. Medians over stars.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from spectrabridge.core.bundle import Model, open_bundle
from spectrabridge.core.emulator import Emulator, train_emulator
from spectrabridge.core.emulator.training import PAYNE_TRAINING
from spectrabridge.core.fitting import FitSettings, Fitter, LabelFits, population_of
from spectrabridge.core.fitting.velocity import log_step, shift
from spectrabridge.core.labels import draws
from spectrabridge.core.spectra import SPEED_OF_LIGHT, Spectra

SIGMA = 0.01
FASTEST = 2.0  # km/s
EXAMPLES = 4000


class Perceptron:
    """The Payne's form of network, evaluated by numpy one spectrum at a time."""

    def __init__(self, emulator: Emulator) -> None:
        layers = [m for m in emulator.net if isinstance(m, torch.nn.Linear)]
        # Doubles, as in The Payne: finite differences of floats are noise.
        self.weights = [m.weight.detach().double().numpy() for m in layers]
        self.biases = [m.bias.detach().double().numpy() for m in layers]
        self.low, self.high = emulator.low.numpy(), emulator.high.numpy()
        self.wavelength = emulator.grid.wavelength

    def flux(self, scaled: NDArray[Any], velocity: float) -> NDArray[Any]:
        x = np.asarray(scaled, np.float64)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = weight @ x + bias
            x = np.where(x > 0, x, 0.01 * x)
        rest = self.weights[-1] @ x + self.biases[-1]
        moved = self.wavelength * (1 + velocity / SPEED_OF_LIGHT)
        return np.interp(self.wavelength, moved, rest)

    def fit(self, flux: NDArray[Any], sigma: NDArray[Any]) -> tuple[NDArray[Any], float]:
        """Return the parameters and the reduced chi2."""
        k = len(self.low)

        def model(_: object, *p: float) -> NDArray[Any]:
            return self.flux(np.array(p[:k]), p[k])

        bounds = ([-0.5] * k + [-5.0], [0.5] * k + [5.0])
        found, _ = curve_fit(
            model,
            np.zeros(0),
            flux,
            p0=np.zeros(k + 1),
            sigma=sigma,
            absolute_sigma=True,
            bounds=bounds,
            ftol=1e-4,
            xtol=1e-4,
            method="trf",
        )
        chi2 = float((((flux - model(None, *found)) / sigma) ** 2).sum())
        return found, chi2 / (len(flux) - k - 1)


def observe(clean: NDArray[Any], grid: Any, rng: np.random.Generator) -> Spectra:
    """Return spectra with velocities and noise."""
    pixels = rng.uniform(-FASTEST, FASTEST, len(clean)) / (SPEED_OF_LIGHT * log_step(grid))
    moved = shift(torch.tensor(clean), torch.tensor(pixels, dtype=torch.float32), grid).numpy()
    noisy = moved + SIGMA * rng.standard_normal(moved.shape, dtype=np.float32)
    # Told to be normalised, so that both fit exactly these spectra.
    return Spectra(
        grid,
        noisy,
        np.full_like(noisy, SIGMA**-2),
        provenance={"continuum": {"routine": "none, made at 1"}},
    )


def ours(model: Model, population: Any, spectra: Spectra, kind: Any, prior: Any) -> dict[str, Any]:
    """Time our fit; what is needed once per model is timed apart."""
    settings = FitSettings(spectrum=kind, prior=prior, floor=0.0, search=0.0)
    began = time.process_time()
    fitter = Fitter(model, population, settings)
    set_up = time.process_time() - began
    fitter.fit(spectra[:16])  # warm
    seconds = []
    fits: LabelFits | None = None
    for _ in range(3):
        began = time.process_time()
        fits = fitter.fit(spectra)
        seconds.append((time.process_time() - began) / len(spectra))
    assert fits is not None
    return {
        "seconds_per_star": statistics.median(seconds),
        "stars_per_second": 1 / statistics.median(seconds),
        "reduced_chi2": float(np.nanmedian(fits.reduced_chi2)),
        "set_up_seconds": set_up,
        "not_converged": sum("not_converged" in f for f in fits.flags),
        "n_stars": len(spectra),
    }


def measure(name: str, stars: int, by_scipy: int, seconds: float) -> dict[str, Any]:
    """Return all rows and the ratios."""
    torch.set_num_threads(1)
    bundle = open_bundle(name)
    model, population = bundle.model, population_of(bundle)
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    complete = model.complete_emulator
    examples = draws.giant_branch(EXAMPLES, generator)
    with torch.no_grad():
        flux = torch.cat([complete(y) for y in examples.split(250)]).numpy()
    grid_spectra = Spectra(
        model.grid,
        flux,
        labels=examples.double().numpy(),
        label_set=model.labels,
    )
    training = replace(PAYNE_TRAINING, seconds=seconds)
    payne = train_emulator(grid_spectra, training, continuum="pseudo")
    labels = torch.tensor(population[rng.integers(0, len(population), stars)]).float()
    with torch.no_grad():
        emulated = observe(model.emulate(labels).numpy(), model.grid, rng)
        adapted = observe(model.adapt(labels).numpy(), model.grid, rng)
    same = Model(payne, model.adapter, model.reference)
    rows = {
        "same network": ours(same, population, emulated, "emulated", "none"),
        "emulated": ours(model, population, emulated, "emulated", "population"),
        "adapted": ours(model, population, adapted, "adapted", "population"),
    }
    perceptron = Perceptron(payne)
    times, chi2, same_chi2 = [], [], rows["same network"]["reduced_chi2"]
    for i in range(by_scipy):
        began = time.process_time()
        _, value = perceptron.fit(
            emulated.flux[i].astype(float), np.full(model.grid.n_pixels, SIGMA)
        )
        times.append(time.process_time() - began)
        chi2.append(value)
    rows["curve_fit"] = {
        "seconds_per_star": statistics.median(times),
        "stars_per_second": 1 / statistics.median(times),
        "reduced_chi2": float(np.median(chi2)),
        "n_stars": by_scipy,
    }
    base = rows["curve_fit"]
    for row in rows.values():
        row["times_faster"] = base["seconds_per_star"] / row["seconds_per_star"]
    return {
        "rows": rows,
        "times_faster": rows["adapted"]["times_faster"],
        "times_faster_same_network": rows["same network"]["times_faster"],
        "chi2_no_worse": same_chi2 <= base["reduced_chi2"] + 0.005
        and rows["emulated"]["reduced_chi2"] <= base["reduced_chi2"],
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Measure and print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?", default="apogee-giants")
    parser.add_argument("--stars", type=int, default=200, help="stars that ours fits")
    parser.add_argument("--by-scipy", type=int, default=8, help="stars that curve_fit fits")
    parser.add_argument("--train-seconds", type=float, default=60.0, help="for the perceptron")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--out", type=Path, help="also write the JSON to a file")
    given = parser.parse_args()
    figures = measure(given.bundle, given.stars, given.by_scipy, given.train_seconds)
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if given.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{'':14s} {'s per star':>11s} {'times faster':>13s} {'reduced chi2':>13s}")
    for name, row in figures["rows"].items():
        print(
            f"{name:14s} {row['seconds_per_star']:11.4f} {row['times_faster']:13.1f} "
            f"{row['reduced_chi2']:13.4f}"
        )


if __name__ == "__main__":
    main()
