"""The pixel mask of APOGEE's spectra: which bits make a pixel unusable, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpectrumError

PIXEL_MASK: dict[int, tuple[str, bool, str]] = {
    0: ("BADPIX", True, "in the bad pixel map of the detector"),
    1: ("CRPIX", True, "hit by a cosmic ray"),
    2: ("SATPIX", True, "saturated, so the flux is a lower limit"),
    3: ("UNFIXABLE", True, "could not be repaired in the ramp fit"),
    4: ("BADDARK", True, "dark current too high or unstable to subtract"),
    5: ("BADFLAT", True, "response too low or unstable to divide out"),
    6: ("BADERR", True, "the pipeline gave it an error without meaning"),
    7: ("NOSKY", True, "no sky fibre to subtract the sky with"),
    8: ("LITTROW_GHOST", False, "may hold ghost light; the effect is below a percent"),
    9: ("PERSIST_HIGH", False, "strong persistence; a third of the blue chip in places"),
    10: ("PERSIST_MED", False, "medium persistence"),
    11: ("PERSIST_LOW", False, "low persistence"),
    12: ("SIG_SKYLINE", True, "sky emission that outshines the star leaves residuals"),
    13: ("SIG_TELLURIC", False, "strong telluric line; corrected, and its error is larger"),
    14: ("NOT_ENOUGH_PSF", True, "over half of the light that makes the pixel is missing"),
}
"""Bits of the APOGEE pixel mask: name, whether the pixel is unusable, and why.

Names and meanings are those of APOGEE_PIXMASK, data release 12 and after. Bits that
are set on large parts of a detector and only warn (8 to 11, 13) leave a pixel usable.
"""

BAD_BITS = sum(1 << bit for bit, (_, bad, _) in PIXEL_MASK.items() if bad)
"""The unusable bits of :data:`PIXEL_MASK` as one integer."""

_N_BITS = 31
"""Masks have integers of 2, 4 or 8 bytes; no release uses a bit of the upper half."""

HUGE_ERROR = 1e9
"""Errors from here on mean "no information"; the pipelines write 1e10 and above."""


def usable(
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
    mask: NDArray[np.int64] | None = None,
    bad_bits: int | None = None,
) -> NDArray[np.bool_]:
    """Tell which pixels of a spectrum may be used.

    Parameters
    ----------
    flux, error : ndarray
        Flux and its 1-sigma error, of one shape. A flux of exactly 0 is a gap: noise
        never gives it, and the pipelines write it where a detector ends.
    mask : ndarray of int, optional
        Pixel mask of the same shape; without it only flux and error decide.
    bad_bits : int, optional
        Bits that make a pixel unusable, as one integer; :data:`BAD_BITS` if not given.

    Returns
    -------
    ndarray of bool
        True where flux and error are finite, the flux is not 0, the error is between 0
        and :data:`HUGE_ERROR`, and no bad bit is set.
    """
    good: NDArray[np.bool_] = (
        np.isfinite(flux) & (flux != 0) & np.isfinite(error) & (error > 0) & (error < HUGE_ERROR)
    )
    bad = BAD_BITS if bad_bits is None else bad_bits
    return good if mask is None else good & ((mask & bad) == 0)


def parse_bits(text: str) -> int:
    """Return a list of bits of the pixel mask as one integer.

    Parameters
    ----------
    text : str
        Numbers or names of :data:`PIXEL_MASK`, separated by commas; ``none`` for no bit.

    Raises
    ------
    SpectrumError
        If one of them is neither.

    Examples
    --------
    >>> parse_bits("0, SIG_SKYLINE"), parse_bits("none")
    (4097, 0)
    """
    if text.strip().lower() == "none":
        return 0
    numbers = {name: bit for bit, (name, _, _) in PIXEL_MASK.items()}
    out = 0
    for word in text.split(","):
        plain = word.strip().upper()
        bit = numbers.get(plain, -1)
        if plain.isascii() and plain.isdigit() and len(plain) <= 2:
            bit = int(plain)
        if not 0 <= bit < _N_BITS:
            raise SpectrumError(
                f"Expected bits of the pixel mask, 0 to {_N_BITS - 1}, or names such as "
                f"SIG_SKYLINE, separated by commas, or none; found {word.strip()!r}."
            )
        out |= 1 << bit
    return out


def bits_text(bits: int) -> str:
    """Return bits of the pixel mask in words.

    Examples
    --------
    >>> bits_text(4097), bits_text(0)
    ('0 BADPIX, 12 SIG_SKYLINE', 'none')
    """
    there = [bit for bit in range(_N_BITS) if bits >> bit & 1]
    return ", ".join(f"{b} {PIXEL_MASK.get(b, ('',))[0]}".strip() for b in there) or "none"


def bits_of(flags: NDArray[Any]) -> NDArray[np.int64]:
    """Return the bits of a mask that is stored as floats, as SDSS-V stores it.

    Parameters
    ----------
    flags : ndarray
        Single precision holds integers below 2**24 as they are, and so all bits of
        :data:`PIXEL_MASK`. What is no such number says nothing of its pixel.

    Returns
    -------
    ndarray of int
        The same as integers, with all bits where there was no number.

    Examples
    --------
    >>> bits_of(np.array([0.0, 16384.0, np.nan], np.float32)).tolist()
    [0, 16384, -1]
    """
    values = np.asarray(flags, np.float64)
    told = (values >= 0) & (values < 1 << 24) & (values == np.floor(values))
    return np.where(told, np.where(told, values, 0.0).astype(np.int64), -1)


def inverse_variance(error: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[Any]:
    """Return ``1 / error**2`` where a pixel is good, else 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(good, 1.0 / error**2, 0.0)
