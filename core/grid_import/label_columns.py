"""From the labels of another code to those of this program."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import LabelError
from ..labels import APOGEE_LABELS, LabelSet, canonical

ALPHA_ELEMENTS = ("O", "Mg", "Si", "S", "Ca", "Ti")

METALLICITIES = ("metals", "m_h", "mh", "[m/h]", "metallicity", "feh", "fe_h", "[fe/h]", "z")
ALPHAS = ("alpha", "alpha_m", "alpha_fe", "[alpha/m]", "[alpha/fe]", "alphafe", "o_mg_si_s_ca_ti")
ALPHAS_OTHER = ("o mg si s ca ti", "am", "afe")
LOGARITHMS = {"log10vdop": "vturb", "log10vmicro": "vturb", "lgvsini": "vsini"}

UNIT_FACTORS = {
    ("vturb", "cm/s"): 1e-5,
    ("vturb", "m/s"): 1e-3,
    ("vmacro", "m/s"): 1e-3,
    ("vmacro", "cm/s"): 1e-5,
    ("teff", "kk"): 1e3,
}
"""What labels in other units are multiplied by."""

_EXPECTED = {"teff": ("k", "kelvin", ""), "vturb": ("km/s", "kms-1", ""), "vmacro": ("km/s", "")}


def _require_complete(
    out: NDArray[np.float64], labels: LabelSet, found: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.bool_]:
    """Return which labels are known; raise LabelError if one that is needed is missing or wrong."""
    missing = [k for k in ("teff", "logg", "Fe") if np.isnan(out[:, labels.index(k)]).all()]
    if missing:
        raise LabelError(
            f"The grid has no {', '.join(missing)}; it has {', '.join(found) or 'no labels'}. Say "
            "which name they have (--label teff=NAME), or what they are for every spectrum "
            "(--set Fe=0)."
        )
    known = ~np.isnan(out).all(axis=0)
    bad = np.flatnonzero(~np.isfinite(out[:, known]).all(axis=1))
    if bad.size:
        raise LabelError(
            f"Labels of {bad.size} of {len(out)} spectra are not finite (counted from 0: "
            f"{', '.join(map(str, bad[:10]))})."
        )
    teff = out[:, labels.index("teff")]
    if not 1000 < np.median(teff) < 100_000:
        raise LabelError(
            f"Effective temperatures have a median of {np.median(teff):g}; expected kelvin."
        )
    return np.asarray(known)


def _set_constants(
    out: NDArray[np.float64], labels: LabelSet, constants: Mapping[str, float]
) -> list[str]:
    """Set labels that are the same for every spectrum; return a sentence on each."""
    notes = []
    for label, value in constants.items():
        column = out[:, labels.index(label)]
        if np.isfinite(column).any():
            raise LabelError(f"The grid varies {label} already; a constant cannot be set for it.")
        column[:] = value
        notes.append(f"{label} is {value:g} for every spectrum.")
    return notes


def to_labels(
    found: Mapping[str, NDArray[np.float64]],
    units: Mapping[str, str],
    columns: Mapping[str, str],
    constants: Mapping[str, float],
    labels: LabelSet = APOGEE_LABELS,
) -> tuple[NDArray[np.float64], LabelSet, list[str]]:
    """Return the labels that a grid varies, and what was assumed.

    Parameters
    ----------
    found : mapping
        Values by the name in the file.
    units : mapping
        Units by that name, where known.
    columns : mapping
        Label to the name in the file, where spelling does not tell.
    constants : mapping
        Values of labels that the grid does not vary.
    labels : LabelSet
        The labels that are known.

    Returns
    -------
    values : ndarray, shape ``(n_spectra, n_varied)``
        Of the labels that differ between spectra, abundances also relative to iron: of
        others nothing can be learnt.
    varied : LabelSet
        These labels, in the order of `labels`, with the ranges of the grid.
    notes : list of str
        A sentence per assumption: metallicity taken for [Fe/H], labels left out.

    Raises
    ------
    LabelError
        If Teff, log g or [Fe/H] are missing, a label is not finite or in a unit that is
        not known, or nothing varies.
    """
    out = np.full((len(next(iter(found.values()), ())), len(labels)), np.nan)
    notes: list[str] = []
    used: set[str] = set()

    def take(label: str, name: str, values: NDArray[np.float64]) -> None:
        factor = _factor(label, name, units.get(name, ""))
        out[:, labels.index(label)] = values * factor
        used.add(name)
        if factor != 1:
            notes.append(f"{name} was converted from {units[name]} to {labels[label].unit}.")

    for label, name in columns.items():
        if name not in found:
            raise LabelError(
                f"The grid has no label {name!r} for {label}; it has {', '.join(found)}."
            )
        take(labels[label].name, name, found[name])
    for name, values in found.items():
        if name in used:
            continue
        label = canonical(name)
        of = LOGARITHMS.get(name.strip().lower(), "")
        if of in labels:
            take(of, name, 10.0**values)
            notes.append(f"{name} was read as a logarithm of {of}.")
        elif label in labels and np.isnan(out[:, labels.index(label)]).all():
            take(label, name, values)
    iron = out[:, labels.index("Fe")]
    for name, values in found.items():
        if name not in used and name.strip().lower() in METALLICITIES and np.isnan(iron).all():
            iron[:] = values
            used.add(name)
            notes.append(f"{name} is taken for [Fe/H].")
    _over_metallicity(found, used, out, labels, notes)
    notes += _set_constants(out, labels, constants)
    known = _require_complete(out, labels, found)
    if unused := [name for name in found if name not in used]:
        notes.append(f"Labels {', '.join(unused[:8])} of the grid are not used.")
    return _varied(out, known, labels, notes)


def _varied(
    out: NDArray[np.float64], known: NDArray[np.bool_], labels: LabelSet, notes: list[str]
) -> tuple[NDArray[np.float64], LabelSet, list[str]]:
    """Keep the labels that differ between spectra, and say what became of the others."""
    iron = out[:, labels.index("Fe")]
    silent, constant, follow, keep = [], [], [], []
    for k, label in enumerate(labels):
        over = out[:, k] - iron if label.element and label.element != "Fe" else out[:, k]
        if not known[k]:
            silent.append(label.name)
        elif np.ptp(out[:, k]) < 1e-6:
            constant.append(f"{label.name} ({out[0, k]:g})")
        elif np.ptp(over) < 1e-6:
            follow.append(label.name)
        else:
            keep.append(k)
    for names, what in (
        (silent, "The grid says nothing of"),
        (constant, "These are the same for every spectrum and so no labels of it:"),
        (follow, "These have one ratio to iron for every spectrum and so are no labels of it:"),
    ):
        if names:
            notes.append(f"{what} {', '.join(names)}.")
    if not keep:
        raise LabelError("No label differs between the spectra of this grid.")
    values = out[:, keep]
    together = [labels.labels[k].name for k in keep if _twin(values, keep.index(k))]
    if together:
        notes.append(
            f"{', '.join(together)} vary together: what one of them does alone cannot be learnt."
        )
    chosen = LabelSet(tuple(labels.labels[k] for k in keep))
    return (
        values,
        chosen.with_ranges(values.min(axis=0).tolist(), values.max(axis=0).tolist()),
        notes,
    )


def _twin(values: NDArray[np.float64], column: int) -> bool:
    """Tell whether another column has the same values."""
    same = np.abs(values - values[:, column : column + 1]).max(axis=0) < 1e-9
    return bool(same.sum() > 1)


def _factor(label: str, name: str, unit: str) -> float:
    plain = unit.strip().lower().replace(" ", "")
    if (label, plain) in UNIT_FACTORS:
        return UNIT_FACTORS[(label, plain)]
    if plain and label in _EXPECTED and plain not in _EXPECTED[label]:
        raise LabelError(f"{name} is in {unit!r}; expected {_EXPECTED[label][0]}.")
    return 1.0


def _over_metallicity(
    found: Mapping[str, NDArray[np.float64]],
    used: set[str],
    out: NDArray[np.float64],
    labels: LabelSet,
    notes: list[str],
) -> None:
    """Turn [alpha/M], [C/M] and the like into [X/H]."""
    iron = out[:, labels.index("Fe")]
    for name, values in found.items():
        lower = name.strip().lower()
        if name in used:
            continue
        over = re.fullmatch(r"\[?([a-z]{1,2})[/_](?:fe|m)\]?", lower)
        element = canonical(over.group(1)) if over else ""
        if element in labels and element in labels.elements:
            out[:, labels.index(element)] = iron + values
            used.add(name)
            notes.append(f"{name} was added to [Fe/H] to give [{element}/H].")
        elif lower in (*ALPHAS, *ALPHAS_OTHER):
            for alpha in ALPHA_ELEMENTS:
                if alpha in labels and np.isnan(out[:, labels.index(alpha)]).all():
                    out[:, labels.index(alpha)] = iron + values
            used.add(name)
            notes.append(f"{name} was added to [Fe/H] for {', '.join(ALPHA_ELEMENTS)}.")
