"""What a view shows: one Param object that all components share and watch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import param
from numpy.typing import ArrayLike, NDArray

from ...core.emulator import Extrapolation
from ...core.labels import LabelSet
from .label_history import LabelHistory
from .label_text import ABUNDANCE_BOUNDS, bounds, decimals
from .zoom_history import ZoomHistory

FIRST_PAGE = "spectrum"
"""Key of the page that is open at the start."""

MAX_NAMED_EXTRAPOLATIONS = 2
"""Extrapolating labels that are named; of the others only the number is told."""

ALL = "all"
"""All chips, or all elements."""

MAPPED = "star of the map"
"""What stands for the file of an observed star that was chosen on the Map page."""


class ViewState(param.Parameterized):
    """Labels, selection and display options of one view.

    Components read and set parameters here and watch them; none talks to another.

    Parameters
    ----------
    label_set : LabelSet
        The labels of the model.
    reference : array_like, shape ``(n_labels,)``
        Values to start from and to return to; rounded as they are shown.
    extrapolations : callable, optional
        Tells what of a star's labels lies outside the trained range, as
        :meth:`~spectrabridge.core.bundle.protocols.SpectralModel.extrapolations`; the ranges
        of the labels themselves if not given.
    **params
        Start values of the parameters.
    """

    labels = param.Dict(default={}, doc="Label values in physical units, by short name.")
    settled = param.Integer(
        default=0, doc="Counts moves that have ended: a slider released, a value typed, a preset."
    )
    with_fe = param.Boolean(
        default=True, doc="Moving [Fe/H] moves every other [X/H] along, so that [X/Fe] stays."
    )
    undoable = param.String(default="", doc="What the last jump of all labels led to, or empty.")
    bundle = param.String(default="", doc="Name of the bundle.")
    page = param.String(default=FIRST_PAGE, doc="Key of the page that is open.")
    unit: str = param.Selector(default="angstrom", objects=["angstrom", "nm", "um"])  # type: ignore[assignment]
    medium: str = param.Selector(default="vacuum", objects=["vacuum", "air"])  # type: ignore[assignment]
    chip = param.String(default=ALL, doc="Chip on show, or 'all'.")
    element = param.String(default=ALL, doc="Element of the derivative panel, or 'all'.")
    star = param.String(default="", doc="Key of the observed star laid over, empty for none.")
    row = param.Integer(default=0, bounds=(0, None), doc="Row of that star: combination, visits.")
    window = param.Tuple(
        default=None,
        length=2,
        allow_None=True,
        doc="Wavelengths (low, high) to zoom to, vacuum angstrom; None for the whole chip.",
    )
    feature = param.String(default="", doc="Id of the candidate feature chosen, or empty.")
    vetter = param.String(default="", doc="Who decides about candidate features.")
    fitted = param.String(default="", doc="Key of the star chosen on the Fit page, or empty.")
    mapped = param.String(default="", doc="Id of the star chosen on the Map page, or empty.")
    split = param.List(
        default=[],
        item_type=float,
        doc="What the instrument adds, in standard deviations per direction; empty for typical.",
    )
    dark = param.Boolean(default=False, doc="Dark theme.")
    all_on_show = param.Boolean(
        default=False, doc="Components stand in cells of a notebook: all are seen, of any page."
    )

    def __init__(
        self,
        label_set: LabelSet,
        reference: ArrayLike,
        extrapolations: Callable[[NDArray[np.float64]], list[Extrapolation]] | None = None,
        **params: Any,
    ) -> None:
        self.label_set = label_set
        self._extrapolations = extrapolations or self._beyond_labels
        self.reference = np.array(
            [
                round(value, decimals(label))
                for label, value in zip(label_set, label_set.array(reference), strict=True)
            ]
        )
        params.setdefault("labels", label_set.mapping(self.reference))
        super().__init__(**params)
        self.zooms = ZoomHistory(self)
        self._jumps = LabelHistory()

    def shows(self, page: str) -> bool:
        """Tell whether what stands on a page is seen, so that it is worth computing."""
        return self.all_on_show or self.page == page

    @property
    def values(self) -> NDArray[np.float64]:
        """The label values as an array, shape ``(n_labels,)``."""
        return self.label_set.array(self.labels)

    def move(self, name: str, value: float, settled: bool = True) -> None:
        """Give one label a value.

        With `with_fe`, moving iron moves the other abundances by the same amount.

        Parameters
        ----------
        name : str
            Short name of the label.
        value : float
            New value; outside the limits of :func:`bounds` it is refused.
        settled : bool
            False while a slider is being dragged.

        Raises
        ------
        ValueError
            If the value is not finite or outside the limits.
        """
        low, high = bounds(self.label_set, name)
        if not np.isfinite(value) or not low <= value <= high:
            title = self.label_set[name].title
            raise ValueError(f"{title} must be between {low:g} and {high:g}; found {value:g}.")
        labels = dict(self.labels)
        if name == "Fe" and self.with_fe:
            shift = value - labels["Fe"]
            for element in self.label_set.elements:
                labels[element] = float(np.clip(labels[element] + shift, *ABUNDANCE_BOUNDS))
        labels[name] = float(value)
        self.show(labels, settled)

    def show(self, labels: Mapping[str, float] | ArrayLike, settled: bool = True) -> None:
        """Set all labels at once.

        Raises
        ------
        LabelError
            If labels are missing, unknown or not finite.
        """
        values = self.label_set.mapping(self.label_set.array(labels))
        with param.parameterized.batch_call_watchers(self):
            self.labels = values
            if settled:
                self.settled += 1

    def reset(self) -> None:
        """Return to the reference labels."""
        self.jump(self.reference, "Reset")

    def jump(self, labels: Mapping[str, float] | ArrayLike, what: str) -> None:
        """Set all labels at once; :meth:`undo` brings the earlier ones back.

        Parameters
        ----------
        labels : mapping or array_like
            The labels.
        what : str
            What they are, in words, for whoever wants them undone.

        Raises
        ------
        LabelError
            If labels are missing, unknown or not finite.
        """
        before = dict(self.labels)
        self.show(labels)
        if self.labels != before:
            self._jumps.record(what, before)
            self.undoable = what

    def undo(self) -> None:
        """Show the labels before the last jump again; nothing if there was none."""
        before = self._jumps.back()
        self.undoable = self._jumps.last
        if before is not None:
            self.show(before)

    def _beyond_labels(self, values: NDArray[np.float64]) -> list[Extrapolation]:
        return [
            Extrapolation(k.name, k.title, float(v), k.low, k.high)
            for k, v, out in zip(
                self.label_set, values, self.label_set.outside(values), strict=True
            )
            if out
        ]

    @property
    def extrapolations(self) -> list[Extrapolation]:
        """Labels and combinations outside the trained range; empty inside."""
        # Several components ask for every move.
        labels, found = self._beyond
        if labels is not self.labels:
            labels, found = self._beyond = self.labels, self._extrapolations(self.values)
        return list(found)

    _beyond: tuple[dict[str, float] | None, list[Extrapolation]] = (None, [])

    @property
    def outside(self) -> str:
        """The extrapolations in words, the worst first; empty if there are none."""
        found = sorted(self.extrapolations, key=_excess, reverse=True)
        shown = ", ".join(str(e) for e in found[:MAX_NAMED_EXTRAPOLATIONS])
        more = len(found) - MAX_NAMED_EXTRAPOLATIONS
        return shown if more <= 0 else f"{shown} and {more} more"


def _excess(e: Extrapolation) -> float:
    """Return how far outside a value lies, in units of its range."""
    return max(e.low - e.value, e.value - e.high) / max(e.high - e.low, 1e-12)
