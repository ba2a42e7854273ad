"""Atoms, ions and molecules, and the ways in which line lists write them down.

=================  ==================  ====================================
Where              Fe II               12C14N
=================  ==================  ====================================
here, VALD, SME    ``Fe 2``            ``CN 1``, isotopologue ``012014``
for people         ``Fe II``           ``CN``
MOOG, linemake     ``26.1``            ``607.01214``
Turbospectrum      ``26.000``, ion 2   ``607.012014``, ion 1
=================  ==================  ====================================

Isotopologue keys hold three digits per nucleus in order of atomic number, as in
Turbospectrum; OH of oxygen 16 is ``001016``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import LineListError
from .isotopes import ISOTOPE_FRACTION, is_isotope

_SYMBOLS = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb
Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U
"""

SYMBOLS: tuple[str, ...] = tuple(_SYMBOLS.split())
"""Chemical symbols in order of atomic number, from hydrogen to uranium."""

ATOMIC_NUMBER: dict[str, int] = {symbol: i + 1 for i, symbol in enumerate(SYMBOLS)}

ROMAN = ("I", "II", "III", "IV", "V", "VI")

_MOLECULES = """
H2 CH NH OH HF NaH MgH AlH SiH PH HS HCl CaH CrH MnH FeH CoH NiH C2 CN CO CS CP N2 NO O2 SO AlO SiO
SiS SiN SiC PO TiO VO ScO CaO FeO YO ZrO LaO H2O CO2 HCN C2H C3 NH3 CH4 C2H2
"""


def _atoms(formula: str) -> tuple[str, ...]:
    """Nuclei of a formula in the order written; empty if it is not one."""
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    if "".join(symbol + count for symbol, count in parts) != formula:
        return ()
    if any(symbol not in ATOMIC_NUMBER or count in ("0", "1") for symbol, count in parts):
        return ()
    return tuple(symbol for symbol, count in parts for _ in range(int(count or 1)))


def _by_number(symbols: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(symbols, key=ATOMIC_NUMBER.__getitem__))


_FORMULAS = {_by_number(_atoms(formula)): formula for formula in _MOLECULES.split()}


@dataclass(frozen=True)
class Species:
    """An atom, ion or molecule, perhaps of given isotopes.

    Parameters
    ----------
    symbols : tuple of str
        Chemical symbols of the nuclei in the order of the formula: ``("O", "H")``.
    ion : int
        Stage of ionisation, 1 for neutral.
    masses : tuple of int
        Mass numbers of the nuclei in the order of `symbols`; 0 where not said, empty if
        no isotope is meant.

    Raises
    ------
    LineListError
        If a symbol is not known, the ion is not 1 to 6, or masses do not match symbols.
    """

    symbols: tuple[str, ...]
    ion: int = 1
    masses: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        wrong = [s for s in self.symbols if s not in ATOMIC_NUMBER]
        if wrong or not self.symbols:
            raise LineListError(
                f"Expected chemical symbols from H to U; found {', '.join(wrong) or 'none'}."
            )
        if not 1 <= self.ion <= len(ROMAN):
            raise LineListError(
                f"The stage of ionisation is 1 (neutral) to {len(ROMAN)}; found {self.ion} for "
                f"{''.join(self.symbols)}."
            )
        if self.masses and len(self.masses) != len(self.symbols):
            raise LineListError(
                f"Expected {len(self.symbols)} mass numbers for {''.join(self.symbols)}; found "
                f"{len(self.masses)}."
            )
        if any(m and not ATOMIC_NUMBER[s] <= m < 300 for s, m in self._nuclei()):
            raise LineListError(
                f"Mass numbers must be at least the atomic number; found {self.masses} for "
                f"{''.join(self.symbols)}."
            )

    def _nuclei(self) -> list[tuple[str, int]]:
        masses = self.masses or (0,) * len(self.symbols)
        return list(zip(self.symbols, masses, strict=True))

    @property
    def formula(self) -> str:
        """Chemical formula without charge: ``Fe``, ``C2``, ``OH``."""
        out = ""
        for i, symbol in enumerate(self.symbols):
            if i and self.symbols[i - 1] == symbol:
                continue
            count = 1
            while i + count < len(self.symbols) and self.symbols[i + count] == symbol:
                count += 1
            out += symbol + (str(count) if count > 1 else "")
        return out

    @property
    def name(self) -> str:
        """Name in line lists here and in VALD: ``Fe 2``, ``CN 1``."""
        return f"{self.formula} {self.ion}"

    @property
    def is_molecule(self) -> bool:
        """Whether there is more than one nucleus."""
        return len(self.symbols) > 1

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements, each once, in the order of the formula: ``("O", "H")``."""
        return tuple(dict.fromkeys(self.symbols))

    @property
    def isotopologue(self) -> str:
        """Key of three digits per nucleus in order of atomic number; empty if none is meant."""
        if not any(self.masses):
            return ""
        pairs = sorted(self._nuclei(), key=lambda pair: ATOMIC_NUMBER[pair[0]])
        return "".join(f"{mass:03d}" for _, mass in pairs)

    def require_isotopes(self) -> None:
        """Raise a LineListError if a nucleus has a mass number that no isotope has."""
        if not all(not m or _can_be(s, m) for s, m in self._nuclei()):
            raise _no_isotope(self.isotope_title, self.symbols)

    @property
    def title(self) -> str:
        """Name for people: ``Fe I``, ``CN``."""
        if self.is_molecule:
            return self.formula + "+" * (self.ion - 1)
        return f"{self.formula} {ROMAN[self.ion - 1]}"

    @property
    def isotope_title(self) -> str:
        """Name with mass numbers where they are known: ``12C14N``, ``56FeH``, else the title."""
        if not any(self.masses):
            return self.title
        text = "".join((str(m) if m and s != "H" else "") + s for s, m in self._nuclei())
        return text + (f" {ROMAN[self.ion - 1]}" if not self.is_molecule else "+" * (self.ion - 1))

    @property
    def tex(self) -> str:
        """Name in LaTeX mathematics, without dollar signs."""
        formula = re.sub(r"(\d+)", r"_{\1}", self.formula)
        if self.is_molecule:
            charge = f"^{{{'+' * (self.ion - 1)}}}" if self.ion > 1 else ""
            return rf"\mathrm{{{formula}}}{charge}"
        return rf"\mathrm{{{formula}\,{ROMAN[self.ion - 1].lower()}}}"

    @property
    def moog(self) -> str:
        """Code in MOOG and linemake: ``26.1``, ``607.01214``; an atom's isotope as ``56.1137``."""
        numbers = sorted(ATOMIC_NUMBER[s] for s in self.symbols)
        code = str(numbers[0]) + "".join(f"{n:02d}" for n in numbers[1:])
        text = f"{code}.{self.ion - 1}"
        key = self.isotopologue
        if not key:
            return text
        if not self.is_molecule:
            return text + key
        masses = [int(key[i : i + 3]) for i in range(0, len(key), 3)]
        if max(masses) > 99:
            raise LineListError(
                f"MOOG writes two digits per nucleus of a molecule; {self.isotope_title} needs "
                "three."
            )
        return text + "".join(f"{m:02d}" for m in masses)

    @property
    def turbospectrum(self) -> str:
        """Code in Turbospectrum, whose ion is a number apart: ``26.000``, ``607.012014``."""
        numbers = sorted(ATOMIC_NUMBER[s] for s in self.symbols)
        code = str(numbers[0]) + "".join(f"{n:02d}" for n in numbers[1:])
        return f"{code}.{self.isotopologue or '000' * len(numbers)}"

    def of_isotopologue(self, key: str) -> Species:
        """Return the species with the isotopes of a key such as ``012014``.

        Raises
        ------
        LineListError
            If the key has not three digits per nucleus.
        """
        if not key:
            return Species(self.symbols, self.ion)
        if not re.fullmatch(r"\d+", key) or len(key) != 3 * len(self.symbols):
            raise LineListError(
                f"Expected three digits for each of the {len(self.symbols)} nuclei of "
                f"{self.formula}; found {key!r}."
            )
        masses = [int(key[i : i + 3]) for i in range(0, len(key), 3)]
        order = sorted(range(len(masses)), key=lambda i: ATOMIC_NUMBER[self.symbols[i]])
        out = [0] * len(masses)
        for place, mass in zip(order, masses, strict=True):
            out[place] = mass
        return Species(self.symbols, self.ion, tuple(out) if any(out) else ())

    def __str__(self) -> str:
        return self.title

    @classmethod
    def parse(cls, text: Any) -> Species:
        """Read a name or a code: ``Fe 1``, ``Fe I``, ``CN``, ``12C14N``, ``26.1``, ``607.01214``.

        Numbers are read as MOOG codes.

        Raises
        ------
        LineListError
            If there is no such species.

        Examples
        --------
        >>> Species.parse("Fe II").name, Species.parse("26.1").name
        ('Fe 2', 'Fe 2')
        """
        return text if isinstance(text, Species) else _parse(str(text))

    @classmethod
    def from_moog(cls, code: Any) -> Species:
        """Return the species of a code of MOOG: ``26.1``, ``607.01214``, ``56.1137``.

        The digit behind the point is the charge. Mass numbers follow: two digits for each
        nucleus of a molecule in order of atomic number; for an atom three, as MOOG's source
        (Inlines.f) has it, or two, as Sneden's lists have them for light elements: 7Li is
        ``3.0007`` or ``3.007``, 60Ni ``28.0060``. Zeros at the end may be missing. Of the
        readings that these leave, only one is an isotope.

        Raises
        ------
        LineListError
            If there is no such species, or none of its isotopes has such a mass.

        Examples
        --------
        >>> Species.from_moog("3.007").isotopologue, Species.from_moog("28.006").isotopologue
        ('007', '060')
        """
        text = str(float(code) if isinstance(code, float) else code).strip()
        found = re.fullmatch(r"(\d{1,8})(?:\.(\d*))?", text)
        if not found:
            raise _unknown(text)
        decimals = (found.group(2) or "").rstrip("0")
        symbols = _symbols_of_code(found.group(1), text)
        ion = int(decimals[:1] or 0) + 1
        digits, n = decimals[1:], len(symbols)
        if not digits:
            return _conventional(symbols, ion)
        for width in (3, 2) if n == 1 else (2, 3):
            if len(digits) > width * n:
                continue
            padded = digits.ljust(width * n, "0")
            masses = [int(padded[i : i + width]) for i in range(0, len(padded), width)]
            if all(not m or _can_be(s, m) for s, m in zip(symbols, masses, strict=True)):
                return _conventional(symbols, ion, masses)
        raise _no_isotope(text, symbols)

    @classmethod
    def from_turbospectrum(cls, code: Any, ion: int = 1) -> Species:
        """Return the species of a code of Turbospectrum, the stage of ionisation beside it.

        Three digits for each nucleus stand behind the point: ``607.012014``, ``56.137``.

        Raises
        ------
        LineListError
            If there is no such species, or none of its isotopes has such a mass.
        """
        text = str(code).strip().strip("'").strip()
        found = re.fullmatch(r"0*(\d{1,8})(?:\.(\d*))?", text)
        if not found:
            raise _unknown(text)
        symbols = _symbols_of_code(found.group(1), text)
        digits = (found.group(2) or "").ljust(3 * len(symbols), "0")
        if len(digits) > 3 * len(symbols) and digits[3 * len(symbols) :].strip("0"):
            raise _unknown(text)
        masses = [int(digits[i : i + 3]) for i in range(0, 3 * len(symbols), 3)]
        if not all(not m or _can_be(s, m) for s, m in zip(symbols, masses, strict=True)):
            raise _no_isotope(text, symbols)
        return _conventional(symbols, int(ion), masses)


def _unknown(text: str) -> LineListError:
    return LineListError(
        f"There is no species {text!r}; expected an element from H to U with its stage of "
        "ionisation, such as 'Fe 1' or 'Fe I', a molecule such as 'CN', or a MOOG code such as "
        "26.1 or 607.01214."
    )


def _symbols_of_code(digits: str, text: str) -> tuple[str, ...]:
    padded = digits.zfill(len(digits) + len(digits) % 2)
    numbers = [int(padded[i : i + 2]) for i in range(0, len(padded), 2)]
    if any(not 1 <= n <= len(SYMBOLS) for n in numbers):
        raise _unknown(text)
    return tuple(SYMBOLS[n - 1] for n in numbers)


def _conventional(
    symbols: tuple[str, ...], ion: int = 1, masses: list[int] | None = None
) -> Species:
    """Return a species in the order of its usual formula, from nuclei in any order."""
    formula = _FORMULAS.get(_by_number(symbols))
    ordered = _atoms(formula) if formula else symbols
    pairs = zip(symbols, masses or (0,) * len(symbols), strict=True)
    key = "".join(f"{m:03d}" for _, m in sorted(pairs, key=lambda pair: ATOMIC_NUMBER[pair[0]]))
    return Species(ordered, ion).of_isotopologue(key)


def _can_be(symbol: str, mass: int) -> bool:
    """Return whether an element can have a mass number; any near its own if none is stable."""
    number = ATOMIC_NUMBER[symbol]
    return is_isotope(symbol, mass) and (symbol == "H" or number < mass <= 3 * number)


def _no_isotope(text: str, symbols: tuple[str, ...]) -> LineListError:
    known = "; ".join(
        f"{symbol} has {', '.join(map(str, ISOTOPE_FRACTION[symbol]))}"
        for symbol in dict.fromkeys(symbols)
        if symbol in ISOTOPE_FRACTION
    )
    return LineListError(f"There are no such isotopes as in {text!r}: {known}.")


@lru_cache(maxsize=4096)
def _parse(text: str) -> Species:
    plain = text.strip().strip("'\"").strip()
    if re.fullmatch(r"\d+(\.\d*)?", plain):
        return Species.from_moog(plain)
    found = re.fullmatch(r"([A-Za-z0-9]+?)(?:[ _]+(\d|[IV]+)|(\++))?", plain)
    if not found:
        raise _unknown(text)
    formula, stage, charge = found.groups()
    if stage is None:
        ion = 1 + len(charge or "")
    elif stage.isdecimal():
        ion = int(stage)
    elif stage in ROMAN:
        ion = ROMAN.index(stage) + 1
    else:
        raise _unknown(text)
    symbols = _atoms(formula)
    masses: list[int] = []
    if not symbols:
        # Mass numbers stand before the symbols: 12C14N, 56FeH.
        parts = re.findall(r"(\d*)([A-Z][a-z]?)", formula)
        if "".join(mass + symbol for mass, symbol in parts) != formula:
            raise _unknown(text)
        symbols = tuple(symbol for _, symbol in parts)
        masses = [int(mass or (symbol == "H")) for mass, symbol in parts]
        if any(s not in ATOMIC_NUMBER for s in symbols):
            raise _unknown(text)
    if not 1 <= ion <= len(ROMAN):
        raise _unknown(text)
    usual = _FORMULAS.get(_by_number(symbols))
    if len(symbols) > 1 and usual is None and not masses and len(symbols) > 4:
        raise _unknown(text)
    order = sorted(range(len(symbols)), key=lambda i: ATOMIC_NUMBER[symbols[i]])
    return _conventional(
        tuple(symbols[i] for i in order) if usual or masses else symbols,
        ion,
        [masses[i] for i in order] if masses else None,
    )
