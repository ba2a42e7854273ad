"""All of a file is read or named: tables of several HDUs, rows of arrays, empty ones, padding."""

import io

import numpy as np
import pytest
from astropy.io import fits

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io import example_apstar, read_star
from spectrabridge.core.io.names import distinct_names
from spectrabridge.core.io.spectra_set import checked_set
from spectrabridge.core.io.star_formats import STAR_FORMATS, OpenFile
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, Spectra

N = 9000
WAVELENGTH = np.linspace(15120, 16990, N)


def flux(phase=0.0):
    return 1 + 0.1 * np.sin(WAVELENGTH / 15 + phase)


def pixel_rows(values, name):
    arrays = {"WAVE": WAVELENGTH, "FLUX": values, "ERR": np.full(len(values), 0.01)}
    columns = [fits.Column(k, "D", array=v[: len(values)]) for k, v in arrays.items()]
    return fits.BinTableHDU.from_columns(columns, name=name)


def file_of(*hdus, tail=b""):
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(out)
    return out.getvalue() + tail


def test_every_table_is_read_and_named():
    content = file_of(pixel_rows(flux(), "A"), pixel_rows(flux(1.0), "B"))
    star = read_star(content, "pair.fits")
    assert len(star.spectra) == 2 and not star.is_set
    assert star.spectra.ids == ("pair.fits", "pair.fits HDU 2 (B)")
    assert any("It is that of HDU 1 (A); others are in HDU 2 (B)." in n for n in star.notes)
    assert np.abs(star.spectra.flux[0] - star.spectra.flux[1]).max() > 0.05


def test_an_empty_table_is_passed_over_and_one_that_cannot_be_read_is_named():
    empty = pixel_rows(np.zeros(0), "EMPTY")
    optical = pixel_rows(flux(), "OPTICAL")
    optical.data["WAVE"] /= 3
    star = read_star(file_of(empty, optical, pixel_rows(flux(), "GOOD")), "a.fits", unit="angstrom")
    assert len(star.spectra) == 1 and list(star.spectra.columns["hdu"]) == ["HDU 3 (GOOD)"]
    said = " ".join(star.notes)
    assert "HDU 1 (EMPTY) of a.fits is empty" in said
    assert "HDU 2 (OPTICAL) was not read: Expected wavelengths within" in said


def test_rows_of_arrays_keep_their_ids_and_empty_rows_are_named():
    values = np.array([flux(), flux() * np.nan, flux(2.0)])
    columns = [
        fits.Column("APOGEE_ID", "18A", array=["2M1", "2M2", "2M3"]),
        fits.Column("WAVELENGTH", f"{N}D", array=np.tile(WAVELENGTH, (3, 1))),
        fits.Column("FLUX", f"{N}D", array=values),
    ]
    star = read_star(file_of(fits.BinTableHDU.from_columns(columns)), "rows.fits")
    assert star.spectra.ids == ("2M1", "2M3")
    assert any("1 of 3 spectra of rows.fits have no usable pixel" in n for n in star.notes)


@pytest.mark.parametrize("tail", [bytes(2880), b" " * 2880, bytes(777)])
def test_padding_after_the_last_hdu_is_no_damage(tail):
    content = file_of(pixel_rows(flux(), "A"))
    want = read_star(content, "a.fits").spectra
    np.testing.assert_array_equal(read_star(content + tail, "a.fits").spectra.flux, want.flux)
    with pytest.raises(SpectrumError, match="truncated"):
        read_star(content + b"XTENSION= 'BINT", "a.fits")


# mwmStar and mwmVisit


def mwm(apogee_rows, boss_rows=0, scalars=None, **changes):
    def table(name, n):
        grid = APSTAR_GRID
        flags = np.zeros((n, grid.n_pixels))
        flags[:, 4000] = 1
        arrays = {
            "flux": np.full((n, grid.n_pixels), 50.0),
            "ivar": np.full((n, grid.n_pixels), 4.0),
            "pixel_flags": flags,
            "wavelength": np.tile(grid.wavelength, (n, 1)),
        } | (changes if n else {})
        return fits.BinTableHDU.from_columns(
            [fits.Column(k, f"{grid.n_pixels}E", array=v if n else None) for k, v in arrays.items()]
            + [fits.Column(k, f, array=v if n else None) for k, f, v in scalars or []],
            name=name,
            nrows=n,
        )

    counts = {"BOSS/APO": boss_rows, "BOSS/LCO": 0, "APOGEE/APO": apogee_rows, "APOGEE/LCO": 0}
    return file_of(*(table(name, n) for name, n in counts.items()))


def test_mwmstar_with_empty_tables():
    star = read_star(mwm(1), "mwmStar-0.6.0-1.fits")
    assert star.format == "mwmStar" and len(star.spectra) == 1
    assert star.spectra.ivar[0, 4001] == 4 and star.spectra.ivar[0, 4000] == 0
    assert not star.spectra.good[0, :300].any()
    many = read_star(mwm(3, boss_rows=2), "mwmVisit-0.6.0-1.fits")
    assert len(many.spectra) == 3
    assert any("HDU 1 (BOSS/APO) holds 2 spectra of another instrument" in n for n in many.notes)
    with pytest.raises(SpectrumError, match="an SDSS-V mwmStar or mwmVisit file; it holds no"):
        read_star(mwm(0), "a.fits")
    with pytest.raises(SpectrumError, match="Expected the wavelengths of the apStar grid"):
        read_star(mwm(1, wavelength=APSTAR_GRID.wavelength[None] + 1), "a.fits")


def test_visits_out_of_the_stack_are_shifted_to_rest():
    velocity, step = 200.0, np.log(APSTAR_GRID.wavelength)
    rest = 50 - 20 * np.exp(-0.5 * ((step - np.log(15960.0)) / 4e-5) ** 2)
    moved = np.interp(step - np.log1p(velocity / 299792.458), step, rest)
    scalars = [("in_stack", "L", [True, False, False]), ("v_rad", "E", [9.0, velocity, np.nan])]
    star = read_star(
        mwm(3, scalars=scalars, flux=np.stack([rest, moved, moved])), "mwmVisit-0.8.1-1.fits"
    )
    kept, shifted, unknown = star.spectra.flux
    near = np.abs(APSTAR_GRID.wavelength - 15960) < 30
    np.testing.assert_array_equal(kept, rest.astype(np.float32))
    assert np.abs(shifted - rest)[near].max() < 0.5 < np.abs(moved - rest)[near].max()
    np.testing.assert_array_equal(unknown, moved.astype(np.float32))
    assert any("Row 2" in n and "200.00 km/s was taken out" in n for n in star.notes)
    assert any("Row 3" in n and "no usable v_rad" in n for n in star.notes)


# Options that do not apply


@pytest.mark.parametrize(
    "options", [{"medium": "air"}, {"unit": "nm"}, {"rv_kms": 20.0}], ids=lambda o: next(iter(o))
)
def test_options_that_contradict_a_format_are_refused(options, tmp_path):
    path = tmp_path / "set.h5"
    Spectra(APOGEE_GRID, np.ones((1, 7214)), np.full((1, 7214), 1e4)).save(path)
    for source in (example_apstar(), path):
        with pytest.raises(SpectrumError, match=r"cannot be given for it\. Leave that option away"):
            read_star(source, **options)
        agreed = read_star(source, medium="vacuum", unit="angstrom")
        assert agreed.spectra.good.any()


# Formats


def test_one_format_claims_each_file():
    def claims(**file):
        return [f.name for f in STAR_FORMATS if f.identify(OpenFile("a", **file))]

    assert claims(content=b"wave,flux\n15100,1\n15200,1\n") == ["table"]
    for content, name in ((mwm(1), "mwmStar"), (example_apstar().read_bytes(), "apStar")):
        with fits.open(io.BytesIO(content)) as hdus:
            assert claims(hdus=hdus) == [name]
    with fits.open(io.BytesIO(file_of(pixel_rows(flux(), "A")))) as hdus:
        assert claims(hdus=hdus) == ["table"]
    with pytest.raises(ValueError, match="registered already"):
        STAR_FORMATS.register("table", "", lambda file: False)(lambda file, options: None)


# Sets and names


def test_a_set_without_errors_and_ids():
    computed = Spectra(APOGEE_GRID, np.tile(1 + 0.1 * np.sin(np.arange(7214) / 9), (2, 1)))
    checked = checked_set(computed, "grid.h5")
    assert checked.ids == ("grid.h5 row 0", "grid.h5 row 1")
    np.testing.assert_allclose(checked.ivar, 1 / 0.005**2, rtol=0.02)
    assert "grid.h5 has no errors" in checked.provenance["notes"][0]
    assert (computed.ivar == 1).all(), "the caller's set stays as it is"
    later = checked_set(Spectra(APOGEE_GRID, np.ones((1, 7214)), ids=("7",)), "grid.h5", first=7)
    assert later.ids == ("grid.h5 row 7",)
    rng = np.random.default_rng(0)
    noisy = Spectra(APOGEE_GRID, rng.normal(30, 1, (1, 7214)), ids=("α Boo",))
    assert checked_set(noisy, "a.h5").ids == ("α Boo",)
    np.testing.assert_array_equal(checked_set(noisy, "a.h5").ivar, noisy.ivar)


def test_names_are_distinct():
    assert distinct_names(["/x/a/s.csv", "/x/b/s.csv", "/y/t.csv"]) == [
        "a/s.csv",
        "b/s.csv",
        "t.csv",
    ]
    assert distinct_names(["/x/c/a/s.csv", "/x/d/a/s.csv"]) == ["c/a/s.csv", "d/a/s.csv"]
    assert distinct_names(["s.csv", "s.csv"]) == ["s.csv", "s.csv"]


# Resolution


def test_a_higher_resolution_is_brought_to_that_of_the_models(tmp_path):
    pixels = np.arange(7214)
    line = 1 - 0.5 * np.exp(-0.5 * ((pixels - 1500) / 0.683) ** 2)
    path = tmp_path / "s.h5"
    Spectra(APOGEE_GRID, line, np.full(7214, 1e4), ids=("a",)).save(path)
    star = read_star(path, resolution=45_000.0)
    got = 1 - star.spectra.flux[0, APSTAR_GRID.chip_pixels]
    assert got.sum() == pytest.approx((1 - line).sum(), rel=1e-3)
    width = np.sqrt((got * (pixels - 1500) ** 2).sum() / got.sum())
    assert width == pytest.approx(2 * 0.683, rel=0.01)
    assert any("from a resolution of 45,000 to 22,500" in n for n in star.notes)
    with pytest.raises(SpectrumError, match=r"lower one, 10,000 in s\.h5"):
        read_star(path, resolution=10_000.0)


def with_header(*hdus, **keys):
    for key, value in keys.items():
        hdus[0].header[key] = value
    return file_of(*hdus)


@pytest.mark.parametrize("key", ["RESOLUTI", "SPEC_RES", "SPECRES", "SPEC_RP", "R"])
def test_a_resolution_in_the_header_is_that_of_the_option(key):
    asked = read_star(file_of(pixel_rows(flux(), "A")), "s.fits", resolution=45_000.0)
    content = with_header(pixel_rows(flux(), "A"), **{key: 45_000})
    stated = read_star(content, "s.fits")
    np.testing.assert_array_equal(stated.spectra.flux, asked.spectra.flux)
    assert stated.notes == asked.notes
    assert stated.spectra.columns["noise_shared"].all()
    agreed = read_star(content, "s.fits", resolution=45_500.0)
    assert any("from a resolution of 45,500" in n for n in agreed.notes)
    with pytest.raises(SpectrumError, match=r"s\.fits says that its resolution is 45,000; 60,000"):
        read_star(content, "s.fits", resolution=60_000.0)


def test_a_resolution_below_that_of_the_models_is_refused_by_the_header_too():
    content = with_header(pixel_rows(flux(), "A"), RESOLUTI=11_500.0)
    with pytest.raises(SpectrumError, match=r"lower one, 11,500 in s\.fits"):
        read_star(content, "s.fits")


def test_headers_that_contradict_themselves_on_resolution_are_refused():
    content = with_header(pixel_rows(flux(), "A"), RESOLUTI=45_000, SPEC_RES=60_000)
    with pytest.raises(SpectrumError, match=r"RESOLUTI says 45,000, SPEC_RES says 60,000"):
        read_star(content, "s.fits")
    content = file_of(pixel_rows(flux(), "A"), pixel_rows(flux(1.0), "B"))
    hdus = fits.HDUList.fromstring(content)
    hdus[1].header["RESOLUTI"] = 45_000
    out = io.BytesIO()
    hdus.writeto(out)
    with pytest.raises(SpectrumError, match="different resolutions"):
        read_star(out.getvalue(), "s.fits")


def test_what_is_no_resolution_is_not_taken_for_one():
    plain = read_star(file_of(pixel_rows(flux(), "A")), "s.fits")
    content = with_header(pixel_rows(flux(), "A"), SPECRES=0.35, R=8.2)
    star = read_star(content, "s.fits")
    np.testing.assert_array_equal(star.spectra.flux, plain.spectra.flux)
    (note,) = set(star.notes) - set(plain.notes)
    assert note.startswith("SPECRES of s.fits is 0.35, which is no wavelength over width")


def test_a_comment_of_a_table_of_text_states_the_resolution():
    rows = "".join(f"{w} {f} 0.01\n" for w, f in zip(WAVELENGTH, flux(), strict=True))
    text = f"# resolution = 45000\nwavelength flux error\n{rows}"
    star = read_star(text.encode(), "s.txt")
    assert any("from a resolution of 45,000" in n for n in star.notes)


def test_what_was_broadened_is_saved_and_not_broadened_again(tmp_path):
    content = with_header(pixel_rows(flux(), "A"), RESOLUTI=45_000)
    star = read_star(content, "s.fits")
    star.spectra.save(tmp_path / "s.h5")
    again = read_star(tmp_path / "s.h5")
    np.testing.assert_array_equal(again.spectra.flux, star.spectra.flux)
