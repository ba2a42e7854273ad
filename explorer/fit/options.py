"""How stars are fitted: choices of the Fit page."""

from __future__ import annotations

import panel as pn

from ...core.fitting.settings import FitSettings
from ...core.labels import LabelSet
from ..session.fit_queue import BATCH_STARS
from ..session.fitted_star import KINDS, FitPlan
from ..widgets.buttons import plain_button
from ..widgets.choice import Choice
from .held_labels import HeldLabels

_OPTIONS: dict[str, tuple[str, list[list[str]], str]] = {
    "spectra": (
        "spectra",
        [["both", "raw and adapted"], ["adapted", "adapted only"], ["emulated", "raw only"]],
        "both",
    ),
    "prior": (
        "prior",
        [["population", "stars of the training set, gently"], ["none", "none"]],
        "population",
    ),
    "floor": (
        "error floor",
        [
            ["0", "none"],
            ["0.002", "0.2 % of the continuum"],
            ["0.005", "0.5 % of the continuum"],
            ["0.01", "1 % of the continuum"],
            ["0.02", "2 % of the continuum"],
        ],
        "0.005",
    ),
    "split": (
        "split latents",
        [["typical", "typical"], ["encoded", "read off the spectrum"], ["fitted", "fitted"]],
        "typical",
    ),
    "starts": (
        "starts",
        [
            ["1", "1, read off the spectrum"],
            ["3", "3, the best counts"],
            ["5", "5, the best counts"],
        ],
        "1",
    ),
}


class FitOptions(pn.viewable.Viewer):
    """Choices that make a :class:`FitPlan`, folded away until they are asked for.

    Parameters
    ----------
    labels : LabelSet
        Labels that are fitted, or can be held.
    """

    def __init__(self, labels: LabelSet) -> None:
        super().__init__()
        self.choices = {
            name: Choice(
                label=label,
                options=options,
                value=value,
                margin=0,
                height=27,
                sizing_mode="stretch_width",
                stylesheets=[_WIDER],
            )
            for name, (label, options, value) in _OPTIONS.items()
        }
        self.held = HeldLabels(labels, margin=0, sizing_mode="stretch_width")
        self.open = plain_button("Options", self._fold)
        self.panel = pn.Column(
            *self.choices.values(),
            self.held,
            pn.pane.HTML(
                "For the files that come next. <i>Fit again</i> takes them for all stars.",
                margin=(3, 0, 0, 0),
                styles={"font-size": "11.5px", "line-height": "14px"},
            ),
            visible=False,
            margin=(6, 0, 0, 0),
            sizing_mode="stretch_width",
        )

    def _fold(self) -> None:
        self.panel.visible = not self.panel.visible
        self.open.variant = "contained" if self.panel.visible else "outlined"

    @property
    def plan(self) -> FitPlan:
        """The plan that the options describe."""
        chosen = {name: choice.value for name, choice in self.choices.items()}
        settings = FitSettings(
            prior=chosen["prior"],  # type: ignore[arg-type]
            floor=float(chosen["floor"]),
            split=chosen["split"],  # type: ignore[arg-type]
            starts=int(chosen["starts"]),
            fixed=self.held.values,
            chunk=BATCH_STARS,
        )
        kinds = tuple(k for k in KINDS if chosen["spectra"] in ("both", k))
        return FitPlan(kinds, settings)

    def __panel__(self) -> pn.viewable.Viewable:
        return self.panel


_WIDER = ".pair { grid-template-columns: 82px minmax(0, 1fr); }"
