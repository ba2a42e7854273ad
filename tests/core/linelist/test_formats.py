from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrabridge.core.errors import LineListError, OutputError
from spectrabridge.core.linelist import (
    LineList,
    Written,
    moog_text,
    read_linemake,
    read_lines,
    read_moog,
    read_turbospectrum,
    read_vald,
    shipped_lines,
    turbospectrum_text,
    vald_text,
    write_moog,
)

WRITERS: dict[str, Callable[..., Written]] = {
    "vald": vald_text,
    "moog": moog_text,
    "turbospectrum": turbospectrum_text,
}


@pytest.fixture(scope="module")
def some() -> LineList:
    """Every species of the shipped list but hydrogen, a few lines of each."""
    lines = shipped_lines()
    keep = np.zeros(len(lines), dtype=bool)
    for name in lines.species_names:
        for key in np.unique(lines.isotopologue[lines.species == name]):
            here = (lines.species == name) & (lines.isotopologue == key)
            keep[np.flatnonzero(here)[:8]] = True
    return lines.select(keep & (lines.species != "H 1"))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("medium", ["air", "vacuum"])
def test_what_is_written_is_read_back(some: LineList, name: str, medium: str) -> None:
    written = WRITERS[name](some, [f"line {i}" for i in range(len(some))], medium=medium)
    assert written.left_out == ""
    back = read_lines(written.text.encode(), name=f"lines.{name}")
    assert name in back.source.lower()
    assert f"in {medium}" in back.source
    assert len(back) == len(some)
    assert sorted(some.species) == sorted(back.species)
    assert sorted(some.isotopologue) == sorted(back.isotopologue)
    for species in some.species_names:
        x, y = some.of(species), back.of(species)
        np.testing.assert_allclose(np.sort(x.wl_vac), np.sort(y.wl_vac), atol=6e-4)
        np.testing.assert_allclose(np.sort(x.loggf), np.sort(y.loggf), atol=6e-4)
        np.testing.assert_allclose(np.sort(x.ep), np.sort(y.ep), atol=6e-4)
        np.testing.assert_allclose(np.sort(x.vdw), np.sort(y.vdw), atol=6e-4)
        assert (y.gamma_rad == 0).all()


@pytest.mark.parametrize("name", WRITERS)
def test_unknown_log_gf_is_refused_or_left_out_with_the_reason(some: LineList, name: str) -> None:
    gf = some.loggf.copy()
    gf[3] = np.nan
    lines = replace(some, loggf=gf)
    with pytest.raises(LineListError, match=r"1 of \d+ lines .* log gf not known.* misread"):
        WRITERS[name](lines)
    written = WRITERS[name](lines, unknown="comment")
    everything = written.text + written.left_out
    assert everything.count("log gf not known") == 1
    assert "nan" not in written.text
    assert len(read_lines(written.text.encode())) == len(some) - 1
    with pytest.raises(LineListError, match="'refuse' or 'comment'"):
        WRITERS[name](lines, unknown="99.999")


def test_left_out_lines_of_a_file_stand_beside_it(some: LineList, tmp_path: Path) -> None:
    gf = some.loggf.copy()
    gf[:2] = np.nan
    path = tmp_path / "lines.moog"
    write_moog(replace(some, loggf=gf), path, unknown="comment")
    beside = (tmp_path / "lines.moog.left-out").read_text()
    assert beside.count("log gf not known") == 2
    assert len(read_moog(path)) == len(some) - 2
    with pytest.raises(OutputError, match="cannot be written"):
        write_moog(some, tmp_path / "no" / "folder")


def test_hydrogen_goes_to_vald_only() -> None:
    hydrogen = shipped_lines().of("H 1")
    back = read_vald(vald_text(hydrogen).text.encode())
    assert back.h_n_low.tolist() == hydrogen.h_n_low.tolist()
    assert back.h_n_up.tolist() == hydrogen.h_n_up.tolist()
    for writer in (moog_text, turbospectrum_text):
        with pytest.raises(LineListError, match="hydrogen"):
            writer(hydrogen)
        assert "hydrogen" in writer(hydrogen, unknown="comment").left_out


def test_isotope_fractions_are_not_written_by_mistake(some: LineList) -> None:
    for writer in WRITERS.values():
        with pytest.raises(LineListError, match="fractions"):
            writer(some.with_isotope_fractions(20.0))


def test_comments_must_match_and_cannot_break_the_format(some: LineList) -> None:
    few = some.select(slice(0, 2))
    with pytest.raises(LineListError, match="Expected 2 comments"):
        vald_text(few, ["one"])
    for writer in WRITERS.values():
        text = writer(few, ["it's 'so'\n'26.0' 1 7", "[Fe/H] \u2192 8"]).text
        assert len(read_lines(text.encode(), check=False)) == 2


# fmt: off
VALD = """\
                                                                   Lande factors      Damping parameters
Elm Ion      WL_{medium}(A)   log gf* E_low(eV) J lo  E_up(eV) J up  lower  upper   mean   Rad.  Stark  Waals
'Fe 1',       16400.045,  -4.131,  6.5922,  6.0,  7.3480,  5.0, 1.320, 1.090, 1.910, 8.140,-3.840,-7.330,
'  LS                                                                       3d7.(4F).4d f5G'
'  JK                                                             3d7.(4F<7/2>).4f 2[11/2]*'
'_          Kurucz FeI 2014   1 wl:K14   1 gf:K14   1 K14   1 K14   1 K14   1 K14   1 K14    Fe            '
'CO 1',       16400.058,  -5.951,  1.3820, 38.0,  2.1378, 39.0,99.000,99.000,99.000, 2.000, 0.000, 0.000,
'  Hb                                                4s2.5s2.1p4              X,2,0,,none,4'
'  Hb                                                    4s2.5s2.1p4          X,2,0,,none,7'
'KCO           2 KCO       2 KCO       2 KCO       2 KCO       2 KCO       2 KCO     (13)C(16)O    '
* oscillator strengths were {scaled}scaled by the solar isotopic ratios.
 References:
  1. Kurucz obs. energy level: Fe 1
"""  # noqa: E501
# fmt: on


def vald(medium: str = "air", scaled: str = "") -> bytes:
    return VALD.format(medium=medium, scaled=scaled).encode()


def test_vald_extract() -> None:
    lines = read_vald(vald())
    assert lines.species.tolist() == ["Fe 1", "CO 1"]
    assert lines.isotopologue.tolist() == ["", "013016"]
    assert lines.wl_vac[0] - 16400.045 == pytest.approx(4.48, abs=0.01)
    assert lines.gamma_rad[0] == 8.14
    assert lines.vdw[0] == -7.33
    assert (lines.j_low[0], lines.j_up[1]) == (6.0, 39.0)
    # Solar fractions of 13C and 16O are taken out.
    assert lines.loggf[1] == pytest.approx(-5.951 - np.log10(0.011062 * 0.997621), abs=1e-6)
    assert "taken out" in lines.source
    assert read_vald(vald(scaled="NOT ")).loggf[1] == -5.951
    assert read_vald(vald("vac")).wl_vac[0] == 16400.045


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("-4.131", "-4.x31"), "number for the log gf in line 3"),
        (("'Fe 1', ", "'Xx 1', "), "Line 3 of .*no species 'Xx 1'"),
        (("-3.840,-7.330,", "-3.840"), "Expected 13 columns in line 3"),
        (("WL_air(A)", "WL(A)"), "WL_air"),
        (("  E_up(eV)", ""), "long format"),
    ],
)
def test_a_broken_vald_extract_names_the_line(change: tuple[str, str], words: str) -> None:
    content = vald().decode().replace(*change).encode()
    with pytest.raises(LineListError, match=words):
        read_vald(content)
    with pytest.raises(LineListError, match="says that its wavelengths are in air"):
        read_vald(vald(), medium="vacuum")


def test_a_vald_extract_that_was_cut_short_is_refused() -> None:
    region = "16400.0, 16401.0, {}, 4711, 1.5 Wavelength region, lines selected, lines processed\n"
    assert len(read_vald(region.format(2).encode() + vald())) == 2
    with pytest.raises(LineListError, match="says that 3 lines were selected and holds 2"):
        read_vald(region.format(3).encode() + vald())


MOOG = """\
a title
 15000.500      26.0     5.000    -1.500    -7.300                       comment 1
 15001.500 607.01214     1.250    -2.407               7.724          2113Rb0205
-15002.500      26.1     6.000    -0.500
15003.5 12.0 5.9 -0.2 -7.1
"""


def test_moog_in_fixed_columns_and_in_free_format() -> None:
    lines = read_moog(MOOG.encode())
    assert lines.species.tolist() == ["Fe 1", "CN 1", "Fe 2", "Mg 1"]
    assert lines.isotopologue[1] == "012014"
    assert lines.vdw.tolist() == [-7.3, 0.0, 0.0, -7.1]
    assert "air, assumed" in lines.source
    assert (np.diff(lines.wl_vac) > 0.9).all()
    energies = MOOG.replace("     5.000 ", " 40000.000 ")
    assert read_moog(energies.encode()).ep[0] == pytest.approx(4.9594, abs=1e-3)
    assert "cm^-1" in read_moog(energies.encode()).source


def test_moog_damping_is_c6_or_a_width_or_a_factor() -> None:
    numbers = ["4.400e-31", "-30.3570", "3.000e-08", "-7.5229", "2.500", "-0.500", "0.0", "1.0e+06"]
    rows = "".join(
        f"{15000.5 + i:10.3f}{26.0:10.1f}{5.0:10.3f}{-1.5:10.3f}{text:>10s}\n"
        for i, text in enumerate(numbers)
    )
    lines = read_moog(("a title\n" + rows).encode())
    c6 = np.log10(17 * 4.4e-31**0.4 * (2.1175e12 * (1 / 55.9 + 1 / 1.008)) ** 0.3)
    expected = [c6, c6, -7.5229, -7.5229, 2.5**0.4, 10**-0.2, 0.0, 0.0]
    assert lines.vdw == pytest.approx(expected, abs=2e-4)
    for words in ("2 lines read as C6", "1 line read as widths", "2 lines read as factors"):
        assert f"damping of {words}" in lines.source
    assert "damping of 1 line left out" in lines.source


def test_moog_is_given_factors_and_says_how_many_lines_stay_blank() -> None:
    lines = read_moog(MOOG.encode())
    given = replace(lines, vdw=np.array([2.5, 278.25, -7.2, -3.0]))
    written = moog_text(given)
    assert "damping of 2 lines is left blank" in " ".join(written.notes)
    assert read_moog(written.text.encode()).vdw == pytest.approx([2.5, 0.0, -7.2, 0.0], abs=1e-3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"title\n 15000.5  26.0  x  -1.0\n", "number for the excitation energy in line 2"),
        (b"title\n 15000.5  26.0  \n", "found 2 columns"),
        (b"title\n 15000.5  99.0  1.0  -1.0\n", "Line 2 of .*no species '99.0'"),
        (b"title\n", "holds no line"),
        (b"", "empty"),
        (b"\x00\x01\x02", "not text"),
    ],
)
def test_a_broken_moog_list_names_the_line(content: bytes, words: str) -> None:
    with pytest.raises(LineListError, match=words):
        read_moog(content)


LINEMAKE = """\
a line list in the range:    6000.00   6001.00
  6000.064 607.01214     3.129    -2.407               7.724          2113Rb0205
  6001.486   21.1045     1.356    -4.967                                 KURHFS
"""


def test_linemake_is_told_by_its_title() -> None:
    lines = read_lines(LINEMAKE.encode())
    assert lines.species.tolist() == ["CN 1", "Sc 2"]
    assert lines.isotopologue.tolist() == ["012014", "045"]
    assert "made by linemake" in lines.source
    with pytest.raises(LineListError, match="in air; vacuum was given"):
        read_linemake(LINEMAKE.encode(), "vacuum")
    with pytest.raises(LineListError, match="Read it as MOOG"):
        read_linemake(MOOG.encode())


TURBOSPECTRUM = """\
' 26.000             '    1         2
'Fe I    NLTE'
  4200.087  3.884 -1.130   -7.420    7.0  5.01E+07  0.000  'p' 'd'   0.0    1.0 'Fe I LS'
  4200.463  4.154 -3.374    2.500    9.0  0.00E+00  'p' 'd'   0.0    1.0 'Fe I LS'  90 484 'a' 'b'
'0607.012014         '    1         1
'12C14N'
  4201.000  1.000 -2.000    0.000   20.0  1.00E+07
"""


def test_turbospectrum_blocks() -> None:
    lines = read_turbospectrum(TURBOSPECTRUM.encode())
    assert lines.species.tolist() == ["Fe 1", "Fe 1", "CN 1"]
    assert lines.isotopologue.tolist() == ["", "", "012014"]
    assert lines.gamma_rad[0] == pytest.approx(np.log10(5.01e7))
    assert lines.gamma_rad[1] == 0
    assert lines.vdw.tolist() == [-7.42, 2.5, 0.0]
    assert lines.j_up.tolist() == [3.0, 4.0, 9.5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("1         2", "1         3"), "says 3 lines; found 2"),
        (("1         2", "1         1"), "Check the number of lines"),
        (("-1.130", "-1.x"), "number for the log gf in line 3"),
        (("0607", "9907"), "Line 5 of .*no species"),
        (("  4201.000  1.000 -2.000    0.000   20.0  1.00E+07", "  4201.0 1.0"), "at least 6"),
    ],
)
def test_a_broken_turbospectrum_list_names_the_line(change: tuple[str, str], words: str) -> None:
    with pytest.raises(LineListError, match=words):
        read_turbospectrum(TURBOSPECTRUM.replace(*change).encode())


def test_a_list_in_air_passed_as_vacuum_is_found_out(tmp_path: Path) -> None:
    part = shipped_lines().between(15600.0, 15650.0)
    path = tmp_path / "lines.moog"
    write_moog(part, path, medium="air")
    with pytest.raises(LineListError, match=r"read as vacuum, but it is not.*in air"):
        read_lines(path, "vacuum")
    assert len(read_lines(path, "vacuum", check=False)) == len(part)
    # The other way round the medium was only assumed, so it is put right and said.
    text = moog_text(part, medium="vacuum").text.replace("vacuum", "unknown")
    back = read_lines(text.encode())
    np.testing.assert_allclose(back.wl_vac, part.wl_vac, atol=6e-4)
    assert "The wavelengths are in vacuum" in back.source


@pytest.mark.parametrize("options", [{"medium": "water"}, {"format": "synspec"}])
def test_unknown_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(LineListError, match=r"found '(water|synspec)'"):
        read_lines(MOOG.encode(), **options)


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LineListError, match="none of the formats"):
        read_lines(b"some text\nand more of it\n")
    with pytest.raises(LineListError, match="There is no file"):
        read_lines(tmp_path / "missing")
