"""Candidates of a bundle: those attached to it, or found anew in the background."""

from __future__ import annotations

import html
from collections.abc import Callable

import panel as pn

from ...core.bundle import Bundle
from ...core.lines import Candidates
from ...core.lines.attached import find
from ..session.background import LatestWins
from ..session.document_lock import Execute
from ..session.messages import sentence_of
from ..widgets.buttons import plain_button


class LineSearch(pn.viewable.Viewer):
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
        self._worker: LatestWins[Bundle, Candidates] | None = None
        name = html.escape(bundle.name)
        self.words = pn.pane.HTML(
            f"<b>{name} has no table of candidate features yet.</b><br>They are found by comparing "
            "adapted with emulated spectra of many stars, which takes about a minute. The other "
            "pages can be used meanwhile.",
            margin=0,
            styles={"font-size": "13.5px", "line-height": "20px", "max-width": "640px"},
        )
        self.button = plain_button("Find candidates", self.run)
        self.box = pn.Column(self.words, self.button, margin=(40, 60), styles={"gap": "14px"})

    def start(self, execute: Execute) -> None:
        """Work in the background, publishing through `execute`."""

        def progress(done: int, total: int) -> None:
            execute(lambda: self._tell(done, total))

        self._worker = LatestWins(
            lambda bundle: find(bundle, progress),
            lambda bundle, found: self._publish(found),
            execute,
            self.fail,
            "candidates",
        )

    def close(self) -> None:
        """Stop; what is being computed is not shown."""
        if self._worker is not None:
            self._worker.close()

    def run(self) -> None:
        """Find the candidates, in the background where there is one."""
        self.button.disabled = True
        self._tell(0, 0)
        if self._worker is not None:
            self._worker.submit(self.bundle)
            return
        try:
            self._publish(find(self.bundle))
        except Exception as problem:
            self.fail(problem)

    def _tell(self, done: int, total: int) -> None:
        far = f": {done} of {total} stars looked at" if done else ""
        self.words.object = f"Looking for features{far}. The other pages can be used meanwhile."

    def _publish(self, found: Candidates) -> None:
        self.button.disabled = False
        self._on_found(found)

    def fail(self, problem: Exception) -> None:
        """Say why there are no candidates."""
        self.button.disabled = False
        self.words.object = f"There are no candidates: {html.escape(sentence_of(problem))}"

    def __panel__(self) -> pn.viewable.Viewable:
        return self.box
