"""The labels of a star: presets, and one row per label, grouped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
from numpy.typing import NDArray

from ..session.component import Component
from ..state.label_text import bounds
from ..state.view_state import ViewState
from ..workarounds.immediate_changes import take_at_once
from ..workarounds.tab_titles import rename_tabs
from .label_sliders import LabelSlider, LabelSliders
from .preset_buttons import PresetButtons
from .presets import PRESETS, Preset

GROUPS = ("alpha", "iron-peak", "light", "other")
"""Groups on tabs, in this order; stellar labels and [Fe/H] are always on show."""


STELLAR = "stellar"
"""Group of the labels that are always on show."""

INSTRUMENT = "split"
"""Title of the tab of what the instrument adds."""


class LabelsPanel(Component, pn.viewable.Viewer):
    """Sliders and boxes of all labels, and the presets.

    Parameters
    ----------
    state : ViewState
        Where the labels live.
    on_message : callable, optional
        ``on_message(sentence)`` when something typed cannot be taken.
    instrument : viewable, optional
        What stands on a tab of its own, beside those of the labels.
    ranges : callable, optional
        Tells the trained range of every label of a star, ``(n_labels, 2)``.
    """

    def __init__(
        self,
        state: ViewState,
        on_message: Callable[[str], None] | None = None,
        instrument: pn.viewable.Viewable | pn.viewable.Viewer | None = None,
        ranges: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    ) -> None:
        super().__init__()
        self.state = state
        self._on_message = on_message
        self._ranges = ranges
        self._groups = self._grouped()
        self.rows: dict[str, LabelSliders] = {}
        """By group; those that are always on show under :data:`STELLAR`."""
        for group, names in {STELLAR: self._always, **self._groups}.items():
            self.rows[group] = self._rows(names)
        self.with_fe = pmui.Checkbox.from_param(
            state.param.with_fe,
            label="[X/H] follow [Fe/H]",
            description="",
            size="small",
            margin=0,
            sx=_CHECKBOX,
        )
        take_at_once(self.with_fe)
        self.tabs = pmui.Tabs(
            *((self._tab_title(group), self.rows[group]) for group in self._groups),
            *([] if instrument is None else [(INSTRUMENT, instrument)]),
            dynamic=True,
            margin=0,
            sizing_mode="stretch_width",
            sx={
                "& .MuiTabs-root": {"minHeight": "30px"},
                "& .MuiTab-root": {
                    "minHeight": "30px",
                    "minWidth": 0,
                    "flex": "1 1 auto",
                    "padding": "4px 2px",
                    "whiteSpace": "nowrap",
                    "textTransform": "none",
                    "fontSize": "12.5px",
                },
            },
        )
        self.presets = PresetButtons(
            PRESETS,
            self.choose,
            state.undo,
            undoable=state.undoable,
            margin=(0, 0, 6, 0),
            sizing_mode="stretch_width",
        )
        self.watch(state, self._show_undoable, "undoable")
        self.watch(state, self._sync, "labels")
        self.watch(state, self._show_ranges, "settled")
        self._show_ranges()

    def _show_undoable(self, *_: object) -> None:
        self.presets.undoable = self.state.undoable

    def _grouped(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {g: [] for g in GROUPS}
        self._always: list[str] = []
        for label in self.state.label_set:
            if label.group == "stellar" or label.name == "Fe":
                self._always.append(label.name)
            else:
                groups.setdefault(label.group, []).append(label.name)
        self._always.sort(key=lambda name: name == "Fe")
        return {g: names for g, names in groups.items() if names}

    def _rows(self, names: list[str]) -> LabelSliders:
        labels = {label.name: label for label in self.state.label_set}
        reference = dict(zip(self.state.label_set.names, self.state.reference, strict=True))
        rows = LabelSliders(
            [
                LabelSlider.of(labels[n], float(reference[n]), bounds(self.state.label_set, n))
                for n in names
            ],
            [self.state.labels[n] for n in names],
            self._moved,
            margin=(0 if names is self._always else 4, 0, 0, 0),
        )
        rows.param.watch(lambda event: self._settled(), "settled")
        rows.param.watch(self._refused, "refused")
        return rows

    def rows_of(self, name: str) -> LabelSliders:
        """Return the rows among which a label is."""
        for group, names in self._groups.items():
            if name in names:
                return self.rows[group]
        return self.rows[STELLAR]

    def _tab_title(self, group: str) -> str:
        return f"{group} \u25b2" if self.rows[group].any_outside else group

    def _moved(self, name: str, value: float) -> None:
        try:
            self.state.move(name, value, settled=False)
        except ValueError as problem:
            self._say(str(problem))
            self._sync()

    def _settled(self) -> None:
        self.state.settled += 1

    def _refused(self, event: param.parameterized.Event) -> None:
        if event.new:
            self._say(event.new)

    def _say(self, sentence: str) -> None:
        if self._on_message:
            self._on_message(sentence)

    def _sync(self, *_: object) -> None:
        """Bring the rows in line with the state."""
        beyond = self._beyond()
        with pn.io.hold():
            for rows in self.rows.values():
                rows.tell(self.state.labels, beyond)
        rename_tabs(self.tabs, [self._tab_title(g) for g in self._groups])

    def _show_ranges(self, *_: object) -> None:
        """Show what was trained below the sliders; while they move nothing is sent."""
        if self._ranges is None:
            return
        ends = dict(zip(self.state.label_set.names, self._ranges(self.state.values), strict=True))
        with pn.io.hold():
            for rows in self.rows.values():
                rows.show_ranges(ends)

    def _beyond(self) -> dict[str, str]:
        """Return what the model extrapolates by label; without values, so it seldom changes."""
        return {
            e.label: f"{e.title} trained {e.low:.3g} to {e.high:.3g}"
            for e in self.state.extrapolations
        }

    def choose(self, preset: Preset | None) -> None:
        """Show a preset star; None goes back to the labels that the model starts with."""
        if preset is None:
            self.state.reset()
        else:
            values = preset.values(self.state.label_set, self.state.reference)
            self.state.jump(values, preset.name)

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            self.presets,
            self.rows[STELLAR],
            self.with_fe,
            self.tabs,
            sizing_mode="stretch_width",
            margin=0,
        )


_CHECKBOX = {
    "padding": "2px 6px 2px 2px",
    "& + .MuiFormControlLabel-label, & + .MuiTypography-root": {"fontSize": "12.5px"},
}
