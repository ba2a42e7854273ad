"""The open stars on pages that have other controls on the left: what is dropped, and the list."""

from __future__ import annotations

import panel as pn

from ..session.component import Component
from ..session.open_stars import OnProblem, OpenStars
from ..session.star_fitting import StarFitting
from ..state.view_state import ViewState
from .star_list import StarList, star_drop

SEEN_ROWS = 2
"""Rows that are seen at a time: other controls need the room."""


class StarsBeside(Component, pn.viewable.Viewer):
    """A place to drop files onto, and the list of open stars.

    Parameters
    ----------
    state : ViewState
        Holds the choice: `star` and `row`.
    stars : OpenStars
        What is open.
    fitting : StarFitting
        Fits of these stars.
    on_problem : callable
        Told about files that cannot be used.
    """

    def __init__(
        self, state: ViewState, stars: OpenStars, fitting: StarFitting, on_problem: OnProblem
    ) -> None:
        super().__init__()
        self.drop = star_drop(stars, on_problem)
        self.list = self.own(StarList(state, stars, fitting, SEEN_ROWS))
        # Made once: whether it is seen is up to the page.
        self.view = pn.Column(
            self.drop, self.list, visible=False, sizing_mode="stretch_width", margin=(6, 0, 0, 0)
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return self.view
