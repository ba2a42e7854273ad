"""Sliders of what the instrument adds to a spectrum: the split latents."""

from __future__ import annotations

from typing import Any

import panel as pn

from ..computed.split_directions import SLIDER_DEVIATIONS, SplitLatents
from ..session.component import Component
from ..state.view_state import ViewState
from ..widgets.buttons import plain_button
from .label_sliders import LabelSlider, LabelSliders

MAX_DEVIATIONS = 10.0
"""Largest number of standard deviations that can be typed."""

ABOUT = (
    "What observed spectra have and the simulator lacks, such as instrument and sky. "
    "In standard deviations of the observed stars; 0 is typical."
)
"""What the sliders do, in words."""


class InstrumentPanel(Component, pn.viewable.Viewer):
    """One slider per direction in which the split latents of observed stars vary.

    Parameters
    ----------
    instrument : SplitLatents
        Tells how many directions there are.
    state : ViewState
        Its split is set and watched.
    """

    def __init__(self, instrument: SplitLatents, state: ViewState) -> None:
        super().__init__()
        self.state = state
        self.names = [f"split_{i + 1}" for i in range(instrument.n_directions)]
        self.rows = LabelSliders(
            [
                LabelSlider(
                    name=name,
                    title=name,
                    description=f"direction {i + 1} of the split latents",
                    unit="\u03c3",
                    low=-SLIDER_DEVIATIONS,
                    high=SLIDER_DEVIATIONS,
                    hard_low=-MAX_DEVIATIONS,
                    hard_high=MAX_DEVIATIONS,
                    step=0.1,
                    decimals=2,
                    reference=0.0,
                )
                for i, name in enumerate(self.names)
            ],
            [0.0] * len(self.names),
            self._moved,
        )
        self.reset = plain_button("Typical", self._reset, "back to the mean of observed stars")
        self.watch(state, self._sync, "split")
        self._sync()

    def _moved(self, name: str, value: float) -> None:
        self.state.split = [self.rows.value(n) for n in self.names]

    def _reset(self) -> None:
        self.state.split = []

    def _sync(self, *_: Any) -> None:
        values = [*self.state.split, *([0.0] * len(self.names))]
        self.rows.tell(dict(zip(self.names, values, strict=False)))

    def __panel__(self) -> pn.viewable.Viewable:
        return pn.Column(
            pn.pane.HTML(
                ABOUT,
                margin=(2, 0, 4, 0),
                sizing_mode="stretch_width",
                styles={"font-size": "12px", "line-height": "15px", "opacity": "0.75"},
            ),
            self.rows,
            self.reset,
            sizing_mode="stretch_width",
            margin=(4, 0, 0, 0),
        )
