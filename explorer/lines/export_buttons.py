"""Buttons that save decisions as files, or send them to other programs."""

from __future__ import annotations

import html
import io
from typing import Any

import panel as pn
import panel_material_ui as pmui

from ...core.bundle import Bundle
from ...core.errors import LinesError
from ..session.background import Job
from ..session.component import Component
from ..session.messages import sentence_of
from ..widgets.buttons import STYLE, plain_button
from .export import ABOUT, SUFFIXES, export_bytes, send
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
            pmui.FileDownload(
                label=name,
                description=f"{name}: {ABOUT[name]}",
                callback=lambda name=name: self.content(name),
                filename=f"{bundle.name}-vetted.{suffix}",
                variant="outlined",
                size="small",
                margin=0,
                height=25,
                sx=STYLE,
            )
            for name, suffix in SUFFIXES.items()
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

    def content(self, name: str) -> io.BytesIO:
        """Return the decisions as the content of a file.

        Raises
        ------
        LinesError
            If there are none.
        """
        file = self.verdicts.file if self.verdicts is not None else None
        if self.verdicts is None or file is None:
            raise LinesError("Nothing has been decided yet, so that there is nothing to save.")
        return io.BytesIO(export_bytes(name, file, self.verdicts.candidates, self.bundle))

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


_SMALL: dict[str, Any] = {"font-size": "12px", "line-height": "15px"}
