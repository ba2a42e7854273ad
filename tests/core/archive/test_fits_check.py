"""Whether a file is a complete FITS file: by its headers, which may be damaged themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.archive.fits_check import FITS_BLOCK, check_fits
from spectrabridge.core.errors import DownloadError


def test_check_fits_follows_tables_and_records_after_the_last_hdu(tmp_path: Path) -> None:
    import numpy as np
    from astropy.io import fits

    table = fits.BinTableHDU.from_columns(
        [fits.Column("x", "PD()", array=np.array([[1.0], [2.0, 3.0]], dtype=object))]
    )
    path = tmp_path / "t.fits"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    check_fits(path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 2880)
    check_fits(path)
    path.write_bytes(whole[:-2880])
    with pytest.raises(DownloadError, match="ends early"):
        check_fits(path)


def header(**values: object) -> bytes:
    cards = [f"{key:8s}= {value!s:>20s}" for key, value in values.items()] + ["END"]
    return "".join(card.ljust(80) for card in cards).encode().ljust(FITS_BLOCK)


@pytest.mark.parametrize(
    "values",
    [
        {"BITPIX": 8, "NAXIS": 1, "NAXIS1": -2880},
        {"BITPIX": 8, "NAXIS": 1, "NAXIS1": 1, "GCOUNT": -2880},
        {"BITPIX": 8, "NAXIS": 1, "NAXIS1": 1, "PCOUNT": -5761},
        {"BITPIX": 8, "NAXIS": 10**15, "NAXIS1": 2},
        {"BITPIX": 8, "NAXIS": -1, "NAXIS1": 2},
    ],
)
def test_sizes_that_lead_backwards_end(tmp_path: Path, values: dict[str, int]) -> None:
    path = tmp_path / "loop.fits"
    path.write_bytes(header(SIMPLE="T", **values))
    check_fits(path)  # the headers announce no data, and the walk comes to its end
    path.write_bytes(header(SIMPLE="T", **values) + b"\0" * 100)
    with pytest.raises(DownloadError, match="no multiple of 2880"):
        check_fits(path)


@pytest.mark.parametrize("text", [b"--5", b"-", b"5-", b"+-5", b"\xb2"])
def test_sizes_that_are_no_numbers_are_no_sizes(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.fits"
    fits.PrimaryHDU(np.zeros(10, "f4")).writeto(path)
    content = path.read_bytes()
    at = content.index(b"NAXIS1  =") + 10
    path.write_bytes(content[:at] + text.rjust(20) + content[at + 20 :])
    check_fits(path)  # the data that are there are taken for what follows the last HDU
