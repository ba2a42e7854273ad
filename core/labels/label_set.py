"""Sets of stellar labels: arrays of label values have one column for each.

A label is one number that describes a star to the simulator. The 25 labels of
O'Briain et al. (2020, section 3.1), inherited from Ting et al. (2019), are
:data:`APOGEE_LABELS`. Values are always physical: kelvin, log10(cm s^-2), km/s,
[X/H] in dex on the scale of the grid, and the number ratio 12C/13C.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import LabelError
from ..files.typed_json import value_of
from .label import ELEMENT_NAMES, ELEMENTS, Label, canonical


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of labels; arrays of values have one column per label.

    Parameters
    ----------
    labels : tuple of Label
        The labels, in the order of the columns.

    Raises
    ------
    LabelError
        If there is no label or a name occurs twice.

    Examples
    --------
    >>> labels = APOGEE_LABELS
    >>> len(labels), labels.names[:4], "[Mg/H]" in labels
    (25, ('teff', 'logg', 'vturb', 'C'), True)
    >>> labels["teff"].low, labels["teff"].high, labels["teff"].unit
    (3800, 5500, 'K')
    """

    labels: tuple[Label, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        if not names:
            raise LabelError("A label set needs at least one label; none was given.")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise LabelError(f"Label names must differ; found twice: {', '.join(twice)}.")
        object.__setattr__(self, "_index", {name: i for i, name in enumerate(names)})

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical(name) in self._index

    def __getitem__(self, name: str) -> Label:
        return self.labels[self.index(name)]

    @property
    def names(self) -> tuple[str, ...]:
        """Short names, in the order of the columns."""
        return tuple(label.name for label in self.labels)

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the abundances among the labels, in the order of the columns."""
        return tuple(label.element for label in self.labels if label.element)

    @property
    def low(self) -> NDArray[np.float64]:
        """Lower ends of the trained range, shape ``(n_labels,)``."""
        return np.array([label.low for label in self.labels])

    @property
    def high(self) -> NDArray[np.float64]:
        """Upper ends of the trained range, shape ``(n_labels,)``."""
        return np.array([label.high for label in self.labels])

    def index(self, name: str) -> int:
        """Return the column of a label; any known spelling of the name will do.

        Raises
        ------
        LabelError
            If the set has no such label.

        Examples
        --------
        >>> APOGEE_LABELS.index("[Fe/H]")
        18
        """
        try:
            return self._index[canonical(name)]
        except KeyError:
            raise LabelError(
                f"There is no label {name!r}; the labels are {', '.join(self.names)}."
            ) from None

    def columns(self, names: Iterable[str]) -> list[int]:
        """Return the columns of several labels, in the order of `names`."""
        return [self.index(name) for name in names]

    def element_columns(self) -> list[int]:
        """Return the columns of the abundances."""
        return [i for i, label in enumerate(self.labels) if label.element]

    def array(self, values: Mapping[str, float] | ArrayLike) -> NDArray[np.float64]:
        """Turn a mapping or an array into label values, shape ``(..., n_labels)``.

        Parameters
        ----------
        values : mapping or array_like
            Either one value per label name (all must be there), or an array whose
            last axis has one entry per label. It is copied, never changed.

        Raises
        ------
        LabelError
            If names are missing or unknown, the last axis has another length, or a
            value is not finite.

        Examples
        --------
        >>> from spectrabridge.core.labels.draws import ordinary_giant
        >>> APOGEE_LABELS.array(ordinary_giant())[:3].tolist()
        [4750.0, 2.5, 1.67]
        """
        if isinstance(values, Mapping):
            given = {self.index(name): float(value) for name, value in values.items()}
            missing = [n for i, n in enumerate(self.names) if i not in given]
            if missing:
                raise LabelError(
                    f"Expected a value for each of the {len(self)} labels; "
                    f"missing: {', '.join(missing)}."
                )
            out = np.array([given[i] for i in range(len(self))])
        else:
            out = np.array(values, dtype=np.float64)
            if out.ndim == 0 or out.shape[-1] != len(self):
                raise LabelError(
                    f"Expected {len(self)} label values along the last axis "
                    f"({', '.join(self.names)}); found an array of shape {out.shape}."
                )
        bad = ~np.isfinite(out).reshape(-1, len(self)).all(axis=0)
        if bad.any():
            names = [n for n, b in zip(self.names, bad, strict=True) if b]
            raise LabelError(f"Label values must be finite; not finite: {', '.join(names)}.")
        return out

    def mapping(self, values: ArrayLike) -> dict[str, float]:
        """Return one star's values by label name; the inverse of :meth:`array`.

        Examples
        --------
        >>> from spectrabridge.core.labels.draws import ordinary_giant
        >>> values = APOGEE_LABELS.array(ordinary_giant())
        >>> APOGEE_LABELS.mapping(values)["teff"]
        4750.0
        """
        row = self.array(values)
        if row.ndim != 1:
            raise LabelError(f"Expected the labels of one star; found shape {row.shape}.")
        return {name: float(value) for name, value in zip(self.names, row, strict=True)}

    def outside(self, values: ArrayLike, tolerance: float = 1e-9) -> NDArray[np.bool_]:
        """Tell which values lie outside the trained range.

        Parameters
        ----------
        values : array_like, shape ``(..., n_labels)``
            Label values.
        tolerance : float
            Slack as a fraction of each label's range.

        Returns
        -------
        ndarray of bool, shape ``(..., n_labels)``
            True where the model extrapolates.
        """
        array = self.array(values)
        slack = tolerance * (self.high - self.low)
        return (array < self.low - slack) | (array > self.high + slack)

    def describe_outside(self, values: ArrayLike) -> str:
        """Say in words which labels of one star lie outside their ranges; empty if none does.

        An emulator may extrapolate all the same, because it reads abundances as [X/Fe]:
        :meth:`~spectrabridge.core.bundle.model.Model.extrapolations` tells.

        Examples
        --------
        >>> from spectrabridge.core.labels.draws import ordinary_giant
        >>> hot = APOGEE_LABELS.array(ordinary_giant() | {"teff": 6000.0})
        >>> APOGEE_LABELS.describe_outside(hot)
        'T_eff 6000 (trained 3800 to 5500)'
        """
        row = self.array(values)
        parts = [
            f"{label.title} {value:g} (trained {label.low:g} to {label.high:g})"
            for label, value, out in zip(self.labels, row, self.outside(row), strict=True)
            if out
        ]
        return ", ".join(parts)

    def with_ranges(self, low: Sequence[float], high: Sequence[float]) -> LabelSet:
        """Return the same labels with the ranges of another training grid.

        Raises
        ------
        LabelError
            If a lower end is above its upper end.
        """
        pairs = list(zip(self.labels, low, high, strict=True))
        for label, lo, hi in pairs:
            if not lo <= hi:
                raise LabelError(
                    f"The range of {label.name} must not be empty; found {lo:g} to {hi:g}."
                )
        return LabelSet(tuple(replace(k, low=float(a), high=float(b)) for k, a, b in pairs))

    def reordering(self, names: Sequence[str]) -> list[int]:
        """Return where each label of this set stands in `names`.

        ``table[:, labels.reordering(table_names)]`` has the columns of this set.

        Raises
        ------
        LabelError
            If a label is not among `names`.

        Examples
        --------
        >>> names = ["Fe", "teff", "logg"]
        >>> two = LabelSet((APOGEE_LABELS["teff"], APOGEE_LABELS["Fe"]))
        >>> two.reordering(names)
        [1, 0]
        """
        found = {canonical(str(name)): i for i, name in enumerate(names)}
        missing = [name for name in self.names if name not in found]
        if missing:
            raise LabelError(
                f"Expected label columns {', '.join(self.names)}; missing: "
                f"{', '.join(missing)}. Rename the columns of the table to these names."
            )
        return [found[name] for name in self.names]

    def to_json(self) -> list[dict[str, Any]]:
        """Return a list that JSON can hold; :meth:`from_json` reads it."""
        return [asdict(label) for label in self.labels]

    @classmethod
    def from_json(cls, items: Iterable[Mapping[str, Any]]) -> LabelSet:
        """Rebuild a label set written by :meth:`to_json`.

        Raises
        ------
        LabelError
            If something is missing, of another type or not finite; says where.
        """
        try:
            # Only a look: whole numbers stay as they are, and with them what is hashed of them.
            value_of(tuple[Label, ...], items, "labels")
        except ValueError as problem:
            raise LabelError(f"The label set cannot be read: {problem}.") from problem
        return cls(tuple(Label(**item) for item in items))


def _group(element: str) -> str:
    if element in ("O", "Mg", "Si", "S", "Ca", "Ti"):
        return "alpha"
    if element in ("V", "Cr", "Mn", "Fe", "Co", "Ni"):
        return "iron-peak"
    if element in ("C", "N"):
        return "light"
    return "other"


def _abundance(element: str) -> Label:
    low, high = (-1.5, 0.5) if element == "Fe" else (-1.8, 0.8)
    return Label(
        name=element,
        unit="dex",
        low=low,
        high=high,
        description=f"{ELEMENT_NAMES[element]} abundance relative to hydrogen and the Sun",
        tex=rf"[\mathrm{{{element}}}/\mathrm{{H}}]",
        group=_group(element),
        step=0.05,
        element=element,
    )


APOGEE_LABELS = LabelSet(
    (
        Label("teff", "K", 3800, 5500, "effective temperature", r"T_\mathrm{eff}", "stellar", 25),
        Label("logg", "log10(cm s-2)", 0.5, 4.0, "surface gravity", r"\log g", "stellar", 0.05),
        Label("vturb", "km s-1", 0.5, 3.0, "microturbulence", r"v_\mathrm{turb}", "stellar", 0.1),
        *(_abundance(element) for element in ELEMENTS),
        Label(
            "c12c13",
            "",
            5,
            90,
            "number ratio of carbon isotopes",
            r"^{12}\mathrm{C}/^{13}\mathrm{C}",
            "light",
            1,
        ),
        Label(
            "vmacro",
            "km s-1",
            2,
            8,
            "macroturbulent broadening, v in exp(-(dv/v)^2)",
            r"v_\mathrm{macro}",
            "stellar",
            0.25,
        ),
    )
)
"""The 25 labels of the paper (section 3.1), with the ranges of the first grid."""
