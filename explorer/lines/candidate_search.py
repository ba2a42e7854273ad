"""Candidates of a bundle: those attached to it, or found anew in the background."""

from __future__ import annotations

import html
from collections.abc import Callable

import panel as pn

from ...core.bundle import Bundle
from ...core.lines import Candidates
from ...core.lines.attached import find
from ..session.background import Job
from ..session.component import Component
from ..session.messages import sentence_of
from ..widgets.buttons import plain_button


class CandidateSearch(Component, pn.viewable.Viewer):
    """Says that a bundle has no candidates yet, and finds them when asked.

    Parameters
    ----------
    bundle : Bundle
        Whose candidates.
    on_found : callable
        Called with them.
    """

    def __init__(self, bundle: Bundle, on_found: Callable[[Candidates], None]) -> None:
        super().__init__()
        self.bundle = bundle
        self._on_found = on_found
        self._finding: Job[Bundle, Candidates] = self.job(
            lambda bundle: find(bundle, self._progress),
            lambda bundle, found: self._publish(found),
            "lines",
            self.fail,
        )
        self.words = pn.pane.HTML(
            f"<b>{html.escape(bundle.name)} has no table of candidate features yet.</b><br>"
            "They are found by comparing adapted with emulated spectra of many stars, which takes "
            "about a minute. The other pages can be used meanwhile.",
            margin=0,
            styles={"font-size": "13.5px", "line-height": "20px", "max-width": "640px"},
        )
        self.button = plain_button("Find candidates", self.run)
        self.box = pn.Column(self.words, self.button, margin=(40, 60), styles={"gap": "14px"})

    def run(self) -> None:
        """Find the candidates, in the background where there is one."""
        self.button.disabled = True
        self._tell(0, 0)
        self._finding.submit(self.bundle)

    def _progress(self, done: int, total: int) -> None:
        self.run_locked(lambda: self._tell(done, total))

    def _tell(self, done: int, total: int) -> None:
        far = f": {done} of {total} stars looked at" if done else ""
        self.words.object = html.escape(
            f"Looking for features{far}. The other pages can be used meanwhile."
        )

    def _publish(self, found: Candidates) -> None:
        self.button.disabled = False
        self._on_found(found)

    def fail(self, problem: Exception) -> None:
        """Say why there are no candidates."""
        self.button.disabled = False
        self.words.object = f"There are no candidates: {html.escape(sentence_of(problem))}"

    def __panel__(self) -> pn.viewable.Viewable:
        return self.box
