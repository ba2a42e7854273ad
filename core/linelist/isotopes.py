"""Isotopes of the elements: which there are, and how much of each element they are.

This is the only table of isotope fractions in the package. Readers of lists whose log gf
hold the fractions (VALD, by default) take them out with it, and
:meth:`~spectrabridge.core.linelist.line_list.LineList.with_isotope_fractions` puts them in
with it, so that a list that passes through both is as it was.
"""

from __future__ import annotations

import math

_PERCENT = """
H 1:99.998 2:0.002; He 3:0.0166 4:99.9834; Li 6:7.59 7:92.41; Be 9:100; B 10:19.9 11:80.1; C
12:98.8938 13:1.1062; N 14:99.771 15:0.229; O 16:99.7621 17:0.0379 18:0.2; F 19:100; Ne 20:92.9431
21:0.2228 22:6.8341; Na 23:100; Mg 24:78.99 25:10 26:11.01; Al 27:100; Si 28:92.2297 29:4.6832
30:3.0872; P 31:100; S 32:94.93 33:0.76 34:4.29 36:0.02; Cl 35:75.78 37:24.22; Ar 36:84.5946
38:15.3808 40:0.0246; K 39:93.132 40:0.147 41:6.721; Ca 40:96.941 42:0.647 43:0.135 44:2.086
46:0.004 48:0.187; Sc 45:100; Ti 46:8.25 47:7.44 48:73.72 49:5.41 50:5.18; V 50:0.25 51:99.75; Cr
50:4.345 52:83.789 53:9.501 54:2.365; Mn 55:100; Fe 54:5.845 56:91.754 57:2.119 58:0.282; Co
59:100; Ni 58:68.0769 60:26.2231 61:1.1399 62:3.6345 64:0.9256; Cu 63:69.17 65:30.83; Zn 64:48.63
66:27.9 67:4.1 68:18.75 70:0.62; Ga 69:60.108 71:39.892; Ge 70:20.84 72:27.54 73:7.73 74:36.28
76:7.61; As 75:100; Se 74:0.89 76:9.37 77:7.63 78:23.77 80:49.61 82:8.73; Br 79:50.69 81:49.31; Kr
78:0.362 80:2.326 82:11.655 83:11.546 84:56.903 86:17.208; Rb 85:70.844 87:29.156; Sr 84:0.558
86:9.8678 87:6.8961 88:82.6781; Y 89:100; Zr 90:51.45 91:11.22 92:17.15 94:17.38 96:2.8; Nb
93:100; Mo 92:14.525 94:9.151 95:15.838 96:16.672 97:9.599 98:24.391 100:9.824; Ru 96:5.54 98:1.87
99:12.76 100:12.6 101:17.06 102:31.55 104:18.62; Rh 103:100; Pd 102:1.02 104:11.14 105:22.33
106:27.33 108:26.46 110:11.72; Ag 107:51.839 109:48.161; Cd 106:1.25 108:0.89 110:12.49 111:12.8
112:24.13 113:12.22 114:28.73 116:7.49; In 113:4.29 115:95.71; Sn 112:0.97 114:0.66 115:0.34
116:14.54 117:7.68 118:24.22 119:8.59 120:32.58 122:4.63 124:5.79; Sb 121:57.21 123:42.79; Te
120:0.09 122:2.55 123:0.89 124:4.74 125:7.07 126:18.84 128:31.74 130:34.08; I 127:100; Xe
124:0.122 126:0.108 128:2.188 129:27.255 130:4.376 131:21.693 132:26.514 134:9.79 136:7.954; Cs
133:100; Ba 130:0.106 132:0.101 134:2.417 135:6.592 136:7.854 137:11.232 138:71.698; La 138:0.091
139:99.909; Ce 136:0.185 138:0.251 140:88.45 142:11.114; Pr 141:100; Nd 142:27.044 143:12.023
144:23.729 145:8.763 146:17.13 148:5.716 150:5.596; Sm 144:3.07 147:14.99 148:11.24 149:13.82
150:7.38 152:26.75 154:22.75; Eu 151:47.81 153:52.19; Gd 152:0.2 154:2.18 155:14.8 156:20.47
157:15.65 158:24.84 160:21.86; Tb 159:100; Dy 156:0.056 158:0.095 160:2.329 161:18.889 162:25.475
163:24.896 164:28.26; Ho 165:100; Er 162:0.139 164:1.601 166:33.503 167:22.869 168:26.978
170:14.91; Tm 169:100; Yb 168:0.12 170:2.98 171:14.09 172:21.69 173:16.1 174:32.03 176:13; Lu
175:97.1795 176:2.8205; Hf 174:0.162 176:5.206 177:18.606 178:27.297 179:13.629 180:35.1; Ta
180:0.012 181:99.988; W 180:0.12 182:26.5 183:14.31 184:30.64 186:28.43; Re 185:35.662 187:64.338;
Os 184:0.02 186:1.598 187:1.271 188:13.337 189:16.261 190:26.444 192:41.07; Ir 191:37.3 193:62.7;
Pt 190:0.014 192:0.782 194:32.967 195:33.832 196:25.242 198:7.163; Au 197:100; Hg 196:0.15
198:9.97 199:16.87 200:23.1 201:13.18 202:29.86 204:6.87; Tl 203:29.524 205:70.476; Pb 204:1.997
206:18.582 207:20.563 208:58.858; Bi 209:100; Th 232:100; U 234:0.002 235:24.286 238:75.712;
"""


def _parse_table(text: str) -> dict[str, dict[int, float]]:
    table = {}
    for entry in " ".join(text.split()).strip("; ").split("; "):
        symbol, *isotopes = entry.split()
        pairs = (isotope.split(":") for isotope in isotopes)
        table[symbol] = {int(mass): float(percent) / 100 for mass, percent in pairs}
    return table


ISOTOPE_FRACTION: dict[str, dict[int, float]] = _parse_table(_PERCENT)
"""Fractions by element and mass number (Asplund et al. 2009, ARA&A 47, 481, table 3). Those of
elements with long-lived radioactive isotopes (K, Rb, Lu, Re, Os, U) are of the young Sun."""


def is_isotope(symbol: str, mass: int) -> bool:
    """Return whether an element has an isotope; True for elements without a stable one.

    Examples
    --------
    >>> is_isotope("Li", 7), is_isotope("Li", 70)
    (True, False)
    """
    return symbol not in ISOTOPE_FRACTION or mass in ISOTOPE_FRACTION[symbol]


def mean_mass(symbol: str) -> float:
    """Return the mass of an element in atomic mass units, good to a part in a thousand.

    It is the mean of the mass numbers of its isotopes, NaN for an element without a stable
    one.

    Examples
    --------
    >>> round(mean_mass("Fe"), 2)
    55.91
    """
    isotopes = ISOTOPE_FRACTION.get(symbol)
    if isotopes is None:
        return math.nan
    return sum(mass * fraction for mass, fraction in isotopes.items())
