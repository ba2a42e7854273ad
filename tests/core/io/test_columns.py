"""One understanding of columns: names, units, media, masks, fill values, in all formats alike."""

import io

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io import read_star
from spectrabridge.core.io.column_units import factor_to_flux, in_angstrom, wavelength_unit
from spectrabridge.core.io.columns import Column, role_of, stated_media, unit_in_name
from spectrabridge.core.spectra import APSTAR_GRID
from spectrabridge.core.spectra.wavelength import UNITS, vacuum_to_air

N = 9000
WAVELENGTH = np.linspace(15120, 16990, N)
FLUX = 1000 * (1 + 0.1 * np.sin(WAVELENGTH / 15))
ERROR = np.where(WAVELENGTH < 16000, 10.0, 40.0)
MARKED = slice(4000, 4100)


def names_for(role):
    return {
        "error": ("error", "Errors", "ERR", "Sigma", "flux_err", "e_flux", "NOISE", "fluxErrors"),
        "variance": ("variance", "VAR", "flux_variance", "Variances"),
        "ivar": ("ivar", "FLUX_IVAR", "inverse_variance", "invvar"),
        "bad": ("DQ", "quality", "QUAL", "flags", "bad", "bitmask", "pixel_flags", "and_mask"),
        "good": ("good", "VALID", "good_pixels"),
        "mask": ("mask", "MASKS"),
        "flux": ("flux", "Fluxes", "spectra", "SPEC", "normalized_flux", "flux_density"),
        "wavelength": ("wavelength", "Wavelengths", "WAVE", "lambda", "wl", "wave_air", "λ"),
        "id": ("id", "IDS", "star_ids", "apogee_id", "names"),
    }[role]


@pytest.mark.parametrize(
    "role", ["error", "variance", "ivar", "bad", "good", "mask", "flux", "wavelength", "id"]
)
def test_names_are_read_without_case_and_plural(role):
    assert {name: role_of(name) for name in names_for(role)} == dict.fromkeys(names_for(role), role)


@pytest.mark.parametrize("name", ["sky", "model", "weight", "e", "teff", "v_rad", "wavenumber"])
def test_other_names_are_not_guessed(name):
    assert role_of(name) is None


# The same columns in every format


def as_csv(data, units):
    names = [f"{k} [{units[k]}]" if k in units else k for k in data]
    rows = np.column_stack([np.asarray(v, float) for v in data.values()])
    return "\n".join(
        [",".join(names), *(",".join(map(repr, row)) for row in rows.tolist())]
    ).encode()


def as_ecsv(data, units):
    table = Table(data)
    for name, unit in units.items():
        table[name].unit = unit
    out = io.StringIO()
    table.write(out, format="ascii.ecsv")
    return out.getvalue().encode()


def as_fits(data, units):
    columns = [
        fits.Column(k, "J" if np.asarray(v).dtype.kind == "i" else "D", units.get(k), array=v)
        for k, v in data.items()
    ]
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(out)
    return out.getvalue()


def as_npz(data, units):
    out = io.BytesIO()
    np.savez(out, **{f"{k} [{units[k]}]" if k in units else k: v for k, v in data.items()})
    return out.getvalue()


def as_hdf5(data, units):
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for key, values in data.items():
            file[key] = values
            if key in units:
                file[key].attrs["unit"] = units[key]
    return out.getvalue()


FORMATS = {"csv": as_csv, "ecsv": as_ecsv, "fits": as_fits, "npz": as_npz, "hdf5": as_hdf5}


@pytest.fixture(params=FORMATS)
def write(request):
    return FORMATS[request.param]


def good_pixels(star):
    return star.spectra.good[0]


def errors(star):
    """Return the errors of a pixel in the blue and of one in the red part."""
    return [star.spectra.ivar[0, APSTAR_GRID.pixel(w)] ** -0.5 for w in (15600.0, 16600.0)]


def plain(write, data=None, units=None, name="a", **options):
    data = {"wavelength": WAVELENGTH, "flux": FLUX} | (data or {})
    return read_star(write(data, units or {}), name, **options)


@pytest.mark.parametrize("role", ["error", "variance", "ivar"])
def test_errors_by_any_name_are_the_errors(write, role):
    power = {"error": 1, "variance": 2, "ivar": -2}[role]
    want = errors(plain(write, {"error": ERROR}))
    assert want[1] == pytest.approx(4 * want[0], rel=0.05)
    for name in names_for(role)[:4]:
        star = plain(write, {name: ERROR**power})
        np.testing.assert_allclose(errors(star), want, rtol=1e-4)
        assert not any("no errors" in note for note in star.notes)


@pytest.mark.parametrize("name", ["DQ", "Quality", "flags", "good", "mask"])
def test_marked_pixels_are_not_used(write, name):
    marks = np.zeros(N, int)
    marks[MARKED] = 1 if name == "mask" else 4
    flux = np.where(marks, 3 * FLUX, FLUX)
    values = (marks == 0).astype(int) if name == "good" else marks
    star = plain(write, {"flux": flux, "error": ERROR, name: values})
    assert star.spectra.flux[0, good_pixels(star)].max() < 1200
    assert any("marks 100 pixels" in note for note in star.notes)


def test_the_unit_of_each_column_is_used(write):
    want = errors(plain(write, {"error": ERROR}))
    of_flux = "erg/s/cm2/A"
    given = {"flux": f"1e-17 {of_flux}", "error": f"1e-18 {of_flux}"}
    star = plain(write, {"error": 10 * ERROR}, given)
    np.testing.assert_allclose(errors(star), want, rtol=1e-4)
    given = {"flux": "Jy", "variance": "mJy2"}
    star = plain(write, {"variance": 1e6 * ERROR**2}, given)
    np.testing.assert_allclose(errors(star), want, rtol=1e-4)
    with pytest.raises(SpectrumError, match="in the unit of the flux, Jy"):
        plain(write, {"error": ERROR}, {"flux": "Jy", "error": "K"})


@pytest.mark.parametrize("fill", [-9999.0, -999.0, 0.0, 1e30, np.nan, -32768.0])
def test_fill_values_are_no_flux(write, fill):
    flux = FLUX.copy()
    flux[MARKED] = fill
    star = plain(write, {"flux": flux, "error": ERROR})
    bad = APSTAR_GRID.pixel(WAVELENGTH[4050])
    assert not good_pixels(star)[bad]
    used = star.spectra.flux[0, good_pixels(star)]
    assert used.min() > 800 and used.max() < 1200
    if np.isfinite(fill):
        assert any("100 pixels of a hold a fill value" in note for note in star.notes)


def test_unused_columns_of_the_flux_s_shape_are_named(write):
    star = plain(write, {"error": ERROR, "sky": FLUX / 10, "telluric": FLUX / 20})
    assert any("not used: sky, telluric" in note for note in star.notes)
    assert not any("not used" in note for note in plain(write, {"error": ERROR}).notes)


def test_errors_of_1_are_a_placeholder(write):
    star = plain(write, {"flux": FLUX / 1000, "error": np.ones(N)})
    assert any("1 everywhere, which stands for no errors" in note for note in star.notes)
    assert star.spectra.snr[0] > 50
    noisy = np.random.default_rng(0).normal(30, 1, N)
    star = plain(write, {"flux": noisy, "error": np.ones(N)})
    assert not any("stands for no errors" in note for note in star.notes)


def test_a_flux_in_cgs_units_per_hertz_keeps_its_pixels(write):
    """Inverse variances of 1e52 are beyond single precision."""
    want = plain(write, {"error": ERROR})
    star = plain(write, {"flux": FLUX * 1e-27, "error": ERROR * 1e-27})
    np.testing.assert_array_equal(good_pixels(star), good_pixels(want))
    np.testing.assert_allclose(star.spectra.snr, want.spectra.snr, rtol=1e-4)
    assert star.spectra.provenance["flux_scale"] == pytest.approx(1e-24)


# Wavelengths


@pytest.mark.parametrize(
    ("unit", "texts"),
    [
        ("angstrom", ("ANGSTROM", "Angstroms", "A", "Å", "angstroem", "0.1 nm", "[AA]")),
        ("nm", ("nm", "NM", "nanometers", "Nanometre")),
        ("um", ("um", "µm", "micron", "MICRONS", "micrometer")),
    ],
)
def test_usual_spellings_of_units(unit, texts):
    for text in texts:
        assert wavelength_unit(text) == unit
        np.testing.assert_allclose(
            in_angstrom(WAVELENGTH * UNITS[unit], text, "a"), WAVELENGTH, rtol=1e-12
        )


def test_units_and_options_of_wavelengths(write):
    want = plain(write, {"error": ERROR})
    for unit, scale in UNITS.items():
        data = {"wavelength": WAVELENGTH * scale, "error": ERROR}
        for star in (
            plain(write, data, {"wavelength": unit.upper()}),
            plain(write, data, unit=unit),
        ):
            np.testing.assert_allclose(
                star.spectra.flux[0, good_pixels(want)],
                want.spectra.flux[0, good_pixels(want)],
                rtol=1e-5,
            )
    with pytest.raises(SpectrumError, match=r"are in nm; um was given\. Leave the option away"):
        plain(write, {"wavelength": WAVELENGTH / 10}, {"wavelength": "nm"}, unit="um")


def test_a_stated_medium_is_read_and_an_option_must_not_contradict_it(write):
    want = plain(write, {"error": ERROR})
    air = vacuum_to_air(WAVELENGTH)
    data = {"wave_air": air, "flux": FLUX, "error": ERROR}
    star = read_star(write(data, {}), "a")
    told = plain(write, {"wavelength": air, "error": ERROR}, medium="air")
    for got in (star, told):
        np.testing.assert_allclose(
            got.spectra.flux[0, good_pixels(want)],
            want.spectra.flux[0, good_pixels(want)],
            rtol=1e-5,
        )
        assert not got.spectra.columns["medium_assumed"].any()
    assert want.spectra.columns["medium_assumed"].all()
    with pytest.raises(SpectrumError, match="in air; vacuum was given"):
        read_star(write(data, {}), "a", medium="vacuum")


def test_places_that_state_a_medium():
    eso = Column("WAVE", WAVELENGTH, "Angstrom", "em.wl;obs.atmos")
    assert set(stated_media(eso, {}).values()) == {"air"}
    assert set(stated_media(Column("WAVE", WAVELENGTH, "A", "ctype AWAV"), {}).values()) == {"air"}
    assert set(stated_media(Column("w", WAVELENGTH), {"ctype1": "AWAV"}).values()) == {"air"}
    described = Column("wave", WAVELENGTH, "nm", "wavelength in vacuum")
    assert set(stated_media(described, {}).values()) == {"vacuum"}
    assert stated_media(Column("wave", WAVELENGTH, "nm", "in air or vacuum"), {}) == {}
    both = stated_media(Column("wave_air", WAVELENGTH), {"vacuum": True})
    assert set(both.values()) == {"air", "vacuum"}
    with pytest.raises(SpectrumError, match="contradicts itself on the medium"):
        read_star(as_ecsv_meta({"wave_air": WAVELENGTH, "flux": FLUX}, {"VACUUM": True}), "a.ecsv")


def as_ecsv_meta(data, meta):
    out = io.StringIO()
    Table(data, meta=meta).write(out, format="ascii.ecsv")
    return out.getvalue().encode()


def test_units_in_names():
    assert unit_in_name("Wave (nm)") == "nm" and unit_in_name("lambda_um") == "um"
    assert unit_in_name("flux_nm") == "" and unit_in_name("wave") == ""


def test_units_of_errors_that_cannot_be_compared_are_said():
    notes = []
    assert factor_to_flux("zorkmid", "Jy", 1, WAVELENGTH, "error", "a", notes) == 1
    assert "zorkmid is not known" in notes[0]
    assert factor_to_flux("Jy", "", 1, WAVELENGTH, "error", "a", notes) == 1
    assert "the flux has none" in notes[1]
    factor = factor_to_flux("Jy", "erg/s/cm2/A", 1, np.array([15000.0]), "error", "a", notes)
    assert factor[0] == pytest.approx(2.998e-5 / 15000.0**2, rel=1e-3)


# Separators, quotes, decimal commas


@pytest.mark.parametrize("mark", ["\t", ";", "|", " ", ","])
@pytest.mark.parametrize("quote", ["", '"'])
def test_separators_and_quotes(mark, quote):
    head = mark.join(f"{quote}{name}{quote}" for name in ("wavelength", "flux", "error"))
    rows = [
        mark.join(map(repr, row)) for row in np.column_stack([WAVELENGTH, FLUX, ERROR]).tolist()
    ]
    star = read_star("\n".join([head, *rows]).encode(), "a.txt")
    want = plain(as_csv, {"error": ERROR})
    np.testing.assert_allclose(star.spectra.ivar, want.spectra.ivar, rtol=1e-5)


def test_decimal_commas_units_below_names_and_latin_letters():
    rows = [
        ";".join(f"{v:.4f}".replace(".", ",") for v in row)
        for row in np.column_stack([WAVELENGTH / 10, FLUX, ERROR])
    ]
    text = "\n".join(["# Messung für α", "wavelength;flux;error", "nm;;", *rows])
    star = read_star(text.encode("utf-8"), "a.csv")
    want = plain(as_csv, {"error": ERROR})
    np.testing.assert_allclose(
        star.spectra.flux[0, good_pixels(want)], want.spectra.flux[0, good_pixels(want)], rtol=1e-4
    )
    latin = "\n".join(
        ["# für", "wave,flux", *(f"{w},{f}" for w, f in zip(WAVELENGTH, FLUX, strict=True))]
    )
    assert read_star(latin.encode("latin-1"), "a.csv").spectra.good.any()
