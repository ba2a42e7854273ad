"""Labels in the tables of ASPCAP, APOGEE's own analysis, of any release.

The tables of aspcapStar and allStar files say the same things in ways that changed
from release to release:

* ``PARAM`` (calibrated) and ``FPARAM`` (as fitted) hold T_eff, log g, log10 of the
  microturbulence, [M/H], [C/M], [N/M] and [alpha/M], since DR13 also log10 of a velocity
  and [O/M]. The velocity is the macroturbulence for giants, for which it is not fitted
  but follows from log g and [M/H], and v sin i for dwarfs (Holtzman et al. 2018, AJ 156,
  125, section 4).
* ``X_H`` (since DR13) holds calibrated [X/H]; ``ELEM`` (DR12) calibrated and ``FELEM``
  uncalibrated abundances. In the last two, elements that were fitted along a dimension of
  their own (C, N and the alpha elements) are relative to M, the others to H.
* Later releases add columns by name: ``TEFF``, ``LOGG``, ``FE_H``, ``MG_FE``; DR12 has
  ``MG_H``. Those are empty where the survey does not trust its number, so where a column
  exists it is used and the arrays are not.
* Since DR19 all are columns by name: ``teff``, ``v_micro``, ``m_h_atm``, ``fe_h``; what is
  not calibrated begins with ``raw_``.

Which element stands where is told by ``ELEM_SYMBOL``, which allStar files have in their
last HDU, and otherwise by the number of elements, as in the survey's software
(``aspcap_elems.pro`` of DR12 and DR16, ``elems`` in ``aspcap.py`` of DR13 to DR17).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..labels import ELEMENTS

UNKNOWN = -999.0
"""Values from here down mean "not known"; the survey writes -9999, and NaN since DR16."""

_DR12 = ("Al", "Ca", "C", "Fe", "K", "Mg", "Mn", "Na", "Ni", "N", "O", "Si", "S", "Ti", "V")
_SINCE_DR13 = (
    *("C", "CI", "N", "O", "Na", "Mg", "Al", "Si", "P", "S", "K", "Ca", "Ti", "TiII"),
    *("V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Ge"),
)

ELEMENT_ORDERS: dict[int, tuple[str, ...]] = {
    15: _DR12,
    # DR13 and DR14 end with Ce, Rb, Y, Nd, DR16 with Rb, Ce, Nd, Yb; none of them is a label.
    26: (*_SINCE_DR13, "", "", "", ""),
    27: (*_SINCE_DR13, "Rb", "Ce", "Nd", "Yb", "C13"),
}
"""Number of elements in ``X_H``, ``ELEM`` and ``FELEM`` to the elements, in order."""

RELATIVE_TO_M = frozenset(("C", "CI", "N", "O", "Mg", "Si", "S", "Ca", "Ti", "TiII", "C13"))
"""Elements whose entries in ``ELEM`` and ``FELEM`` are [X/M]; the others are [X/H]."""

_PARAMETERS = ("teff", "logg", "vturb", "M_H", "C_M", "N_M", "ALPHA_M", "velocity", "O_M")

_CHECKED = (
    *("TEFF", "LOGG", "VMICRO", "M_H", "ALPHA_M", "C_M", "N_M"),
    *("STAR", "CHI2", "COLORTE", "ROTATION", "SN"),
)

_BITS = {
    **{i: f"{what}_WARN" for i, what in enumerate(_CHECKED)},
    **{i: f"{what}_BAD" for i, what in enumerate(_CHECKED, start=16)},
    31: "NO_ASPCAP_RESULT",
}
"""Bits of ``ASPCAPFLAG`` that mean the same in every release."""

STAR_BAD = 1 << 23
"""Bit of ``ASPCAPFLAG`` that tells not to use the labels of a star at all."""

Table = Callable[[str], NDArray[Any] | None]
"""Gives a column by its name in capitals, one row per star, or None if there is none."""


def flag_names(flag: int) -> tuple[str, ...]:
    """Return the names of the bits that are set in ``ASPCAPFLAG``.

    Bits that changed their meaning between releases are called ``bit 12``.
    """
    flag = int(flag) & 0xFFFF_FFFF_FFFF_FFFF
    return tuple(_BITS.get(i, f"bit {i}") for i in range(64) if flag >> i & 1)


def calibrated(
    table: Table, symbols: Sequence[str] = (), notes: list[str] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return the calibrated labels of all stars in a table.

    Parameters
    ----------
    table : callable
        Gives its columns.
    symbols : sequence of str
        What ``ELEM_SYMBOL`` says, if the file has it.
    notes : list of str, optional
        Sentences about what could not be used are added.

    Returns
    -------
    dict
        Name to values, shape ``(n_stars,)``, NaN where unknown: ``teff`` in kelvin,
        ``logg``, ``vturb`` and ``vmacro`` in km/s, elements as [X/H] under their symbols,
        and, by the survey's names, ``M_H``, ``ALPHA_M``, ``C_M``, ``N_M`` and ``VSINI``.
        Only what the table has. ``vmacro`` is the survey's, which may be defined
        otherwise than ours.
    """
    out = _parameters(table, "PARAM")
    for name, spellings in {
        "teff": ("TEFF",),
        "logg": ("LOGG",),
        "vturb": ("VMICRO", "V_MICRO"),
        "M_H": ("M_H", "PARAM_M_H", "M_H_ATM"),
        "ALPHA_M": ("ALPHA_M", "PARAM_ALPHA_M", "ALPHA_M_ATM"),
        "C_M": ("PARAM_C_M", "C_M_ATM"),
        "N_M": ("PARAM_N_M", "N_M_ATM"),
        "VSINI": ("VSINI", "V_SINI"),
        "vmacro": ("VMACRO",),
    }.items():
        for spelling in spellings:
            values = _scalar(table(spelling))
            if values is not None:
                out[name] = values
                break
    if "vmacro" in out:
        # 0 stands for dwarfs, whose broadening is all in v sin i.
        out["vmacro"] = np.where(out["vmacro"] > 0, out["vmacro"], np.nan)
    named = _named_abundances(table)
    if named:
        return out | named
    x_h = table("X_H")
    if x_h is not None:
        return out | _array(x_h, "X_H", symbols, notes, None)
    elem = table("ELEM")
    if elem is not None and "M_H" in out:
        return out | _array(elem, "ELEM", symbols, notes, out["M_H"])
    return out


def uncalibrated(
    table: Table, symbols: Sequence[str] = (), notes: list[str] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Return the labels as they were fitted, before the survey calibrated them.

    Parameters and result are those of :func:`calibrated`, from ``FPARAM`` and ``FELEM``.
    """
    out = _parameters(table, "FPARAM")
    felem = table("FELEM")
    if felem is not None and "M_H" in out:
        out |= _array(felem, "FELEM", symbols, notes, out["M_H"])
    return out


def known(values: Any) -> NDArray[np.float64]:
    """Return values as float64, NaN where they are fillers."""
    out = np.array(values, dtype=np.float64)
    out[~np.isfinite(out) | (out <= UNKNOWN)] = np.nan
    return out


def _scalar(values: NDArray[Any] | None) -> NDArray[np.float64] | None:
    """Return a column of one number per star, or None if it is something else."""
    if values is None or values.ndim != 1 or values.dtype.kind not in "fiu":
        return None
    return known(values)


def _parameters(table: Table, name: str) -> dict[str, NDArray[np.float64]]:
    array = table(name)
    if array is None or array.ndim != 2 or array.shape[1] not in (7, 9):
        return {}
    values = known(array)
    out = dict(zip(_PARAMETERS, values.T, strict=False))
    out["vturb"] = _power(out["vturb"])
    velocity = out.pop("velocity", None)
    out.pop("O_M", None)
    if velocity is not None:
        giant = _giants(table)
        if giant is not None:
            speed = _power(velocity)
            out["vmacro"] = np.where(giant, speed, np.nan)
            out["VSINI"] = np.where(giant, np.nan, speed)
    return out


def _power(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        out = 10.0**values
    return np.where(np.isfinite(out), out, np.nan)


def _giants(table: Table) -> NDArray[np.bool_] | None:
    """Tell which stars were fitted with a grid of giants: GKg or Mg in the grid's name."""
    for name in ("ASPCAP_GRID", "ASPCAP_CLASS", "CLASS"):
        grid = table(name)
        if grid is not None and grid.dtype.kind in "SUO":
            text = np.char.lower(np.asarray(grid).astype(str))
            return np.asarray((np.char.find(text, "kg") >= 0) | (np.char.find(text, "mg") >= 0))
    return None


def _named_abundances(table: Table) -> dict[str, NDArray[np.float64]]:
    iron = _scalar(table("FE_H"))
    out = {}
    for element in ELEMENTS:
        values = _scalar(table(f"{element.upper()}_H"))
        over_iron = _scalar(table(f"{element.upper()}_FE")) if iron is not None else None
        if values is not None:
            out[element] = values
        elif over_iron is not None and iron is not None:
            out[element] = over_iron + iron
    return out


def _array(
    values: NDArray[Any],
    name: str,
    symbols: Sequence[str],
    notes: list[str] | None,
    metallicity: NDArray[np.float64] | None,
) -> dict[str, NDArray[np.float64]]:
    """Return the abundances of an array; with a metallicity some entries are [X/M]."""
    if values.ndim != 2:
        return {}
    n = values.shape[1]
    order = tuple(symbols) if len(symbols) == n else ELEMENT_ORDERS.get(n, ())
    if not order:
        if notes is not None:
            notes.append(
                f"{name} has {n} elements and the file does not say which; its abundances are "
                f"ignored. Known are {', '.join(map(str, ELEMENT_ORDERS))}."
            )
        return {}
    place = {symbol.strip().lower(): i for i, symbol in enumerate(order)}
    out = {}
    for element in ELEMENTS:
        i = place.get(element.lower())
        if i is None:
            continue
        column = known(values[:, i])
        if metallicity is not None and element in RELATIVE_TO_M:
            column = column + metallicity
        out[element] = column
    return out
