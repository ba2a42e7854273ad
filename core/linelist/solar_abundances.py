"""Abundances of the Sun and energies of dissociation, for ranking lines by strength."""

from __future__ import annotations

_PHOTOSPHERE = """
H 12.00 He 10.93 Li 1.05 Be 1.38 B 2.70 C 8.43 N 7.83 O 8.69 F 4.56 Ne 7.93 Na 6.24 Mg 7.60
Al 6.45 Si 7.51 P 5.41 S 7.12 Cl 5.50 Ar 6.40 K 5.03 Ca 6.34 Sc 3.15 Ti 4.95 V 3.93 Cr 5.64
Mn 5.43 Fe 7.50 Co 4.99 Ni 6.22 Cu 4.19 Zn 4.56 Ga 3.04 Ge 3.65 As 2.30 Se 3.34 Br 2.54 Kr 3.25
Rb 2.52 Sr 2.87 Y 2.21 Zr 2.58 Nb 1.46 Mo 1.88 Ru 1.75 Rh 0.91 Pd 1.57 Ag 0.94 Cd 1.71 In 0.80
Sn 2.04 Sb 1.01 Te 2.18 I 1.55 Xe 2.24 Cs 1.08 Ba 2.18 La 1.10 Ce 1.58 Pr 0.72 Nd 1.42 Sm 0.96
Eu 0.52 Gd 1.07 Tb 0.30 Dy 1.10 Ho 0.48 Er 0.92 Tm 0.10 Yb 0.84 Lu 0.10 Hf 0.85 Ta -0.12 W 0.85
Re 0.26 Os 1.40 Ir 1.38 Pt 1.62 Au 0.92 Hg 1.17 Tl 0.90 Pb 1.75 Bi 0.65 Th 0.02 U -0.54
"""

_PAIRS = _PHOTOSPHERE.split()

SOLAR_ABUNDANCE: dict[str, float] = dict(zip(_PAIRS[::2], map(float, _PAIRS[1::2]), strict=True))
"""log10 of numbers of atoms, hydrogen 12 (Asplund et al. 2009, ARA&A 47, 481, table 1; meteorites
where the photosphere has no value)."""

DISSOCIATION_ENERGY: dict[str, float] = {
    "H2": 4.478,
    "CH": 3.465,
    "NH": 3.47,
    "OH": 4.392,
    "MgH": 1.34,
    "AlH": 3.06,
    "SiH": 3.06,
    "CaH": 1.70,
    "CrH": 2.17,
    "FeH": 1.63,
    "C2": 6.21,
    "CN": 7.724,
    "CO": 11.092,
    "CS": 7.355,
    "N2": 9.759,
    "NO": 6.497,
    "O2": 5.116,
    "AlO": 5.27,
    "SiO": 8.26,
    "TiO": 6.87,
    "VO": 6.44,
    "ScO": 6.96,
    "YO": 7.29,
    "ZrO": 7.85,
    "H2O": 9.51,
    "HF": 5.869,
    "HCl": 4.433,
    "SiS": 6.42,
}
"""Energies of dissociation (H2O: atomisation) in eV (Huber and Herzberg 1979; Luo 2007)."""
