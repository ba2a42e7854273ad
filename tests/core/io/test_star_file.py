"""One door for all formats: the content tells which it is."""

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io import example_apstar, read_apstar, read_star
from spectrabridge.core.io.apstar import is_apstar
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, Spectra, WavelengthGrid

OBSERVED = "observed/fits/"


def refuse(source, words, name="x.dat"):
    with pytest.raises(SpectrumError, match=words) as caught:
        read_star(source, name)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and name in message


def test_apstar_by_path_bytes_file_and_gzip(tmp_path):
    want = read_apstar(example_apstar())
    content = example_apstar().read_bytes()
    (tmp_path / "odd.csv").write_bytes(gzip.compress(content))
    for source in (example_apstar(), content, io.BytesIO(content), tmp_path / "odd.csv"):
        got = read_star(source)
        assert (got.format, got.star) == ("apStar", "2M19485057+5005279")
        np.testing.assert_array_equal(got.spectra.flux, want.spectra.flux)
        assert got.model is None and got.labels == {} and got.notes == want.notes
    assert read_star(content, "mine").name == "mine"
    with fits.open(example_apstar()) as hdus:
        assert is_apstar(hdus)


@pytest.mark.parametrize(
    ("name", "form", "star"),
    [
        ("apStar-r5-2M00004994+1621552.fits", "apStar", "2M00004994+1621552"),
        ("apStar-r6-2M03290406+3117075.fits", "apStar", "2M03290406+3117075"),
        ("apVisit-r13-9518-57729-104.fits", "apVisit", "2M00242666+5341178"),
        ("aspcapStar-r6-l30e.2-2M17334253-1654573.fits", "aspcapStar", "2M17334253-1654573"),
    ],
)
def test_released_files(data_file, name, form, star):
    got = read_star(data_file(OBSERVED + name))
    assert (got.format, got.star, got.name) == (form, star, name)
    assert got.spectra.grid == APSTAR_GRID
    assert got.spectra.good[0, APSTAR_GRID.chip_pixels].mean() > 0.85
    aspcap = form == "aspcapStar"
    assert (got.spectra.provenance.get("continuum") == "aspcap") is aspcap
    assert (got.model is not None) is aspcap and bool(got.labels) is aspcap


def test_the_same_star_from_two_products(data_file):
    """The combination of an apStar file is what aspcapStar normalised."""
    raw = read_star(data_file(OBSERVED + "apStar-r6-2M17334253-1654573.fits")).spectra
    done = read_star(data_file(OBSERVED + "aspcapStar-r6-l30e.2-2M17334253-1654573.fits")).spectra
    for chip in APSTAR_GRID.chips:
        p = chip.pixels
        good = raw.good[0, p] & done.good[0, p] & (done.ivar[0, p] > 1e4)
        pixel = np.arange(len(chip))[good]
        ratio = np.log(raw.flux[0, p][good] / done.flux[0, p][good])
        rest = ratio - np.polyval(np.polyfit(pixel - 1000, ratio, 5), pixel - 1000)
        assert np.std(rest) < 0.01


def test_tables_arrays_and_spectra(tmp_path):
    wavelength = np.linspace(15120, 16990, 9000)
    flux = 1 + 0.1 * np.sin(wavelength / 15)
    text = "wavelength,flux,error\n" + "\n".join(
        f"{w:.4f},{f:.6f},0.01" for w, f in zip(wavelength, flux, strict=True)
    )
    (tmp_path / "2M00000001+0000002.txt").write_text(text)
    table = read_star(tmp_path / "2M00000001+0000002.txt")
    assert (table.format, table.star) == ("table", "2M00000001+0000002")
    assert any("guessed" in note for note in table.notes)
    moved = read_star(text.encode(), rv_kms=30.0, medium="air", unit="angstrom")
    assert not any("guessed" in note or "assumed" in note for note in moved.notes)
    out = io.BytesIO()
    np.savez(out, wavelength=wavelength, flux=flux, err=np.full(9000, 0.01))
    arrays = read_star(out.getvalue(), "arrays.npz")
    assert arrays.format == "npz" and arrays.star == "arrays.npz"
    good = table.spectra.good[0] & arrays.spectra.good[0]
    np.testing.assert_allclose(table.spectra.flux[0, good], arrays.spectra.flux[0, good], atol=2e-4)
    made = io.BytesIO()
    columns = [fits.Column(n, "D", array=a) for n, a in (("wave", wavelength), ("flux", flux))]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(made)
    assert read_star(made.getvalue()).format == "table"


def test_hdf5_files_of_spectra(tmp_path):
    flux = np.random.default_rng(0).uniform(0.5, 1, (2, 7214))
    labels = np.tile(APOGEE_LABELS.low, (2, 1))
    one = Spectra(APOGEE_GRID, flux, ids=("2M1", "2M2"), labels=labels, label_set=APOGEE_LABELS)
    path = tmp_path / "a.h5"
    one.save(path)
    for source in (path, path.read_bytes()):
        got = read_star(source, "a.h5")
        assert (got.format, got.star, len(got.spectra)) == ("spectra", "2M1", 2)
        np.testing.assert_array_equal(
            got.spectra.flux[:, APSTAR_GRID.chip_pixels], flux.astype(np.float32)
        )
        assert got.spectra.good.sum() == 2 * 7214
        assert got.labels["teff"] == 3800
        assert any("holds 2 spectra" in note for note in got.notes)
    other = WavelengthGrid(np.linspace(15200, 16900, 9000))
    Spectra(other, np.ones((1, 9000)), ids=("2M3",)).save(path)
    got = read_star(path)
    assert any("resampled from" in note for note in got.notes)
    np.testing.assert_allclose(got.spectra.flux[got.spectra.good], 1)


# What is refused


def test_unknown_content_lists_what_is_read(tmp_path):
    for source in (b"\x00\x01\x02" * 100, b"Dear reader,\nno numbers here.\n", b"%PDF-1.7\n"):
        refuse(source, "none of the files that are read: apStar, apVisit, aspcapStar, hdf5,")
    refuse(b"", "is empty; expected a file with a spectrum")
    with pytest.raises(SpectrumError, match="There is no file"):
        read_star(tmp_path / "absent.fits")
    with pytest.raises(SpectrumError, match="is a folder"):
        read_star(tmp_path)


def test_catalogues_and_other_fits_files():
    stars = fits.BinTableHDU.from_columns(
        [fits.Column(n, "D", array=[1.0]) for n in ("APOGEE_ID", "VHELIO_AVG")]
    )
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), stars]).writeto(out)
    refuse(out.getvalue(), "seems to be an allStar catalogue.*Files that are read are apStar")
    out = io.BytesIO()
    fits.PrimaryHDU(np.zeros((5, 40))).writeto(out)
    refuse(out.getvalue(), "first HDU is an image of 40x5 pixels")


@pytest.mark.parametrize("part", [0.001, 0.01, 0.3, 0.7, 0.999])
def test_truncated(tmp_path, part):
    content = example_apstar().read_bytes()
    refuse(content[: int(part * len(content))], "truncated|none of the files|not a FITS")
    path = tmp_path / "a.h5"
    rng = np.random.default_rng(0)
    Spectra(APOGEE_GRID, rng.uniform(0.5, 1, (3, 7214))).save(path)
    whole = path.read_bytes()
    refuse(whole[: int(part * len(whole))], "HDF5|damaged|none of the files|empty", "cut.h5")


def test_hdf5_of_another_kind_and_without_spectra(tmp_path):
    import h5py

    with h5py.File(tmp_path / "o.h5", "w") as file:
        file["a"] = np.zeros(3)
    refuse(tmp_path / "o.h5", "not a file of spectra", "o.h5")
    refuse((tmp_path / "o.h5").read_bytes(), "^upload.h5 is HDF5 but", "upload.h5")
    Spectra(APOGEE_GRID, np.zeros((0, 7214))).save(tmp_path / "n.h5")
    refuse(tmp_path / "n.h5", "holds no spectrum", "n.h5")
    bad = Spectra(APOGEE_GRID, np.ones((1, 7214)), np.zeros((1, 7214)))
    bad.save(tmp_path / "b.h5")
    refuse(tmp_path / "b.h5", "no usable pixel", "b.h5")


# specutils


def test_specutils_there_and_back():
    pytest.importorskip("specutils")
    spectra = read_apstar(example_apstar()).spectra
    foreign = spectra.to_specutils()
    assert foreign.flux.shape == spectra.flux.shape and "Angstrom" in str(foreign.flux.unit)
    back = Spectra.from_specutils(foreign)
    np.testing.assert_array_equal(back.flux, spectra.flux)
    np.testing.assert_array_equal(back.ivar, spectra.ivar)
    assert back.grid == APSTAR_GRID and back.ids == spectra.ids
    assert back.provenance == spectra.provenance
    assert list(back.columns["kind"]) == list(spectra.columns["kind"])


def test_specutils_units_uncertainty_velocity_and_labels():
    specutils = pytest.importorskip("specutils")
    from astropy import units as u
    from astropy.nddata import StdDevUncertainty

    kind = getattr(specutils, "Spectrum", None) or specutils.Spectrum1D
    wavelength = np.linspace(15120, 16990, 12000)
    mask = np.zeros(12000, bool)
    mask[100] = True
    foreign = kind(
        flux=(1 + 0.1 * np.sin(wavelength / 15)) * u.Jy,
        spectral_axis=wavelength * 1.0002 * u.AA.to(u.nm) * u.nm,
        uncertainty=StdDevUncertainty(np.full(12000, 0.1)),
        mask=mask,
        redshift=0.0002,
    )
    own = Spectra.from_specutils(foreign)
    np.testing.assert_allclose(own.grid.wavelength, wavelength, rtol=1e-9)
    assert own.ivar[0, 100] == 0 and own.ivar[0, 101] == pytest.approx(100)
    there = Spectra.from_specutils(foreign, APSTAR_GRID)
    want = 1 + 0.1 * np.sin(APSTAR_GRID.wavelength / 15)
    assert np.abs(there.flux - want)[there.good].max() < 1e-3
    some = Spectra(
        APOGEE_GRID, np.ones((2, 7214)), labels=np.ones((2, 25)), label_set=APOGEE_LABELS
    )
    back = Spectra.from_specutils(some.to_specutils())
    assert back.label_set == APOGEE_LABELS and back.grid == APOGEE_GRID
    np.testing.assert_array_equal(back.labels, some.labels)


def test_without_specutils_it_is_said_how_to_get_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "specutils", None)
    spectra = read_apstar(example_apstar()).spectra
    for call in (spectra.to_specutils, lambda: Spectra.from_specutils(None)):
        with pytest.raises(SpectrumError, match=r"pip install 'spectrabridge\[specutils\]'"):
            call()
