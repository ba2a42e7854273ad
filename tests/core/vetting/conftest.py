"""Candidates made by hand, of two bundles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from spectrabridge.core.lines import Answer, Candidate, Candidates, NearLine
from spectrabridge.core.lines.candidate import candidate_id

FINGERPRINT = "0123456789abcdef"
OTHER = "fedcba9876543210"

NEAR = (
    NearLine("Fe 2", 15200.1, -1.5, 5.25, 3.0),
    NearLine("Fe 1", 15200.25, -0.5, 6.1, 2.0),
    NearLine("CN 1", 15200.2, -1.9, 1.05, 1.0),
    NearLine("Si 1", 15200.45, 0.1, 7.0, 0.5),
)


def a_candidate(
    wavelength: float, fingerprint: str = FINGERPRINT, near: tuple[NearLine, ...] = ()
) -> Candidate:
    return Candidate(
        candidate_id(fingerprint, wavelength),
        wavelength,
        wavelength - 0.3,
        wavelength + 0.3,
        10,
        14,
        12,
        "missing",
        emulated=0.02,
        adapted=0.1,
        depth=0.08,
        depth_low=0.05,
        depth_high=0.12,
        width=21.0,
        significance=9.0,
        answers=(Answer("Fe", 0.7), Answer("CN", 0.2), Answer("unknown", 0.1)),
        near=near,
    )


Make = Callable[..., Candidates]


@pytest.fixture(scope="session")
def make_candidates() -> Make:
    """Candidates of a bundle at some wavelengths."""

    def make(wavelengths: Sequence[float], fingerprint: str = FINGERPRINT) -> Candidates:
        name = "toy" if fingerprint == FINGERPRINT else "other"
        rows = tuple(a_candidate(w, fingerprint, near=NEAR) for w in wavelengths)
        return Candidates(name, fingerprint, {"teff": 4750.0}, {}, rows)

    return make


@pytest.fixture(scope="session")
def thirty(make_candidates: Make) -> Candidates:
    return make_candidates([15200.2 + 3 * i for i in range(30)])
