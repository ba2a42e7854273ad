from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spectrabridge.core.errors import SynthesisError
from spectrabridge.core.labels import APOGEE_LABELS, LabelSet
from spectrabridge.core.spectra import WavelengthGrid
from spectrabridge.core.synthesis.grid_plan import GridPlan, ready

WHY = "needs pysme-astro: `make synthesis` installs it beside the rest and runs these tests"


@pytest.fixture(scope="session")
def pysme() -> None:
    """Skip a test of real synthesis where the extra is missing."""
    if importlib.util.find_spec("pysme") is None:
        pytest.skip(WHY)


class FakeSimulator:
    """Lines whose depth follows two labels; refuses cool stars and fails for one of them."""

    continuum = "true"
    labels: LabelSet = APOGEE_LABELS

    def __init__(self, grid: WavelengthGrid) -> None:
        self.grid = grid
        self.n_calls = 0

    @property
    def description(self) -> dict[str, str]:
        return {"code": "a stand-in"}

    def outside(self, values: Any) -> str:
        return "too cool" if values[0] < 3900 else ""

    def __call__(self, values: Any) -> NDArray[np.float64]:
        self.n_calls += 1
        if values[1] > 3.9:
            raise SynthesisError("no usable flux")
        wave = self.grid.wavelength
        depth = 0.3 * (values[0] / 5000) + 0.1 * values[18]
        return 1 - depth * np.exp(-0.5 * ((wave - wave.mean()) / 1.0) ** 2)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[FakeSimulator]]:
    """Put a stand-in for the simulator into every plan; returns those made."""
    made: list[FakeSimulator] = []

    def simulator(self: GridPlan) -> FakeSimulator:
        made.append(FakeSimulator(self.grid))
        return made[-1]

    monkeypatch.setattr(GridPlan, "simulator", simulator)
    ready.cache_clear()
    yield lambda: made  # type: ignore[misc]
    ready.cache_clear()
