"""What files of Astra's results are, which hold models and labels of a star but not its spectrum.

The layout is that of the SDSS data model (DR19 and DR20): the four tables of mwmStar files, with
``model_flux`` and the labels in place of flux and its error.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from ..errors import SpectrumError
from .aspcap_labels import calibrated
from .fits_file import columns_of

_SHOWN = {"teff": "T_eff {:.0f} K", "logg": "log g {:.2f}", "Fe": "[Fe/H] {:.2f}"}


def without_observation(hdus: fits.HDUList, name: str) -> SpectrumError:
    """Return the error for an astraStar file that was opened as a spectrum.

    A model that is fitted as if it had been observed gives labels that look fine, so it is not
    read; the sentence names the mwmStar file of the same star, and the labels.
    """
    known = next((labels for hdu in hdus[1:] if (labels := _labels(hdu))), {})
    words = [form.format(known[key]) for key, form in _SHOWN.items() if key in known]
    said = f" ({', '.join(words)})" if words else ""
    spectrum = re.sub(r"^astraStar[A-Za-z]*", "mwmStar", name)
    if spectrum == name:
        spectrum = "the mwmStar file"
    return SpectrumError(
        f"{name} is an SDSS-V astraStar file: labels{said} and a model of the survey, without the "
        f"spectrum that was observed. Open {spectrum} of the same star; read_allstar reads the "
        "labels."
    )


def _labels(hdu: Any) -> dict[str, float]:
    """Return the labels of the first row of a table; none if it has no row."""
    columns = columns_of(hdu)
    if "TEFF" not in columns or not len(hdu.data):
        return {}

    def column(key: str) -> NDArray[Any] | None:
        return np.asarray(hdu.data[key])[:1] if key in columns else None

    first = {k: float(v[0]) for k, v in calibrated(column).items()}
    return {k: v for k, v in first.items() if np.isfinite(v)}
