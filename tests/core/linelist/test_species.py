from __future__ import annotations

import pytest

from spectrabridge.core.errors import LineListError
from spectrabridge.core.linelist import Species


@pytest.mark.parametrize(
    ("text", "name", "title", "isotopologue", "moog", "turbospectrum"),
    [
        ("Fe 1", "Fe 1", "Fe I", "", "26.0", "26.000"),
        ("'Fe 2'", "Fe 2", "Fe II", "", "26.1", "26.000"),
        ("Fe II", "Fe 2", "Fe II", "", "26.1", "26.000"),
        ("26.1", "Fe 2", "Fe II", "", "26.1", "26.000"),
        ("607.01214", "CN 1", "CN", "012014", "607.01214", "607.012014"),
        ("12C14N", "CN 1", "CN", "012014", "607.01214", "607.012014"),
        ("606.01213", "C2 1", "C2", "012013", "606.01213", "606.012013"),
        ("108.00116", "OH 1", "OH", "001016", "108.00116", "108.001016"),
        ("16OH", "OH 1", "OH", "001016", "108.00116", "108.001016"),
        ("FeH", "FeH 1", "FeH", "", "126.0", "126.000000"),
        ("822.01646", "TiO 1", "TiO", "016046", "822.01646", "822.016046"),
        ("56.1137", "Ba 2", "Ba II", "137", "56.1137", "56.137"),
        ("21.0045", "Sc 1", "Sc I", "045", "21.0045", "21.045"),
        ("10108.0", "H2O 1", "H2O", "", "10108.0", "10108.000000000"),
        ("Co 1", "Co 1", "Co I", "", "27.0", "27.000"),
        ("CO 1", "CO 1", "CO", "", "608.0", "608.000000"),
    ],
)
def test_a_species_has_one_name_in_each_notation(
    text: str, name: str, title: str, isotopologue: str, moog: str, turbospectrum: str
) -> None:
    species = Species.parse(text)
    found = (species.name, species.title, species.isotopologue, species.moog)
    assert found == (name, title, isotopologue, moog)
    assert species.turbospectrum == turbospectrum
    assert Species.from_moog(species.moog) == species
    assert Species.from_turbospectrum(species.turbospectrum, species.ion) == species
    assert Species.parse(species.name).of_isotopologue(species.isotopologue) == species


def test_elements_are_those_of_the_formula() -> None:
    assert Species.parse("CN").elements == ("C", "N")
    assert Species.parse("OH 1").elements == ("O", "H")
    assert Species.parse("C2").elements == ("C",)
    assert Species.parse("Fe 2").elements == ("Fe",)
    assert Species.parse("12C16O").isotope_title == "12C16O"
    assert Species.parse("C2").tex == r"\mathrm{C_{2}}"


def test_codes_as_floats_keep_their_isotopes() -> None:
    assert Species.from_moog(607.01214) == Species.parse("12C14N")
    assert Species.from_turbospectrum("0607.013014", 1) == Species.parse("13C14N")
    assert Species.from_moog("114.0013") == Species.from_moog("114.00130")


@pytest.mark.parametrize("text", ["Xx 1", "fe 1", "", "0.1", "99.0", "Fe 0", "Fe X", "12", "C1"])
def test_unknown_species_are_named(text: str) -> None:
    if text == "12":
        assert Species.parse(text).name == "Mg 1"
        return
    with pytest.raises(LineListError, match=r"There is no species .* such as 'Fe 1'"):
        Species.parse(text)


def test_impossible_ions_and_masses_are_refused() -> None:
    with pytest.raises(LineListError, match="stage of ionisation"):
        Species.from_moog("26.9")
    with pytest.raises(LineListError, match="Mass numbers"):
        Species(("Fe",), 1, (12,))
    with pytest.raises(LineListError, match="three digits"):
        Species.parse("CN").of_isotopologue("012")
    with pytest.raises(LineListError, match="Expected 2 mass numbers"):
        Species(("C", "N"), 1, (12,))


@pytest.mark.parametrize(
    ("code", "isotopologue"),
    [
        ("3.007", "007"),
        ("3.0007", "007"),
        ("3.00700", "007"),
        ("3.006", "006"),
        ("5.01", "010"),
        ("5.001", "010"),
        ("12.024", "024"),
        ("20.004", "040"),
        ("22.0048", "048"),
        ("28.0058", "058"),
        ("28.006", "060"),
        ("28.00600", "060"),
        ("29.0063", "063"),
        ("56.1134", "134"),
        ("63.1151", "151"),
        ("82.0208", "208"),
        (3.0007, "007"),
        (28.0060, "060"),
        ("43.0099", "099"),
        ("112.00124", "001024"),
        ("822.01648", "016048"),
        ("840.0169", "016090"),
        ("10108.0010116", "001001016"),
        (10108.0010116, "001001016"),
        ("607.0012014", "012014"),
        ("26.00000", ""),
    ],
)
def test_isotopes_of_moog_have_two_digits_or_three(code: str | float, isotopologue: str) -> None:
    assert Species.from_moog(code).isotopologue == isotopologue


@pytest.mark.parametrize("code", ["3.070", "28.0059", "56.1038", "607.01220", "6.0014"])
def test_isotopes_that_there_are_not_are_refused(code: str) -> None:
    with pytest.raises(LineListError, match="no such isotopes"):
        Species.from_moog(code)


def test_isotopes_that_there_are_not_are_refused_in_other_notations() -> None:
    with pytest.raises(LineListError, match=r"no such isotopes.*Li has 6, 7"):
        Species.from_turbospectrum("3.070")
    with pytest.raises(LineListError, match="no such isotopes"):
        Species.parse("Ni 1").of_isotopologue("059").require_isotopes()


def test_a_code_may_name_its_nuclei_in_any_order() -> None:
    assert Species.from_moog("801.01601") == Species.parse("16OH")
