"""The Lines page: candidate features, one after the other, and what a vetter says of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn

from ...core.bundle import Bundle
from ...core.errors import LinesError, SpectrabridgeError
from ...core.lines import Candidate, Candidates
from ...core.lines.attached import candidates_of
from ...core.vetting import STATUSES
from ..computed.derivatives import DerivativeCache
from ..session.component import Component
from ..session.document_lock import Execute
from ..session.messages import sentence_of
from ..session.page import LegendCurve, TableMaker
from ..session.star_fitting import StarFitting
from ..state.view_state import ViewState
from .candidate_search import CandidateSearch
from .candidate_table import Filters, candidate_rows, filter_options, next_open, status_of
from .candidate_view import CandidateView
from .export_buttons import VettingExports
from .measured_star import MeasuredStar
from .text import agreement_html, candidate_card, progress_words, undone_words
from .vetting_bar import VettingBar
from .vetting_panel import VettingPanel
from .vetting_session import VettingSession, user_name

POLL_MS = 1000
"""How often the page looks for decisions made elsewhere, in milliseconds."""


class LinesPage(Component, pn.viewable.Viewer):
    """Candidate features of a bundle, vetted by keyboard or mouse.

    Parameters
    ----------
    bundle : Bundle
        Whose candidates.
    state : ViewState
        Gives unit, medium, theme, vetter and the chosen candidate.
    derivatives : DerivativeCache, optional
        Shared between views of one model; own if not given.
    vetting : path, optional
        File of the decisions; the bundle's default one if not given.
    candidates : Candidates, optional
        Those attached to the bundle if not given.
    on_error : callable, optional
        ``on_error(exception)`` for what goes wrong in the background.
    fitting : StarFitting, optional
        Observed stars that are open: the one that the state names is drawn and measured, at rest
        and divided by the continuum of its fit once it has one.
    """

    def __init__(
        self,
        bundle: Bundle,
        state: ViewState,
        derivatives: DerivativeCache | None = None,
        vetting: str | Path | None = None,
        candidates: Candidates | None = None,
        on_error: Callable[[Exception], None] | None = None,
        fitting: StarFitting | None = None,
    ) -> None:
        super().__init__()
        self.fitting = fitting
        self.bundle = bundle
        self.state = state
        self.derivatives = derivatives or DerivativeCache(bundle.model)
        self._vetting = vetting
        self._on_error = on_error
        self._started = False
        self._poll: Any = None
        self._place = 0
        self._writes = 0
        self.verdicts: VettingSession | None = None
        self.view: CandidateView | None = None
        if not state.vetter:
            state.vetter = user_name()
        self._build()
        self.watch(state, self._show_chosen, "feature")
        self.watch(state, self._show_wavelengths, ["unit", "medium"])
        self.watch(state, self._vetter_changed, "vetter")
        self.watch(state, self._star_changed, ["star", "row"])
        if fitting is not None:
            self.watch(fitting, self._star_changed, "changed")
        self._begin(candidates)

    def _begin(self, candidates: Candidates | None) -> None:
        try:
            found = candidates if candidates is not None else candidates_of(self.bundle)
            if found is not None:
                self.take(found)
        except SpectrabridgeError as problem:
            self.search.fail(problem)

    # ------------------------------------------------------------------------ parts

    def _build(self) -> None:
        self.search = self.own(CandidateSearch(self.bundle, self.take))
        self.bar = VettingBar(
            vetter=self.state.vetter, visible=False, sizing_mode="stretch_width", margin=0
        )
        self.bar.param.watch(self._vetter_typed, "vetter")
        self.bar.param.watch(self._filtered, ["element", "kind", "status", "least"])
        self.panel = VettingPanel(visible=False, sizing_mode="stretch_width", margin=(8, 0, 0, 0))
        self.panel.on_message = self.receive
        self.exports = self.own(VettingExports(self.bundle))
        self.exports.box.visible = False
        self._left = pn.Column(
            self.bar,
            self.panel,
            self.exports,
            sizing_mode="stretch_width",
            margin=0,
            # Below it the open stars have room.
            styles={"height": "calc(100vh - 168px)", "min-height": "420px"},
        )
        self._right = pn.Column(self.search, sizing_mode="stretch_both", margin=0)

    @property
    def parts(self) -> tuple[pn.Column, pn.Column]:
        """The controls on the left and the view on the right."""
        return self._left, self._right

    @property
    def curves(self) -> list[LegendCurve]:
        """No curves: the figures name theirs themselves."""
        return []

    def table_maker(self, format_: str, link: str) -> TableMaker:
        """Raise a SpectrabridgeError: the buttons of the page save its tables."""
        raise SpectrabridgeError("Save the decided lines by the buttons on the left of the page.")

    def __panel__(self) -> pn.viewable.Viewable:
        left, right = self.parts
        left.param.update(sizing_mode="fixed", width=280, styles={}, height=640)
        return pn.Row(left, right, sizing_mode="stretch_width", height=660, margin=0)

    # ------------------------------------------------------------------------- work

    def take(self, candidates: Candidates) -> None:
        """Show a table of candidates from now on."""
        self.disown(self.view)
        if self.verdicts is not None:
            self.verdicts.close()
        self.verdicts = VettingSession(candidates, self.bundle, self.state.vetter, self._vetting)
        self.view = CandidateView(
            self.bundle, candidates, self.derivatives, self.state, self._on_error
        )
        self.panel.channel = self.view.figure.channel
        self._right[:] = [self.view]
        for part in (self.bar, self.panel, self.exports.box):
            part.visible = True
        self.view.observe(self._observed())
        self._show_all()
        self.own(self.view)
        if self._started:
            self.view.start(self.execute)
        if self.state.feature not in self.verdicts.by_id:
            self._go_to_open()
        self._show_chosen()

    def start(self, execute: Execute | None = None) -> None:
        """Work in the background from now on, for the current document."""
        self._started = True
        super().start(execute)
        if self.view is not None:
            self.view.start(self.execute)

    def on_start(self) -> None:
        """Look from time to time whether somebody else has decided something."""
        self._poll = pn.state.add_periodic_callback(self._look, period=POLL_MS)

    def close(self) -> None:
        """Stop all work and watching, and close the file of decisions."""
        if self._poll is not None:
            self._poll.stop()
        super().close()
        if self.verdicts is not None:
            self.verdicts.close()

    def _look(self) -> None:
        """Show decisions that were made elsewhere."""
        if not self.state.shows("lines") or self.verdicts is None:
            return
        try:
            changed = self.verdicts.refresh()
        except SpectrabridgeError as problem:
            self.panel.problem = str(problem)
            return
        if changed:
            self._show_all()
            self._show_card()

    # --------------------------------------------------------------------- messages

    def receive(self, message: dict[str, Any]) -> None:
        """Do what the vetter has asked for in the browser.

        Parameters
        ----------
        message : dict
            ``do`` is ``move`` (with ``by``), ``undo``, or, with the ``id`` of a candidate,
            ``decide`` (a ``status`` and texts), ``keep`` (texts) or ``choose`` (the
            ``answer``).
        """
        verdicts = self.verdicts
        if verdicts is None:
            return
        do = message.get("do")
        if do == "move":
            self.move(int(message.get("by", 1)))
            return
        try:
            if do == "undo":
                self._undo(verdicts)
            elif do == "decide":
                self._decide(verdicts, verdicts.by_id[message["id"]], message)
            else:
                candidate = verdicts.by_id[message["id"]]
                said = _texts(message)
                if do == "choose":
                    said = {"element": candidate.answers[int(message["answer"])].name}
                verdicts.decide(candidate, **said)
                self._written(candidate)
                self._show_card()
        except SpectrabridgeError as problem:
            self.panel.problem = str(problem)
        except Exception as problem:
            self.panel.problem = sentence_of(problem)
        else:
            self.panel.problem = ""
            if do != "undo":
                self.panel.said = ""
            self._show_all()

    def _decide(
        self, verdicts: VettingSession, candidate: Candidate, message: dict[str, Any]
    ) -> None:
        """Keep a verdict; only when it is on the disk, go on to the next open candidate."""
        status = str(message["status"])
        if status not in STATUSES:
            raise LinesError(f"A status is one of {', '.join(STATUSES[:-1])}; found {status!r}.")
        said = _texts(message)
        known = verdicts.decisions.get(candidate.id)
        if status == "accepted" and not said.get("element"):
            said["element"] = (known.element if known is not None else "") or candidate.best
        order = self.order
        verdicts.decide(candidate, status=status, **said)
        self._written(candidate)
        # Whoever has gone elsewhere meanwhile stays there.
        if self.state.feature == candidate.id:
            place = order.index(candidate.id) if candidate.id in order else self._place - 1
            following = next_open(order, verdicts.decisions, place)
            if following is not None:
                self.state.feature = following
            else:
                self._show_card()

    def _undo(self, verdicts: VettingSession) -> None:
        before = dict(verdicts.decisions)
        undone = verdicts.undo()
        candidate = verdicts.by_id.get(undone.candidate)
        if candidate is not None:
            self.state.feature = candidate.id
            self.panel.said = undone_words(before.get(candidate.id), undone, candidate, self.state)
        self._show_card()

    def _written(self, candidate: Candidate) -> None:
        """Tell the browser that what was typed about a candidate is kept."""
        self._writes += 1
        self.panel.stored = [candidate.id, self._writes]

    def move(self, by: int) -> None:
        """Go on in the table as it is shown; it ends at its ends."""
        order = self.order
        if not order:
            return
        if self.state.feature in order:
            place = order.index(self.state.feature) + by
        else:  # no longer in the table: its place is taken by what followed it
            place = self._place + (by if by < 0 else by - 1)
        self.state.feature = order[min(max(place, 0), len(order) - 1)]

    def _go_to_open(self) -> None:
        """Go to the first candidate about which nothing is decided, if there is one."""
        assert self.verdicts is not None
        order = self.order
        found = next_open(order, self.verdicts.decisions, -1)
        self.state.feature = found or (order[0] if order else "")

    # ------------------------------------------------------------------------ shown

    @property
    def chosen(self) -> Candidate | None:
        """The candidate on show."""
        return self.verdicts.by_id.get(self.state.feature) if self.verdicts is not None else None

    @property
    def order(self) -> list[str]:
        """Ids of the candidates in the table, as they are shown."""
        return self.view.table.order if self.view is not None else []

    def _show_all(self, *_: object) -> None:
        """Bring the table and the progress in line with the decisions."""
        verdicts, bar = self.verdicts, self.bar
        if verdicts is None or self.view is None:
            return
        filters = Filters(bar.element, bar.kind, bar.status, float(bar.least))
        candidates, decisions = verdicts.candidates, verdicts.decisions
        self.view.table.show_rows(
            candidate_rows(candidates, decisions, filters, self.state.unit, self.state.medium)
        )
        self._remember_place()
        options = filter_options(candidates, decisions)
        bar.param.update(
            options={name: [list(pair) for pair in pairs] for name, pairs in options.items()},
            vetters=verdicts.vetters,
            done=list(verdicts.progress),
            words=progress_words(verdicts),
        )
        self.panel.note = agreement_html(verdicts)
        self.exports.use(verdicts)
        if verdicts.problem:
            self.panel.problem = verdicts.problem

    def _filtered(self, *_: object) -> None:
        """Show the candidates that are wanted, and go to the first of them."""
        self._show_all()
        order = self.order
        if order and self.state.feature not in order:
            self.state.feature = order[0]

    def _remember_place(self) -> None:
        order = self.order
        if self.state.feature in order:
            self._place = order.index(self.state.feature)

    def _show_chosen(self, *_: object) -> None:
        if self.view is not None:
            self.view.draw(self.chosen)
            self._show_card()
            self._remember_place()

    def _show_card(self) -> None:
        candidate = self.chosen
        if self.verdicts is not None:
            decision = self.verdicts.decisions.get(candidate.id) if candidate else None
            star = self.view.observed if self.view is not None else None
            measured = star.words(candidate) if star is not None and candidate is not None else ""
            self.panel.candidate = candidate_card(candidate, decision, self.state, measured)

    def _observed(self) -> MeasuredStar | None:
        """Return the observed star that is chosen, None if there is none on the model's pixels."""
        if self.fitting is None:
            return None
        try:
            spectra = self.fitting.laid_over(self.bundle.model.grid)
        except SpectrabridgeError:  # told on the Spectrum page, where it was chosen
            return None
        return None if spectra is None else MeasuredStar(spectra)

    def _star_changed(self, *_: object) -> None:
        if self.view is None:
            return
        star, before = self._observed(), self.view.observed
        if (star and star.spectra) is not (before and before.spectra):
            self.view.observe(star)
            self._show_card()

    def _show_wavelengths(self, *_: object) -> None:
        self._show_all()
        self._show_card()

    def _vetter_typed(self, event: Any) -> None:
        self.state.vetter = event.new

    def _vetter_changed(self, event: Any) -> None:
        verdicts = self.verdicts
        if verdicts is not None:
            try:
                verdicts.change_vetter(event.new)
            except SpectrabridgeError as problem:
                self.panel.problem = str(problem)
                verdicts.vetter = self.state.vetter = self.bar.vetter = event.old
                return
        self.bar.vetter = event.new
        self._show_all()
        # Another vetter begins where there is something to do.
        if verdicts is not None and status_of(verdicts.decisions.get(self.state.feature)) != "open":
            self._go_to_open()
        self._show_card()


def _texts(message: dict[str, Any]) -> dict[str, str]:
    """Return what was typed about a candidate."""
    return {k: str(message[k]) for k in ("element", "comment") if message.get(k) is not None}
