"""npz files of spectra: many names for the same arrays, and what is refused."""

import io

import numpy as np
import pytest

from spectrabridge.core.errors import SpectrumError
from spectrabridge.core.io.payne import is_payne, read_payne
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID


def content(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def normal(n=2, p=7214, seed=0):
    return 1 + np.random.default_rng(seed).normal(0, 0.01, (n, p)).astype(np.float32)


def refuse(source, words, name="x.npz"):
    with pytest.raises(SpectrumError, match=words) as caught:
        read_payne(source, name)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message and name in message


def notes(spectra):
    return " ".join(spectra.provenance["notes"])


@pytest.mark.parametrize("flux", ["spectra", "flux", "spec"])
@pytest.mark.parametrize("error", ["spec_err", "err", "uncertainty"])
def test_names_of_arrays(flux, error):
    values = normal()
    data = {flux: values, error: np.full_like(values, 0.02), "wavelength": APOGEE_GRID.wavelength}
    got = read_payne(content(**data), "a.npz")
    assert got.grid == APOGEE_GRID
    np.testing.assert_array_equal(got.flux, values)
    np.testing.assert_allclose(got.ivar, 2500, rtol=1e-5)
    assert got.provenance["notes"] == [] and "continuum" not in got.provenance


def test_inverse_variance_ids_and_a_single_spectrum(tmp_path):
    ivar = np.full(8575, 100.0)
    ivar[4000] = 0
    path = tmp_path / "one.npz"
    path.write_bytes(content(flux=normal(1, 8575)[0], ivar=ivar, ids=np.array(["2M1"])))
    got = read_payne(path)
    assert got.ids == ("2M1",) and got.grid == APSTAR_GRID and len(got) == 1
    assert got.ivar[0, 4000] == 0 and got.ivar[0, 4001] == 100
    assert not got.good[0, :300].any(), "pixels on no detector are not used"
    assert "does not say its wavelengths; its 8575 pixels" in notes(got)


def test_labels_by_name_and_by_number():
    values = normal(3)
    labels = np.array([[4500.0, 2.0, -0.1, 9], [4600, -9999, 0, 9], [4700, 2.2, np.nan, 9]])
    names = np.array(["T_eff", "logg", "[Fe/H]", "colour"])
    got = read_payne(content(spectra=values, labels=labels, label_names=names))
    assert got.label_set == APOGEE_LABELS
    np.testing.assert_allclose(got.labels[:, 1], [2, np.nan, 2.2])
    np.testing.assert_allclose(got.labels[:, APOGEE_LABELS.index("Fe")], [-0.1, 0, np.nan])
    assert "Labels colour of" in notes(got)
    full = np.tile(np.arange(25.0), (3, 1))
    full[:, 0] = 4.5
    for given in (full, full.T):
        got = read_payne(content(spectra=values, labels=given))
        assert got.labels[0, 0] == 4500 and got.labels[2, 24] == 24
        assert "25 of Ting et al. 2019" in notes(got) and "1000 K" in notes(got)
    got = read_payne(content(spectra=values, labels=full[:, :7]))
    assert got.labels is None and "(3, 7)" in notes(got)


def test_other_wavelengths_are_resampled_and_reversed_ones_turned():
    wavelength = np.linspace(15100, 17000, 15000)
    flux = 1 + 0.1 * np.sin(wavelength / 20)
    for order in (slice(None), slice(None, None, -1)):
        data = {"wavelength": wavelength[order], "flux": flux[order], "err": np.full(15000, 0.01)}
        got = read_payne(content(**data))
        assert got.grid == APSTAR_GRID and "resampled" in notes(got)
        good = got.good[0]
        assert good[APSTAR_GRID.chip_pixels].all()
        want = 1 + 0.1 * np.sin(APSTAR_GRID.wavelength / 20)
        assert np.abs(got.flux[0] - want)[good].max() < 1e-4


def test_a_grid_may_be_asked_for():
    got = read_payne(content(spectra=normal()), grid=APSTAR_GRID)
    assert got.grid == APSTAR_GRID
    np.testing.assert_allclose(got.flux[:, APSTAR_GRID.chip_pixels], normal(), atol=1e-6)


def test_bad_pixels_masks_and_missing_errors():
    flux = normal()
    flux[0, 0] = np.nan
    error = np.full_like(flux, 0.01)
    error[0, 1:4] = 999, 0, np.inf
    got = read_payne(content(spectra=flux, spec_err=error))
    assert not got.good[0, :4].any() and got.good[0, 4:].all()
    got = read_payne(content(spectra=flux))
    np.testing.assert_allclose(got.ivar[1], 1 / 0.005**2, rtol=0.01)
    assert "no errors" in notes(got)
    for usual in (0, 1):
        mask = np.full(flux.shape, usual)
        mask[1, 7] = 1 - usual
        got = read_payne(content(spectra=flux, spec_err=error, mask=mask))
        assert not got.good[1, 7] and got.good[1, 8]
        assert f"is {usual} at most pixels" in notes(got)


def test_big_endian_and_compressed():
    values = normal().astype(">f8")
    out = io.BytesIO()
    np.savez_compressed(out, spectra=values, err=np.full(values.shape, 0.01, ">f4"))
    got = read_payne(out.getvalue())
    np.testing.assert_allclose(got.flux, values, rtol=1e-6)


# What is refused


def test_absent_empty_text_and_other_zip(tmp_path):
    with pytest.raises(SpectrumError, match="There is no file"):
        read_payne(tmp_path / "absent.npz")
    refuse(b"", "is empty; expected an npz")
    refuse(b"a,b\n", "is not an npz file")
    refuse(b"PK\x03\x04" + b"junk" * 100, "truncated or damaged")
    assert not is_payne(b"PK\x03\x04junk") and not is_payne(b"text")
    assert is_payne(content(spectra=normal())) and not is_payne(content(a=np.zeros(3)))


@pytest.mark.parametrize("part", [0.01, 0.3, 0.9, 0.999])
def test_truncated(part):
    whole = content(spectra=normal())
    refuse(whole[: int(part * len(whole))], "truncated or damaged")


def test_damaged_bytes():
    whole = bytearray(content(spectra=normal()))
    whole[5000:5100] = bytes(100)
    refuse(bytes(whole), "truncated or damaged")


def test_python_objects_are_not_loaded():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was run",))

    objects = np.array([Trap()], dtype=object)
    refuse(content(spectra=objects), "Array spectra of x.npz holds Python objects")


def test_missing_arrays_and_shapes():
    refuse(content(a=np.zeros(3), b=np.zeros(3)), "spectra, flux, spec.*found a, b")
    refuse(content(spectra=normal(p=100)), "wavelength.*7214 or 8575 pixels; found 100")
    refuse(content(spectra=normal(), err=np.ones((2, 7))), r"err of the shape.*\(2, 7\)")
    refuse(content(spectra=normal(), wavelength=np.arange(5.0)), r"shape \(7214,\)")
    refuse(content(spectra=np.zeros((0, 7214))), "shape")
    refuse(content(spectra=normal(), ids=np.array(["a"])), "2 names in ids")
    refuse(content(spectra=np.array([["x"] * 7214])), "Expected numbers in spectra")
    refuse(content(spectra=normal(), mask=np.ones((2, 3))), "Expected array mask of the shape")


def test_nan_filled_negative_and_disordered():
    refuse(content(spectra=normal() * np.nan), "no usable pixel")
    refuse(content(spectra=normal(), err=-normal()), "must not be negative; found 14428")
    wavelength = APOGEE_GRID.wavelength.copy()
    wavelength[[5, 6]] = wavelength[[6, 5]]
    refuse(
        content(spectra=normal(), wavelength=wavelength), "increase or decrease from pixel to pixel"
    )


def test_other_units_and_ten_times_too_large(monkeypatch):
    data = content(spectra=normal(), wavelength=APOGEE_GRID.wavelength * 10)
    refuse(data, "have no unit and meet the grid.*vacuum angstrom, in none. Give the unit")
    got = read_payne(content(spectra=normal(), wavelength=APOGEE_GRID.wavelength * 0.1))
    assert "nm was guessed from their size" in notes(got)
    assert got.grid == APOGEE_GRID
    np.testing.assert_array_equal(got.flux, normal())
    monkeypatch.setattr("spectrabridge.core.io.payne.LARGEST_ARRAYS", 1000)
    refuse(content(spectra=normal()), "more than the 1e-06 GB")


@pytest.mark.parametrize("level", [1e-200, 1e-300])
def test_flux_whose_errors_no_number_can_hold_is_said(level):
    source = content(flux=np.full((1, 300), level), wavelength=np.linspace(15150, 16900, 300))
    with pytest.raises(SpectrumError, match=r"has an error near .*Give the flux in another unit"):
        read_payne(source, "a.npz")
