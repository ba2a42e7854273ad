"""Semi-empirical domains: catalogue stars at known labels, observed as a survey would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..emulator.emulator import Emulator, in_batches
from ..emulator.training import EmulatorTraining, train_emulator
from ..labels import LabelSet, draws
from ..spectra.continuum import normalise
from ..spectra.spectra import Spectra
from .bad_pixels import shifted
from .domains import Domains, HeldOut
from .giant_catalogue import Giants, scatter_the_rest
from .survey_errors import SurveyErrors


@dataclass(frozen=True)
class Survey:
    """How catalogue stars are observed.

    Parameters
    ----------
    snr : float
        Median signal-to-noise ratio per pixel over stars.
    snr_scatter : float
        Standard deviation of its natural logarithm; drawn within 60 to 500.
    test_fraction : float
        Part of the stars that neither domain sees.
    seed : int
        Of everything random.
    """

    snr: float = 140.0
    snr_scatter: float = 0.5
    test_fraction: float = 0.1
    seed: int = 0


class Parts(NamedTuple):
    """Stars of the observed domain, of the synthetic one, and of neither."""

    seen: Giants
    synthetic: Giants
    test: Giants


def observe(
    clean: Spectra, errors: SurveyErrors, survey: Survey, rng: np.random.Generator
) -> Spectra:
    """Return spectra with noise and bad pixels, normalised as any observation is."""
    n, p = clean.flux.shape
    snr = survey.snr * np.exp(survey.snr_scatter * rng.standard_normal(n))
    sigma = (errors.profile / np.clip(snr, 60, 500)[:, None]).astype(np.float32)
    noisy = clean.flux + sigma * rng.standard_normal((n, p), dtype=np.float32)
    # Masks follow the sky, spectra the star: each star has its own velocity.
    good = shifted(errors.good[rng.integers(0, len(errors.good), n)], rng)
    flux, ivar = np.where(good, noisy, 1), np.where(good, sigma**-2, 0)
    return normalise(Spectra(clean.grid, flux, ivar, ids=clean.ids))


def draws_like(giants: Giants, labels: LabelSet) -> draws.Draw:
    """Return a function that draws labels ``(n, n_labels)`` of giants of a catalogue.

    What the catalogue lacks is drawn anew each time.
    """

    def draw_labels(n: int, generator: torch.Generator) -> Tensor:
        rows = torch.randint(0, len(giants), (n,), generator=generator).numpy()
        seed = int(torch.randint(0, 2**31, (1,), generator=generator))
        out = giants.labels[rows].copy()
        fresh = scatter_the_rest(giants.expected[rows], labels, np.random.default_rng(seed))
        columns = labels.columns(("vturb", "vmacro", "c12c13"))
        out[:, columns] = fresh[:, columns]
        return torch.tensor(out, dtype=torch.float32)

    return draw_labels


def semi_empirical_domains(
    emulator: Emulator,
    parts: Parts,
    flux_of: Callable[[Giants], Spectra],
    errors: SurveyErrors,
    survey: Survey,
    truth_training: EmulatorTraining,
    *,
    named: tuple[str, str, str],
    rng: np.random.Generator,
) -> Domains:
    """Return domains of which one is observed and the other emulated, at known labels.

    The truth emulator that goes with them is learnt from the noise-free spectra of both
    halves; the exact flux of the test stars is kept beside it.

    Parameters
    ----------
    emulator : Emulator
        Of the simulator, normalised like observations.
    parts : Parts
        Which stars are in which domain.
    flux_of : callable
        Stars to their noise-free observed flux.
    errors : SurveyErrors
        Of real spectra.
    survey : Survey
        How the stars are observed.
    truth_training : EmulatorTraining
        How the observed domain is learnt.
    named : tuple of str
        Name, title and description.
    rng : Generator
        Source of randomness.
    """
    labels = emulator.labels
    seen, synthetic, test = parts
    clean = flux_of(seen)
    other = flux_of(synthetic)
    test_truth = flux_of(test)
    spectra = observe(clean, errors, survey, rng)
    held = observe(test_truth, errors, survey, rng)

    draw_labels = draws_like(synthetic, labels)
    both = Spectra(
        emulator.grid,
        np.concatenate([clean.flux, other.flux]),
        labels=np.concatenate([seen.labels, synthetic.labels]),
        label_set=labels,
    )
    truth = train_emulator(both, truth_training, continuum="pseudo")
    test_labels = torch.tensor(test.labels, dtype=torch.float32)
    exact = torch.from_numpy(test_truth.flux)
    miss = float((in_batches(truth, test_labels) - exact).square().mean().sqrt())
    good = spectra.ivar > 0
    return Domains(
        *named,
        emulator,
        emulator,
        draw_labels,
        torch.from_numpy(spectra.flux),
        float(np.median(spectra.ivar[good]) ** -0.5),
        ivar=torch.from_numpy(spectra.ivar),
        held_out=HeldOut(torch.from_numpy(held.flux), torch.from_numpy(held.ivar), test_labels),
        truth=truth,
        test_labels=test_labels,
        test_truth=exact,
        facts=asdict(survey)
        | {
            "kind": "semi-empirical",
            "n_observed": len(seen),
            "n_synthetic": len(synthetic),
            "n_test": len(test),
            "truth_emulator_rms": miss,
        },
        reference=draws.ordinary_giant(labels),
    )
