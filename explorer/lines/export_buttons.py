"""Buttons that save decisions as files, or send them to other programs."""

from __future__ import annotations

import html
import io
from functools import partial
from typing import Any

import panel as pn

from ...core.bundle import Bundle
from ...core.errors import LinesError
from ...core.lines import Candidates
from ...core.vetting import Vetting
from ...core.vetting.agreement import Comparison
from ...core.vetting.export import EXPORTS, export_vetting
from ...core.vetting.line_table import Settled
from ..session.background import Job
from ..session.component import Component
from ..session.messages import sentence_of
from ..widgets.buttons import download_button, plain_button
from .vetting_session import VettingSession


class VettingExports(Component, pn.viewable.Viewer):
    """Save decisions as tables, line lists or a report; send them by SAMP.

    Parameters
    ----------
    bundle : Bundle
        Whose candidates were vetted.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.bundle = bundle
        self.verdicts: VettingSession | None = None
        self._sending: Job[VettingSession, str] = self.job(
            lambda verdicts: send(verdicts.file, verdicts.candidates),
            lambda verdicts, words: self._say(words),
            "lines samp",
            self._failed,
        )
        self.downloads = [
            download_button(
                one.name,
                f"{bundle.name}-vetted{one.suffix}{'.zip' * (one.kind == 'line list')}",
                partial(self.content, kind),
                one.about,
            )
            for kind, one in EXPORTS.items()
        ]
        self.samp = plain_button(
            "Send by SAMP", self.send, "accepted features to TOPCAT, Aladin and others"
        )
        self.said = pn.pane.HTML("", margin=(4, 0, 0, 0), styles=_SMALL)
        self.box = pn.Column(
            pn.FlexBox(
                pn.pane.HTML("Save", margin=(4, 2, 0, 0), styles=_SMALL),
                *self.downloads,
                self.samp,
                gap="4px",
                sizing_mode="stretch_width",
                margin=0,
            ),
            self.said,
            sizing_mode="stretch_width",
            margin=0,
            styles={"margin-top": "auto"},
        )

    def use(self, verdicts: VettingSession) -> None:
        """Save these decisions from now on; there must be some."""
        self.verdicts = verdicts
        for button in (*self.downloads, self.samp):
            button.disabled = verdicts.file is None

    def content(self, kind: str) -> io.BytesIO:
        """Return the decisions of all vetters as a file; `kind` is one of :data:`.EXPORTS`.

        Line lists come as a zip file with a second file: what they leave out, and why.

        Raises
        ------
        LinesError
            If there are none.
        """
        file = self.verdicts.file if self.verdicts is not None else None
        if self.verdicts is None or file is None:
            raise LinesError("Nothing has been decided yet, so that there is nothing to save.")
        candidates = self.verdicts.candidates

        def report(settled: Settled, agreement: Comparison | None) -> str:
            from .report import line_report_html

            return line_report_html(self.bundle, candidates, settled, agreement)

        made = export_vetting(file, candidates, kind, which="all", report=report)
        one = EXPORTS[kind]
        if one.kind == "line list":
            return io.BytesIO(made.zipped(f"{candidates.bundle}{one.suffix}"))
        return io.BytesIO(made.content)

    def send(self) -> None:
        """Send the accepted features to all programs of a SAMP hub on the server's machine."""
        verdicts = self.verdicts
        if verdicts is None or verdicts.file is None:
            return
        self._say("Sending.")
        self._sending.submit(verdicts)

    def _say(self, words: str) -> None:
        self.said.object = html.escape(words)

    def _failed(self, problem: Exception) -> None:
        self._say(sentence_of(problem))

    def __panel__(self) -> pn.viewable.Viewable:
        return self.box


def send(vetting: Vetting | None, candidates: Candidates) -> str:
    """Send the accepted features by SAMP, and return in words what became of them.

    Raises
    ------
    LinesError
        If no hub runs on this machine, nobody there takes tables, or nothing is decided.
    """
    if vetting is None:
        raise LinesError("Nothing has been decided yet, so that there is nothing to send.")
    from ...core.vetting.decision_table import decision_table
    from ...core.vetting.samp import send_table

    table = decision_table(vetting, candidates, which="accepted")
    sent = send_table(table, f"{candidates.bundle} lines")
    rows = f"{len(table)} row{'s' * (len(table) != 1)}"
    return "; ".join(f"{one.name}: {one.problem or rows}" for one in sent) + "."


_SMALL: dict[str, Any] = {"font-size": "12px", "line-height": "15px"}
