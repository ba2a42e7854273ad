from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrabridge.core.errors import LineListError
from spectrabridge.core.linelist import LineList, read_lines
from spectrabridge.core.linelist.isotopes import ISOTOPE_FRACTION, is_isotope, mean_mass
from spectrabridge.core.linelist.species import ATOMIC_NUMBER, Species

ISOTOPES = [(symbol, mass) for symbol, masses in ISOTOPE_FRACTION.items() for mass in masses]

VALD = """\
                                                   Lande factors      Damping parameters
Elm Ion      WL_vac(A)   log gf* E_low(eV) J lo  E_up(eV) J up  lower  upper   mean   Rad.  Stark  Waals
{lines}* oscillator strengths were {scaled}scaled by the solar isotopic ratios.
"""  # noqa: E501


def vald(*species: str, scaled: bool) -> bytes:
    """An extract with one line of log gf -1 for each species such as ``(58)Ni``."""
    lines = ""
    for i, text in enumerate(species):
        name = "".join(c for c in text if c.isalpha())
        lines += (
            f"'{name} 1',  {7000 + i}.000,  -1.000,  2.0000,  1.0,  3.7000,  2.0, 1.0, 1.0, 1.0, "
            f"8.000,-5.000,-7.500,\n'  level'\n'  level'\n'_   reference   {text}   '\n"
        )
    return VALD.format(lines=lines, scaled="" if scaled else "NOT ").encode()


def test_the_table_is_whole() -> None:
    for symbol, isotopes in ISOTOPE_FRACTION.items():
        assert sum(isotopes.values()) == pytest.approx(1, abs=2e-4), symbol
        assert all(m > ATOMIC_NUMBER[symbol] or symbol == "H" for m in isotopes)
    missing = ATOMIC_NUMBER.keys() - ISOTOPE_FRACTION.keys()
    assert missing == {"Tc", "Pm", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Pa"}


def test_masses_and_isotopes() -> None:
    assert mean_mass("Fe") == pytest.approx(55.85, rel=2e-3)
    assert mean_mass("Cl") == pytest.approx(35.45, rel=2e-3)
    assert np.isnan(mean_mass("Tc"))
    assert is_isotope("Tc", 99)
    assert not is_isotope("C", 14)


@pytest.mark.parametrize(("symbol", "mass"), ISOTOPES)
def test_what_is_taken_out_is_put_in_again(symbol: str, mass: int) -> None:
    fraction = np.log10(ISOTOPE_FRACTION[symbol][mass])
    lines = read_lines(vald(f"({mass}){symbol}", scaled=True), check=False)
    assert lines.isotopologue.tolist() == [f"{mass:03d}"]
    assert lines.loggf[0] == pytest.approx(-1 - fraction)
    solar = ISOTOPE_FRACTION["C"][12] / ISOTOPE_FRACTION["C"][13]
    assert lines.with_isotope_fractions(solar).loggf[0] == pytest.approx(-1, abs=1e-5)
    plain = read_lines(vald(f"({mass}){symbol}", scaled=False), check=False)
    assert plain.loggf[0] == -1
    assert plain.with_isotope_fractions(solar).loggf[0] == pytest.approx(-1 + fraction, abs=1e-5)


@pytest.mark.parametrize("text", ["(48)TiO", "(90)ZrO", "(24)MgH", "(28)SiH", "(51)VO"])
def test_molecules_say_the_isotopes_that_count(text: str) -> None:
    symbol, mass = text[4:6], int(text[1:3])
    symbol = symbol if symbol in ISOTOPE_FRACTION else symbol[0]
    lines = read_lines(vald(text, scaled=True), check=False)
    assert lines.loggf[0] == pytest.approx(-1 - np.log10(ISOTOPE_FRACTION[symbol][mass]), abs=1e-4)
    assert lines.with_isotope_fractions(89.4).loggf[0] == pytest.approx(-1)


def test_notes_count_lines() -> None:
    lines = read_lines(vald("(58)Ni", "Fe", "(60)Ni", scaled=True), check=False)
    assert "taken out of log gf of 2 lines" in lines.source
    plain = read_lines(vald("Fe", "(60)Ni", scaled=False), check=False)
    assert "taken out" not in plain.source


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"title\n  7385.2118   28.0062     2.738     -2.07\n", "1 line with isotopes"),
        (b"' 28.062 ' 1 1\n'Ni I'\n 7385.21 2.738 -2.07 0.0 3.0 0.0\n", "1 line with isotopes"),
    ],
)
def test_every_format_leaves_the_fraction_to_the_synthesis(content: bytes, words: str) -> None:
    lines = read_lines(content, check=False)
    assert words in lines.source
    fraction = np.log10(ISOTOPE_FRACTION["Ni"][62])
    assert lines.with_isotope_fractions(20.0).loggf[0] == pytest.approx(-2.07 + fraction)


def test_components_add_up_to_the_line() -> None:
    isotopes = ISOTOPE_FRACTION["Ni"]
    lines = LineList(
        species=np.full(5, "Ni 1"),
        wl_vac=np.linspace(7390, 7390.1, 5),
        loggf=np.full(5, -2.0),
        ep=np.full(5, 2.0),
        isotopologue=np.array([f"{mass:03d}" for mass in isotopes]),
    )
    total = np.log10((10.0 ** lines.with_isotope_fractions(20.0).loggf).sum())
    assert total == pytest.approx(-2.0, abs=1e-4)
    with pytest.raises(LineListError, match="no such isotopes"):
        replace(lines, isotopologue=np.full(5, "059"))


def test_an_isotope_that_there_is_not_is_named_with_its_line() -> None:
    with pytest.raises(LineListError, match=r"Line 3 of .*no such isotopes"):
        read_lines(vald("(59)Ni", scaled=True), check=False)
    assert Species.parse("Ni 1").isotopologue == ""
