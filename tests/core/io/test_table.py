"""Tables with one spectrum: names, units, air and vacuum, errors, and what is refused."""

import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io.table import (
    is_spectrum_table,
    is_text_table,
    read_spectrum_table,
)
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID
from spectrabridge.core.spectra.wavelength import SPEED_OF_LIGHT, UNITS, convert

PIXELS = APSTAR_GRID.chip_pixels


def curve(wavelength):
    return 1 + 0.1 * np.sin(wavelength / 15)


def columns(n=15000, unit="angstrom", medium="vacuum"):
    vacuum = np.linspace(15120, 16990, n)
    return {
        "wavelength": convert(vacuum, unit, medium),
        "flux": curve(vacuum),
        "error": np.full(n, 0.02),
    }


def ecsv(data, units=None, meta=None, **more):
    table = Table(data | more, meta=meta or {})
    for name, unit in (units or {}).items():
        table[name].unit = unit
    out = io.StringIO()
    table.write(out, format="ascii.ecsv")
    return out.getvalue().encode()


def csv(data, head="", sep=","):
    rows = np.column_stack(list(data.values()))
    lines = [sep.join(data), *(sep.join(f"{v:.8g}" for v in row) for row in rows)]
    return (head + "\n".join(lines) + "\n").encode()


def fits_table(data, units=None, header=(), one_row=False):
    made = []
    for name, values in data.items():
        values = np.asarray(values)
        code = {"f": "D", "i": "J", "b": "L"}[values.dtype.kind]
        width = str(values.size) if one_row else ""
        unit = (units or {}).get(name)
        array = values[None] if one_row else values
        made.append(fits.Column(name, width + code, unit=unit, array=array))
    hdu = fits.BinTableHDU.from_columns(made)
    hdu.header.update(dict(header))
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(out)
    return out.getvalue()


def check(spectra, tolerance=1e-4):
    assert spectra.grid == APSTAR_GRID and len(spectra) == 1
    good = spectra.good[0]
    assert good[PIXELS].mean() > 0.99 and good.sum() <= PIXELS.size
    assert np.abs(spectra.flux[0] - curve(APSTAR_GRID.wavelength))[good].max() < tolerance


def notes(spectra):
    return " ".join(spectra.provenance["notes"])


def refuse(source, words, name="x.csv", **options):
    with pytest.raises(SpectrumError, match=words) as caught:
        read_spectrum_table(source, name, **options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


# Formats


def test_ecsv_csv_columns_of_text_and_fits_are_alike(tmp_path):
    data = columns()
    sources = [
        ecsv(data, {"wavelength": "Angstrom"}),
        csv(data),
        csv(data, sep=" "),
        csv(data, head="# made by hand\n\n"),
        b"# " + csv(data, sep=" "),
        fits_table(data, {"wavelength": "Angstrom"}),
        fits_table(data, {"wavelength": "Angstrom"}, one_row=True),
    ]
    for source in sources:
        got = read_spectrum_table(source, "a")
        check(got)
        # Each pixel of the grid holds one to two pixels of the table.
        assert 0.9 < np.median(got.ivar[0, PIXELS]) * 0.02**2 < 3
    path = tmp_path / "2M00000001+0000002.csv"
    path.write_bytes(sources[1])
    assert read_spectrum_table(path).ids == ("2M00000001+0000002",)


def test_what_a_table_is():
    assert is_text_table(csv(columns(30))) and is_text_table(ecsv(columns(30)))
    assert is_text_table(b"# comment\n15100.0 1.0 0.1\n")
    assert not is_text_table(b"# A title\n\nSome words about a spectrum.\n")
    assert not is_text_table(b"flux\x00\x00") and not is_text_table(b"")
    with fits.open(io.BytesIO(fits_table(columns(30)))) as hdus:
        assert is_spectrum_table(hdus)
    with fits.open(io.BytesIO(fits_table({"a": np.ones(3)}))) as hdus:
        assert not is_spectrum_table(hdus)


@pytest.mark.parametrize("names", [("wave", "flux", "err"), ("LAMBDA", "Spectrum", "Sigma")])
def test_names_of_columns(names):
    data = dict(zip(names, columns().values(), strict=True))
    check(read_spectrum_table(csv(data)))


def test_logarithms_of_wavelength():
    data = columns()
    data["loglam"] = np.log10(data.pop("wavelength"))
    got = read_spectrum_table(fits_table(data))
    check(got)
    assert "log10" in notes(got)


def test_another_grid():
    got = read_spectrum_table(csv(columns()), grid=APOGEE_GRID)
    assert got.grid == APOGEE_GRID and got.good.mean() > 0.99


# Units and medium


@pytest.mark.parametrize("unit", ["nm", "um", "angstrom"])
def test_units_of_the_file_by_guess_and_by_option(unit):
    data = columns(unit=unit)
    said = read_spectrum_table(ecsv(data, {"wavelength": unit.replace("angstrom", "AA")}))
    guessed = read_spectrum_table(csv(data))
    told = read_spectrum_table(csv(data), unit=unit)
    for got in (said, guessed, told):
        check(got)
    assert "guessed" in notes(guessed) and unit in notes(guessed)
    assert "guessed" not in notes(said) + notes(told)


def test_wavenumbers_are_converted_too():
    data = columns()
    data["wavelength"] = 1e8 / data["wavelength"]
    check(read_spectrum_table(fits_table(data, {"wavelength": "cm-1"})))


def test_a_unit_that_could_be_two_is_refused():
    wavelength = np.geomspace(1500, 17000, 40000)
    data = {"wavelength": wavelength, "flux": curve(wavelength)}
    words = "have no unit and meet the grid.*in angstrom and in nm.*Give the unit"
    refuse(csv(data), words)
    assert read_spectrum_table(csv(data), unit="angstrom").good.any()


def test_air_and_vacuum():
    air = columns(medium="air")
    check(read_spectrum_table(csv(air), medium="air"))
    check(read_spectrum_table(ecsv(air, meta={"medium": "air"})))
    check(read_spectrum_table(ecsv(air, meta={"VACUUM": False})))
    check(read_spectrum_table(fits_table(air, header={"AIRORVAC": "air"})))
    check(read_spectrum_table(csv({f"{k}_air" if k[0] == "w" else k: v for k, v in air.items()})))
    vacuum = columns()
    got = read_spectrum_table(ecsv(vacuum, meta={"AIRORVAC": "vac"}))
    check(got)
    assert "assumed" not in notes(got) and got.provenance["medium"] == "vacuum"
    got = read_spectrum_table(csv(vacuum))
    assert "vacuum wavelengths were assumed" in notes(got)
    shift = np.abs(read_spectrum_table(csv(air)).flux - got.flux)[got.good].max()
    assert shift > 0.01, "4 angstrom between air and vacuum must show"


def test_velocity_and_order():
    data = columns()
    data["wavelength"] = data["wavelength"] * (1 - 60 / SPEED_OF_LIGHT)
    got = read_spectrum_table(csv(data), rv_kms=-60)
    check(got)
    assert got.provenance["rv_kms"] == -60 and "at rest" not in notes(got)
    assert "at rest" in notes(read_spectrum_table(csv(columns())))
    check(read_spectrum_table(csv({k: v[::-1] for k, v in columns().items()})))


# Errors and masks


def test_inverse_variance_masks_and_good_columns():
    data = columns()
    ivar = 1 / data.pop("error") ** 2
    want = read_spectrum_table(csv(columns())).ivar
    np.testing.assert_allclose(
        read_spectrum_table(csv(data | {"ivar": ivar})).ivar, want, rtol=1e-4
    )
    mark = np.zeros(ivar.size, int)
    mark[7000:7100] = 4
    data["flux"] = np.where(mark, 1e6, data["flux"])
    for extra in ({"mask": mark}, {"good": (mark == 0).astype(int)}):
        got = read_spectrum_table(csv(data | {"ivar": ivar} | extra))
        assert not got.good[0, APSTAR_GRID.pixel(data["wavelength"][7050])]
        assert got.flux[got.good].max() < 2
    refuse(csv(data | {"DQ": 1 - (mark > 0)}), "0 and 1 seem to be exchanged")
    got = read_spectrum_table(csv(data | {"ivar": ivar, "mask": 1 - (mark > 0)}))
    assert "mask of the file is 1 at most pixels" in notes(got)
    assert not got.good[0, APSTAR_GRID.pixel(data["wavelength"][7050])]
    assert got.flux[got.good].max() < 2


def test_without_errors_they_are_estimated():
    data = columns()
    data["flux"] = data["flux"] + np.random.default_rng(0).normal(0, 0.03, data["flux"].size)
    del data["error"]
    got = read_spectrum_table(csv(data))
    assert "no errors; 0.0" in notes(got)
    rms = np.std((got.flux[0] - curve(APSTAR_GRID.wavelength))[got.good[0]])
    assert np.median(got.ivar[got.good]) ** -0.5 == pytest.approx(rms, rel=0.15)


def test_missing_values_are_bad_pixels():
    data = columns()
    data["flux"][5000:5005] = np.nan
    data["error"][6000:6010] = 0
    data["wavelength"][-3:] = np.nan
    for source in (csv(data), fits_table(data)):
        got = read_spectrum_table(source)
        assert "3 rows without a wavelength" in notes(got)
        # Beside a bad pixel the average is over a part of the pixel only.
        check(got, tolerance=1e-3)


def test_big_endian_and_single_precision():
    out = io.BytesIO()
    table = Table({k: v.astype(">f4") for k, v in columns().items()})
    table.write(out, format="fits")
    check(read_spectrum_table(out.getvalue()), tolerance=2e-4)


# What is refused


def test_absent_empty_and_other_content(tmp_path):
    with pytest.raises(SpectrumError, match="There is no file"):
        read_spectrum_table(tmp_path / "absent.csv")
    refuse(b"", "is empty; expected a table")
    refuse(b"\xff\xfe\x00\x01" * 50, "neither text nor FITS")
    refuse(b"#only\n#comments\n", "cannot be read as a table")
    refuse(b"wavelength,flux\n", "two or more; found 0")
    assert "x.csv" in refuse(
        b"1 2 3\n4 5 6\n7 8 9\n", "Expected columns wavelength, flux and error"
    )
    refuse(csv({"a": np.ones(3), "b": np.ones(3)}), "Expected columns wavelength.*found a, b")
    refuse(fits_table({"a": np.ones(3)}), "columns wavelength, flux and error in x.csv; found A")


def test_truncated():
    whole = ecsv(columns(2000), {"wavelength": "Angstrom"})
    refuse(whole[:200], "cannot be read as a table|Expected", "cut.ecsv")
    refuse(csv(columns(2000))[:-30] + b"\n1", "cut.csv", "cut.csv")
    whole = fits_table(columns(2000))
    for part in (0.3, 0.6, 0.95):
        refuse(whole[: int(part * len(whole))], "truncated", "cut.fits")


def test_text_where_numbers_belong():
    refuse(
        b"wavelength,flux\n15200,high\n15201,low\n", "numbers in column 'flux'.*found text, such"
    )


def test_nan_filled_negative_and_disordered():
    data = columns(3000)
    refuse(csv(data | {"flux": data["flux"] * np.nan}), "no usable pixel")
    refuse(csv(data | {"wavelength": data["wavelength"] * np.nan}, sep=","), "x.csv", unit="nm")
    refuse(csv(data | {"error": -data["error"]}), "must not be negative; found 3000")
    wavelength = np.concatenate([data["wavelength"][1500:], data["wavelength"][:1500]])
    refuse(csv(data | {"wavelength": wavelength}), "go up and down.*merge orders")


def test_units_that_are_none_and_wavelengths_elsewhere():
    data = columns(3000)
    refuse(ecsv(data, {"wavelength": "K"}), "found the unit 'K'")
    refuse(fits_table(data, {"wavelength": "pixels"}), "found the unit 'pixels'|angstrom")
    refuse(
        ecsv(data | {"wavelength": data["wavelength"] / 3}, {"wavelength": "AA"}), "5040 to 5663"
    )
    for factor in (10, 100):
        # Ten times too large in angstrom is no unit that is known.
        refuse(csv(data | {"wavelength": data["wavelength"] * factor}), "in none")
    refuse(csv(data), "no usable pixel|within", unit="nm")
    refuse(csv(data), "Wavelength units are", unit="parsec")
    refuse(csv(data), "medium is 'vacuum' or 'air'", medium="water")
    refuse(csv(data), "velocity in km/s", rv_kms=float("nan"))
    assert set(UNITS) == {"angstrom", "nm", "um"}


def test_several_spectra_and_shapes():
    rows = np.ones((3, 50))
    made = [fits.Column(n, "50D", array=rows) for n in ("wavelength", "flux")]
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)]).writeto(out)
    refuse(out.getvalue(), "1 to 1, have no unit and meet the grid.*in none")
    refuse(csv(columns(50) | {"wavelength": np.ones(50)}), "in none", "x.csv")


def test_ten_times_too_large(monkeypatch):
    monkeypatch.setattr("spectrabridge.core.io.table.LARGEST_FILE", 1000)
    refuse(csv(columns(3000)), "is larger than")


def test_yaml_in_ecsv_makes_no_objects():
    head = (
        b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wavelength, datatype: float64}\n"
        b"# - {name: flux, datatype: float64}\n"
        b"# meta: !!python/object/apply:os.system ['exit 1']\n"
        b"# schema: astropy-2.0\nwavelength flux\n15200 1\n15201 1\n"
    )
    refuse(head, "cannot be read as a table")
