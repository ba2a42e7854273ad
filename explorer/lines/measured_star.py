"""What is measured of a candidate on an observed star, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import LinesError
from ...core.lines import Candidate
from ...core.measurement import measure_line
from ...core.spectra import Spectra


@dataclass(frozen=True, eq=False)
class MeasuredStar:
    """An observed star on which candidates are measured.

    Parameters
    ----------
    spectra : Spectra
        A set of one, continuum-normalised, at rest, on the grid of the model.
    """

    spectra: Spectra

    @property
    def flux(self) -> NDArray[np.float32]:
        """Flux ``(n_pixels,)``, NaN where it must not be used."""
        good = self.spectra.good[0]
        return np.where(good, self.spectra.flux[0], np.nan).astype(np.float32)

    def words(self, candidate: Candidate) -> str:
        """Return depth and equivalent width of a candidate's absorption, or why there are none.

        Between the edges of the candidate, by a sum over pixels, with the continuum of the
        pixels beside it.
        """
        try:
            found = measure_line(self.spectra, candidate.low, candidate.high)
        except LinesError as problem:
            return f"observed: {problem}"
        return (
            f"observed: depth {found.depth:.3f} \u00b1 {found.depth_error:.3f}, "
            f"EW {found.equivalent_width:.0f} \u00b1 {found.width_error:.0f} m\u00c5"
        )
