from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from spectrabridge.apps.import_grid import import_grid_command
from spectrabridge.core.errors import GridImportError, LabelError
from spectrabridge.core.grid_import import (
    GRID_FORMATS,
    ImportSettings,
    RawGrid,
    finish,
    import_grid,
)
from spectrabridge.core.io.grid import read_grid
from spectrabridge.core.labels import APOGEE_LABELS
from spectrabridge.core.spectra import APOGEE_GRID, APSTAR_GRID, vacuum_to_air
from spectrabridge.core.synthesis.label_draws import RandomStars

FINE = np.linspace(15090.0, 17010.0, 9601)
"""Vacuum angstrom, finer than the pixels."""

CENTRE = 15964.42

SETTINGS = ImportSettings(constants={"vturb": 1.5, "c12c13": 20.0, "vmacro": 4.0})


def spectrum(wavelength: np.ndarray, depth: float) -> np.ndarray:
    """One line of the H band, a quarter of an angstrom wide, on a continuum of 1."""
    return 1 - depth * np.exp(-0.5 * ((wavelength - CENTRE) / 0.5) ** 2)


def where(spectra: Any, row: int = 0) -> float:
    return float(spectra.grid.wavelength[spectra.flux[row].argmin()])


def labels_table(path: Path, n: int = 3) -> np.ndarray:
    stars = RandomStars("giants", 0)
    values = np.array([stars(i)[1] for i in range(n)])
    table = Table(rows=[tuple(v) for v in values], names=APOGEE_LABELS.names)
    table["file"] = [f"star{i}.spec" for i in range(n)]
    table.write(path, format="ascii.ecsv")
    return values


def raw(**changes: Any) -> RawGrid:
    flux = np.array([spectrum(FINE, d) for d in (0.2, 0.3)])
    labels = {"teff": np.array([4500.0, 4700.0]), "logg": np.array([2.0, 2.5]), "M_H": np.zeros(2)}
    return replace(RawGrid(FINE, flux, labels, "angstrom", "vacuum", "true"), **changes)


def test_every_format_has_a_reader_and_an_option() -> None:
    help_text = CliRunner().invoke(import_grid_command, ["--help"]).output
    words = "".join(help_text.split())
    assert set(GRID_FORMATS.names) == {
        *("payne", "payne-zero", "turbospectrum", "synspec", "pykurucz", "fits-cube", "columns")
    }
    assert "|".join(GRID_FORMATS.names) in words


def test_wavelengths_of_any_order_unit_and_medium() -> None:
    want = finish(raw(), SETTINGS)
    assert want.grid == APSTAR_GRID
    assert where(want) == pytest.approx(CENTRE, abs=0.12)
    turned = finish(raw(wavelength=FINE[::-1], flux=raw().flux[:, ::-1]), SETTINGS)
    np.testing.assert_allclose(turned.flux, want.flux, atol=1e-6)
    assert any("turned round" in note for note in turned.provenance["notes"])
    air = finish(raw(wavelength=vacuum_to_air(FINE) / 10, unit="nm", medium="air"), SETTINGS)
    np.testing.assert_allclose(air.flux, want.flux, atol=1e-4)
    assert any("from air to vacuum" in note for note in air.provenance["notes"])
    guessed = finish(raw(wavelength=FINE / 1e4, unit="", medium=""), SETTINGS)
    np.testing.assert_allclose(guessed.flux, want.flux, atol=1e-6)
    notes = " ".join(guessed.provenance["notes"])
    assert "taken to be in um" in notes
    assert "taken to be in vacuum" in notes


@pytest.mark.parametrize(
    ("changes", "settings", "words"),
    [
        ({"wavelength": np.where(FINE[50] == FINE, FINE[40], FINE)}, {}, "pixel 50 turns back"),
        ({"medium": "air"}, {"medium": "vacuum"}, "medium of its wavelengths is air; vacuum"),
        ({}, {"unit": "nm"}, "unit of its wavelengths is angstrom; nm"),
        ({}, {"medium": "water"}, "found 'water'"),
        ({"continuum": "none"}, {}, "not divided by a continuum"),
        ({"flux": 5e6 * raw().flux, "continuum": ""}, {}, "not divided by a continuum"),
        ({}, {"continuum": "pseudo"}, "divided by a true continuum; pseudo was given"),
        ({"wavelength": FINE - 3000}, {}, "cover 12090.0 to 14010.0"),
        ({"flux": np.where(FINE > 16000, np.nan, raw().flux)}, {}, "2 of 2 spectra is not finite"),
    ],
)
def test_what_does_not_fit_is_said(
    changes: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(GridImportError, match=words):
        finish(raw(**changes), replace(SETTINGS, **settings))


def test_labels_are_completed_and_what_was_assumed_is_said() -> None:
    labels = raw().labels | {"alpha_m": np.array([0.2, 0.0]), "C_Fe": np.array([-0.1, 0.1])}
    spectra = finish(raw(labels=labels), SETTINGS)
    assert spectra.label_set is not None and spectra.labels is not None
    by = dict(zip(spectra.label_set.names, spectra.labels.T, strict=True))
    assert by["Mg"].tolist() == [0.2, 0.0]
    assert by["C"].tolist() == [-0.1, 0.1]
    assert list(by) == ["teff", "logg", "C", "O", "Mg", "Si", "S", "Ca", "Ti"]
    assert (spectra.label_set["teff"].low, spectra.label_set["teff"].high) == (4500, 4700)
    notes = " ".join(spectra.provenance["notes"])
    for words in (
        "M_H is taken for [Fe/H]",
        "same for every spectrum and so no labels of it: vturb (1.5), Fe (0)",
        "says nothing of N, Na",
        "O, Mg, Si, S, Ca, Ti vary together",
    ):
        assert words in notes
    with pytest.raises(LabelError, match=r"no logg; it has.*--label"):
        finish(raw(labels={k: v for k, v in raw().labels.items() if k != "logg"}))
    with pytest.raises(LabelError, match="No label differs"):
        finish(raw(labels={k: np.full(2, v[0]) for k, v in raw().labels.items()}))
    with pytest.raises(LabelError, match="no label 'T' for teff"):
        finish(raw(), replace(SETTINGS, columns={"teff": "T"}))
    with pytest.raises(LabelError, match="varies teff already"):
        finish(raw(), replace(SETTINGS, constants={**SETTINGS.constants, "teff": 4000.0}))
    with pytest.raises(LabelError, match="expected kelvin"):
        finish(raw(labels=raw().labels | {"teff": np.array([4.5, 4.7])}), SETTINGS)
    units = finish(
        raw(labels=raw().labels | {"vturb": np.array([1.5e5, 2e5])}, label_units={"vturb": "cm/s"}),
        ImportSettings(constants={"c12c13": 20.0, "vmacro": 4.0}),
    )
    assert units.labels is not None
    assert units.label_set is not None
    assert units.labels[:, units.label_set.index("vturb")].tolist() == pytest.approx([1.5, 2.0])


def test_broadening_and_a_continuum_drawn_through() -> None:
    sharp, wide = finish(raw(), SETTINGS), finish(raw(), replace(SETTINGS, resolution=10_000.0))
    assert wide.flux[0].min() > sharp.flux[0].min() + 0.05
    area = [(1 - s.flux[0].astype(float)).sum() for s in (sharp, wide)]
    assert area[1] == pytest.approx(area[0], rel=0.01)
    slope = 3e6 * (FINE / 16000) ** -3
    drawn = finish(
        raw(flux=raw().flux * slope, continuum="none"), replace(SETTINGS, normalise=True)
    )
    assert drawn.provenance["continuum"] == "pseudo"
    chips = APSTAR_GRID.chip_pixels
    np.testing.assert_allclose(drawn.flux[:, chips], sharp.flux[:, chips], atol=0.01)


def test_payne_npz(tmp_path: Path) -> None:
    values = labels_table(tmp_path / "labels.ecsv")
    flux = np.array([spectrum(APOGEE_GRID.wavelength, d) for d in (0.1, 0.2, 0.3)])
    np.savez(tmp_path / "grid.npz", spectra=flux, labels=values.T)
    spectra = import_grid(tmp_path / "grid.npz", settings=ImportSettings(continuum="pseudo"))
    assert spectra.grid == APOGEE_GRID
    np.testing.assert_allclose(spectra.flux, flux, atol=1e-6)
    assert spectra.labels is not None
    np.testing.assert_allclose(spectra.labels, values)
    notes = " ".join(spectra.provenance["notes"])
    assert "transposed" in notes and "Ting et al. (2019)" in notes
    np.savez(tmp_path / "few.npz", spectra=flux[:, :100], labels=values)
    with pytest.raises(GridImportError, match="100 pixels are not those of APOGEE"):
        import_grid(tmp_path / "few.npz")
    np.savez(tmp_path / "none.npz", spectra=flux)
    with pytest.raises(GridImportError, match=r"Expected labels in none\.npz"):
        import_grid(tmp_path / "none.npz")


def test_payne_zero(tmp_path: Path) -> None:
    values = labels_table(tmp_path / "labels.ecsv")
    for i in range(3):
        level = 1e6 + 10 * FINE
        np.savez(
            tmp_path / f"star{i}.npz",
            wavelength_nm=FINE / 10,
            flux_total=level * spectrum(FINE, 0.1 + 0.1 * i),
            flux_continuum=level,
            seconds=1.4,
        )
    np.savez(tmp_path / "payne_zero_structured_atmosphere.npz", temperature=np.ones(72))
    spectra = import_grid(tmp_path, "payne-zero")
    assert len(spectra) == 3
    assert spectra.provenance["continuum"] == "true"
    assert where(spectra, 2) == pytest.approx(CENTRE, abs=0.12)
    assert spectra.labels is not None
    np.testing.assert_allclose(spectra.labels, values)


@pytest.mark.parametrize("format", ["turbospectrum", "pykurucz", "synspec"])
def test_folders_of_text(tmp_path: Path, format: str) -> None:
    air = vacuum_to_air(FINE)
    level = 1e6 - 20 * FINE
    for i, feh in enumerate((-0.5, 0.0)):
        flux = spectrum(FINE, 0.2)
        name = f"p4500_g+2.0_m0.0_t01_st_z{feh:+.2f}_a+0.10"
        columns = {
            "turbospectrum": (air, flux, flux * level),
            "pykurucz": (FINE / 10, flux * level, level),
            "synspec": (air, flux * level),
        }[format]
        rows = zip(*columns, strict=True)
        text = "\n".join(" ".join(f"{v:.7E}" for v in row) for row in rows)
        suffix = {"synspec": ".7"}.get(format, ".spec")
        (tmp_path / (name + suffix)).write_text(text.replace("E+", "D+") if i else text)
        if format == "synspec":
            points = np.array([0, 4800, 9600])
            ends = "\n".join(
                f"{w:.4f} {c:.6E}" for w, c in zip(air[points], level[points], strict=True)
            )
            (tmp_path / (name + ".17")).write_text(ends)
    medium = None if format == "pykurucz" else "air"
    spectra = import_grid(
        tmp_path,
        format,
        replace(ImportSettings(constants={"c12c13": 20.0, "vmacro": 4.0}), medium=medium),
    )
    assert where(spectra) == pytest.approx(CENTRE, abs=0.12)
    assert spectra.flux[0].max() == pytest.approx(1, abs=2e-3)
    assert spectra.labels is not None
    assert spectra.label_set is not None
    assert spectra.label_set.names == ("Fe",)
    assert sorted(spectra.labels[:, 0]) == [-0.5, 0.0]
    notes = " ".join(spectra.provenance["notes"])
    assert "a was added" in notes or "alpha_m was added" in notes
    assert "vturb (1)" in notes
    (tmp_path / ("sun.7" if format == "synspec" else "sun.spec")).write_text("1 2 3\n2 x 3\n")
    with pytest.raises((GridImportError, LabelError)):
        import_grid(tmp_path, format, SETTINGS)


def test_fits_cube(tmp_path: Path) -> None:
    log = 4.179 + 6e-6 * np.arange(8575)
    cube = np.ones((2, 3, 8575), np.float32)
    for j in range(2):
        for k in range(3):
            cube[j, k] = spectrum(10**log, 0.1 * (k + 1) + 0.05 * j)
    cube[1, 2] = 0  # a hole
    hdu = fits.PrimaryHDU(cube)
    axes = [("LOG10(WAVELENGTH)", 4.179, 6e-6), ("TEFF", 4000.0, 250.0), ("LOGG", 1.0, 0.5)]
    for k, (name, start, step) in enumerate(axes, start=1):
        hdu.header[f"CTYPE{k}"], hdu.header[f"CRVAL{k}"] = name, start
        hdu.header[f"CDELT{k}"] = step
    hdu.header["VACUUM"] = 1
    hdu.writeto(tmp_path / "grid.fits")
    settings = replace(SETTINGS, constants={**SETTINGS.constants, "Fe": -0.3})
    spectra = import_grid(tmp_path / "grid.fits", settings=settings)
    assert spectra.grid == APSTAR_GRID
    assert len(spectra) == 5
    assert spectra.labels is not None
    for row, flux in zip(spectra.labels, spectra.flux, strict=True):
        k, j = (row[0] - 4000) / 250, (row[1] - 1) / 0.5
        assert 1 - flux.min() == pytest.approx(0.1 * (k + 1) + 0.05 * j, rel=0.05)
    assert any("1 of 6 spectra are holes" in note for note in spectra.provenance["notes"])
    del hdu.header["CDELT3"]
    hdu.writeto(tmp_path / "bad.fits")
    with pytest.raises(GridImportError, match="Axis 3 has no"):
        import_grid(tmp_path / "bad.fits", settings=settings)
    hdu.header["CTYPE1"] = "TEFF"
    hdu.writeto(tmp_path / "order.fits")
    with pytest.raises(GridImportError, match="wavelength on the first axis"):
        import_grid(tmp_path / "order.fits", settings=settings)


def test_plain_hdf5_and_ecsv(tmp_path: Path) -> None:
    flux = np.array([spectrum(FINE, d) for d in (0.2, 0.3)])
    level = np.linspace(2, 3, FINE.size)
    with h5py.File(tmp_path / "grid.h5", "w") as file:
        file["axis"] = FINE
        file["axis"].attrs["unit"] = "angstrom, vacuum"
        file["surface"] = flux * level
        file["cont"] = np.array([level, level])
        file["pars"] = np.array([[4500, 2.0, -0.2], [4600, 2.2, 0.1]])
        file["pars"].attrs["names"] = ["T", "logg", "[Fe/H]"]
    arrays = {"wavelength": "axis", "flux": "surface", "continuum": "cont", "labels": "pars"}
    settings = replace(SETTINGS, columns={"teff": "T"})
    spectra = import_grid(tmp_path / "grid.h5", settings=settings, arrays=arrays)
    assert where(spectra) == pytest.approx(CENTRE, abs=0.12)
    assert spectra.labels is not None
    assert spectra.labels[:, 0].tolist() == [4500.0, 4600.0]
    with pytest.raises(GridImportError, match=r"no wavelength; it has .*--array wavelength"):
        import_grid(tmp_path / "grid.h5", settings=settings)

    table = Table({"teff": [4500.0, 4600.0], "logg": [2.0, 2.2], "fe_h": [0.0, 0.1], "flux": flux})
    table.meta["wavelength"] = (FINE / 10).tolist()
    table.meta["wavelength_unit"] = "nm vacuum"
    table.write(tmp_path / "grid.ecsv", format="ascii.ecsv")
    back = import_grid(tmp_path / "grid.ecsv", settings=SETTINGS)
    assert where(back) == pytest.approx(CENTRE, abs=0.12)


def test_the_command_writes_what_train_emulator_reads(tmp_path: Path) -> None:
    values = labels_table(tmp_path / "labels.ecsv")
    flux = np.array([spectrum(APSTAR_GRID.wavelength, d) for d in (0.1, 0.2, 0.3)])
    np.savez(
        tmp_path / "grid.npz",
        flux=flux,
        labels=values,
        label_names=APOGEE_LABELS.names,
        wavelength=APSTAR_GRID.wavelength,
    )
    out = tmp_path / "grid.h5"
    run = CliRunner().invoke
    done = run(import_grid_command, [str(tmp_path / "grid.npz"), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert "taken to be in vacuum" in done.output
    spectra = read_grid(out)
    np.testing.assert_allclose(spectra.flux, flux, atol=1e-6)
    again = run(import_grid_command, [str(tmp_path / "grid.npz"), "--out", str(out)])
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    wrong = run(
        import_grid_command,
        [str(tmp_path / "grid.npz"), "--out", str(out), "--overwrite", "--set", "vturb"],
    )
    assert wrong.exit_code == 2


def test_what_is_not_there_or_not_known(tmp_path: Path) -> None:
    with pytest.raises(GridImportError, match="no file or folder"):
        import_grid(tmp_path / "none")
    with pytest.raises(GridImportError, match="say whose spectra"):
        import_grid(tmp_path)
    (tmp_path / "grid.dat").write_text("1 2\n")
    with pytest.raises(GridImportError, match="cannot be told from its name"):
        import_grid(tmp_path / "grid.dat")
    with pytest.raises(GridImportError, match="found 'moog'"):
        import_grid(tmp_path / "grid.dat", "moog")
    (tmp_path / "grid.npz").write_bytes(b"PK not really")
    with pytest.raises(GridImportError, match="cannot be read as an npz"):
        import_grid(tmp_path / "grid.npz")


def test_a_grid_with_fewer_labels_trains(tmp_path: Path) -> None:
    from spectrabridge.core.emulator import EmulatorTraining, train_emulator

    stars = RandomStars("giants", 0)
    values = np.array([stars(i)[1][[0, 1, 18]] for i in range(40)])
    flux = np.array([spectrum(FINE, 0.1 + 0.1 * (v[0] - 3800) / 1700) for v in values])
    labels = dict(zip(("Teff", "logg", "[M/H]"), values.T, strict=True))
    finish(RawGrid(FINE, flux, labels, "angstrom", "vacuum", "true")).save(tmp_path / "few.h5")
    grid = read_grid(tmp_path / "few.h5")
    assert grid.label_set is not None
    assert grid.label_set.names == ("teff", "logg", "Fe")
    training = EmulatorTraining(steps=60, n_basis=4, hidden=(8,))
    emulator = train_emulator(grid.on_chips(), training)
    assert emulator.labels.names == grid.label_set.names


def test_headers_of_cubes_that_hold_no_numbers_are_said(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(np.ones((2, 2, 400), "f4"))
    axes = [("LOG10(WAVELENGTH)", 4.179, 1.3e-4), ("TEFF", 4000.0, 250.0), ("LOGG", 1.0, 0.5)]
    for k, (name, start, step) in enumerate(axes, start=1):
        hdu.header[f"CTYPE{k}"], hdu.header[f"CRVAL{k}"] = name, start
        hdu.header[f"CDELT{k}"] = step
    path = tmp_path / "c.fits"
    hdu.writeto(path)
    whole = path.read_bytes()
    for key, value, words in (
        ("CRVAL2", "'TABLE'", "Expected a number as CRVAL2 in the header of the cube; found 'TABL"),
        ("CRVAL2", "", "Expected a number as CRVAL2"),
        ("CDELT3", "T", "Expected a number as CDELT3"),
        ("CDELT3", "'unterminated", "c.fits cannot be read as"),
        ("CTYPE2", "(1,2,", "c.fits cannot be read as"),
        ("CDELT1", "1E300", "Wavelengths must be"),
    ):
        at = whole.index(f"{key:8s}= ".encode()) + 10
        path.write_bytes(whole[:at] + value.rjust(20).ljust(70).encode() + whole[at + 70 :])
        with pytest.raises(GridImportError, match=words):
            import_grid(path, "fits-cube", replace(SETTINGS, constants={"Fe": 0.0}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wavelength": np.array([b""] * 3)}, "Expected numbers as wavelength of g.npz; found tex"),
        ({"flux": np.array([["1"] * 3] * 2)}, "Expected numbers as flux of g.npz; found text"),
        ({"labels": np.ones((2, 3), complex)}, "as labels of g.npz; found complex numbers"),
        ({"label_names": np.array("teff")}, "Expected a row of names as label_names of g.npz"),
        ({"label_names": np.array(["teff"])}, "1 names for 3 labels"),
        ({"wavelength": np.full(3, 16000.0)}, "pixel 1 stays at 16000"),
        ({"wavelength": np.array([16000.0, 16001.0, 16000.5])}, "pixel 2 turns back at 16000.5"),
    ],
)
def test_arrays_of_other_kinds_are_said(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    whole = {"flux": np.ones((2, 3)), "labels": np.array([[4500, 2.0, 0.0], [4600, 2.2, 0.1]])}
    whole |= {"label_names": np.array(["teff", "logg", "Fe"])}
    np.savez(tmp_path / "g.npz", **(whole | {"wavelength": [16000.0, 16001.0, 16002.0]} | changes))
    with pytest.raises(GridImportError, match=words):
        import_grid(tmp_path / "g.npz", "payne", replace(SETTINGS, own_pixels=True))


def test_wavelengths_of_an_ecsv_header_are_numbers(tmp_path: Path) -> None:
    table = Table({"teff": [4500.0], "logg": [2.0], "fe_h": [0.0], "flux": np.ones((1, 3))})
    for values, found in ((["16000 16001", "1", "2"], "text"), ([[1], [1, 2]], "lists of other")):
        table.meta["wavelength"] = values
        table.write(tmp_path / "g.ecsv", format="ascii.ecsv", overwrite=True)
        with pytest.raises(GridImportError, match=f"as wavelength of g.ecsv; found {found}"):
            import_grid(tmp_path / "g.ecsv", settings=SETTINGS)


def test_whatever_else_a_reader_meets_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "g.npz", flux=np.ones((2, 3)))
    monkeypatch.setattr("spectrabridge.core.grid_import.npz.open_npz", lambda *a, **k: 1 / 0)
    with pytest.raises(GridImportError, match=r"g\.npz cannot be read as"):
        import_grid(tmp_path / "g.npz", "payne")
