from __future__ import annotations

import json
from pathlib import Path

import pytest
from astropy.table import Table
from click.testing import CliRunner

from spectrabridge.apps.cli import main
from spectrabridge.core.io import example_apstar
from spectrabridge.core.io.cell_text import column_texts
from spectrabridge.core.io.table_formats import FORMATS, format_of

STAR = str(example_apstar())
QUICK = ["--iterations", "3", "--search", "0"]


def run(*words: str):
    return CliRunner().invoke(main, ["fit", *words])


def test_json_has_an_object_per_file_in_order(tmp_path: Path):
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"SIMPLE  =" + b" " * 100)
    result = run("apogee-giants", str(bad), STAR, "--json", *QUICK)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["spectra"]
    assert [r["file"] for r in rows] == ["bad.fits", example_apstar().name]
    assert "bad.fits" in result.stderr
    keys = {"reduced_chi2", "residual_mean", "residual_std", "labels", "errors", "flags"}
    assert keys <= set(rows[1]["raw"]) and keys <= set(rows[1]["adapted"])
    assert rows[0]["adapted"]["flags"] == ["unreadable"]


@pytest.mark.parametrize("name", ["t.ecsv", "t.fits", "t.vot", "t.csv"])
def test_tables(tmp_path: Path, name: str):
    out = tmp_path / name
    words = ["apogee-giants", STAR, "--out", str(out), "--spectrum", "adapted", *QUICK]
    result = run(*words)
    assert result.exit_code == 0, result.output
    table = Table.read(out, format=format_of(out).astropy)
    assert len(table) == 1 and 3000 < table["teff"][0] < 7000
    assert str(table["teff"].unit) == ("None" if name == "t.csv" else "K")
    before = out.read_bytes()
    again = run(*words)
    assert again.exit_code == 2 and "--overwrite" in again.output
    assert out.read_bytes() == before
    assert run(*words, "--overwrite").exit_code == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_any_name_is_saved_in_every_format(tmp_path: Path, name: str, read_back):
    star = tmp_path / '\u00c5ngstr\u00f6m "1"\t.fits'
    star.write_bytes(Path(STAR).read_bytes())
    out = tmp_path / f"labels{FORMATS[name].suffix}"
    result = run("apogee-giants", str(star), "--out", str(out), "--spectrum", "adapted", *QUICK)
    assert result.exit_code == 0, result.output
    assert column_texts(read_back(out.read_bytes(), name)["file"]) == [star.name]


@pytest.mark.parametrize("name", ["t.ecsv", "t.fits", "t.vot"])
def test_windows_are_fitted_and_written_down(tmp_path: Path, name: str):
    mask = tmp_path / "windows.csv"
    rows = [f"exclude,{low},{low + 5},air" for low in range(15700, 15800, 10)]
    mask.write_text("\n".join(["use,from,to,medium", *rows]) + "\n", "utf-8")
    out = tmp_path / name
    words = ["apogee-giants", STAR, "--spectrum", "adapted", *QUICK, "--out", str(out)]
    assert run(*words, "--mask", str(mask)).exit_code == 0
    table = Table.read(out, format=format_of(out).astropy)
    # A VOTable has metadata as INFO, which astropy's tables leave out.
    said = out.read_text("utf-8") if name == "t.vot" else str(dict(table.meta))
    assert said.count("exclude") == 10 and "vacuum angstrom" in said
    assert run(*words, "--overwrite").exit_code == 0
    whole = Table.read(out, format=format_of(out).astropy)
    assert 150 < whole["n_pixels"][0] - table["n_pixels"][0] < 300
    assert "exclude" not in str(dict(whole.meta))


def test_a_mask_that_does_not_say_air_or_vacuum_is_refused(tmp_path: Path):
    mask = tmp_path / "windows.csv"
    mask.write_text("use,from,to\nexclude,15700,15710\n", "utf-8")
    result = run("apogee-giants", STAR, "--mask", str(mask))
    assert result.exit_code == 2
    assert "air or vacuum" in result.output


def test_bits_are_chosen_and_written_down(tmp_path: Path):
    out = tmp_path / "t.ecsv"
    words = ["apogee-giants", STAR, "--spectrum", "adapted", *QUICK, "--out", str(out)]
    counts = {}
    for bits in ("none", "0, 1, 2, SIG_SKYLINE"):
        assert run(*words, "--bad-bits", bits, "--overwrite").exit_code == 0
        table = Table.read(out, format="ascii.ecsv")
        counts[table.meta["bad_bits"]] = int(table["n_pixels"][0])
    assert list(counts) == ["none", "0 BADPIX, 1 CRPIX, 2 SATPIX, 12 SIG_SKYLINE"]
    assert counts["none"] > counts["0 BADPIX, 1 CRPIX, 2 SATPIX, 12 SIG_SKYLINE"]
    wrong = run(*words, "--bad-bits", "SKY", "--overwrite")
    assert wrong.exit_code == 2 and "Expected bits of the pixel mask" in wrong.output


def test_covariance_and_csv_are_refused_before_the_fit(tmp_path: Path):
    result = run("apogee-giants", STAR, "--out", str(tmp_path / "t.csv"), "--covariance")
    assert result.exit_code == 2 and "one value in a cell" in result.output


def test_in_tasks(tmp_path: Path):
    out = tmp_path / "t.ecsv"
    words = ["apogee-giants", STAR, STAR, "--chunk", "1", "--workers", "0", *QUICK]
    result = run(*words, "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n_stars"] == 2
    assert len(Table.read(out, format="ascii.ecsv")) == 2
    assert not out.with_name("t.ecsv.parts").exists()
    assert "--out" in run(*words).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["apogee-giants"], "at least one file"),
        ([STAR], "Give a bundle before the spectra"),
        (["no-such", STAR], "no-such"),
        (["apogee-giants", "gone.fits"], "gone.fits"),
        (["apogee-giants", STAR, "--fix", "vmacro"], "NAME=NUMBER"),
        (["apogee-giants", STAR, "--fix", "Zr=0"], "no label 'Zr'"),
        (["apogee-giants", STAR, "--fix", "teff=1e9"], "between"),
        (["apogee-giants", STAR, "--fix", "vmacro=4", "--fix", "vmacro=5"], "held twice"),
        (["apogee-giants", STAR, "--out", "t.txt"], ".ecsv"),
        (["apogee-giants", STAR, "--out", "no/such/t.ecsv"], "no folder"),
        (["apogee-giants", STAR, "--widening", "0"], "widening"),
        (["apogee-giants", STAR, "--widening", "nan"], "widening"),
        (["apogee-giants", STAR, "--search", "nan"], "search"),
        (["apogee-giants", STAR, "--rv", "inf"], "velocity in km/s"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], said: str):
    result = run(*words)
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_folder_that_takes_no_files_is_told_before_the_fit(tmp_path: Path, monkeypatch):
    def refused(**kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    result = run("apogee-giants", STAR, "--out", str(tmp_path / "t.ecsv"))
    assert result.exit_code == 2
    assert f"{tmp_path / 't.ecsv'} cannot be written: Permission denied" in result.output


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch):
    write = Path.write_bytes

    def full(self, content):
        write(self, content[:6])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    out = tmp_path / "t.fits"
    result = run("apogee-giants", STAR, "--out", str(out), "--spectrum", "adapted", *QUICK)
    assert result.exit_code == 1
    assert f"{out} cannot be written: No space left on device" in result.output
    assert list(tmp_path.iterdir()) == []


def test_nothing_readable_fails(tmp_path: Path):
    bad = tmp_path / "bad.txt"
    bad.write_text("nothing")
    result = run("apogee-giants", str(bad))
    assert result.exit_code == 1
    assert "None of the files could be read" in result.output
