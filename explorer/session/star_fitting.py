"""Fits of the open stars: each is fitted as it is opened, and the sliders go to its labels.

What fits is loaded when the first star comes: the first screen need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import param

from ...core.bundle import Bundle
from ...core.spectra import Spectra, WavelengthGrid
from ..state.view_state import MAPPED, ViewState
from .component import Component
from .open_stars import OpenFile, OpenStars

if TYPE_CHECKING:
    from .fit_queue import FitQueue
    from .fitted_star import FitPlan, FittedStar


class StarFitting(Component, param.Parameterized):
    """Fits the stars of a session with its bundle, and keeps the views on one star.

    The star that the state names by `star` and `row` is the one that `fitted` names, and the
    other way round. When it is chosen, the labels of its fit are shown, as soon as there are
    some.

    Parameters
    ----------
    bundle : Bundle
        What is fitted.
    state : ViewState
        Names the chosen star; its labels follow the fits.
    stars : OpenStars
        The stars.
    later : bool
        Whether nothing is fitted before the start, so that a page is shown first.
    """

    changed = param.Integer(default=0, doc="Counts changes of the fits and of their progress.")

    def __init__(
        self, bundle: Bundle, state: ViewState, stars: OpenStars, later: bool = False
    ) -> None:
        super().__init__()
        self.bundle, self.state, self.stars = bundle, state, stars
        self.plan: Callable[[], FitPlan] = _usual_plan
        """Returns how stars that come next are fitted."""
        self._later = later
        self._queue: FitQueue | None = None
        self._wanted = ""  # key of the star whose labels are to be shown when it is fitted
        self._held = ""  # file that moves no sliders when it is chosen
        self._named = ""  # key that the state was given as `fitted`
        self._laid: tuple[FittedStar, Spectra | None] | None = None
        stars.on_coming, stars.on_arrival = self._coming, self._arrived
        self.watch(stars, self._opened, "opened")
        self._watch()

    def _watch(self) -> None:
        self.watch(self.state, self._chosen, ["star", "row"])
        self.watch(self.state, self._fit_chosen, "fitted")

    def use(self, bundle: Bundle, state: ViewState) -> None:
        """Fit all stars again with another bundle, for another state."""
        self.unwatch(self.state)
        star = self.star
        # The sliders follow the new fit if they stood at the labels of the old one.
        follow = star is not None and star.trusted and self.state.labels == self.labels
        rows = [] if self._queue is None else list(self._queue.stars.values())
        self.disown(self._queue)
        self._queue = None
        self.bundle, self.state = bundle, state
        self._watch()
        self._wanted, self._named = self.key if follow else "", ""
        if rows:
            self.queue.fit_again(self.plan(), rows, anew=True)
        self._name_fitted()

    # ------------------------------------------------------------------------ fits

    @property
    def queue(self) -> FitQueue:
        """The fits."""
        if self._queue is None:
            from .fit_queue import FitQueue

            self._queue = self.own(FitQueue(self.fit, self._changed))
        return self._queue

    def fit(self, plan: FitPlan, stars: list[FittedStar]) -> list[FittedStar]:
        """Return stars with their fits; runs in the worker thread."""
        from .fitted_star import fit_batch, fitters_of

        return fit_batch(fitters_of(self.bundle, plan), stars)

    def fit_again(self) -> None:
        """Fit all stars with the plan as it is now."""
        self._wanted = self.key
        self.queue.fit_again(self.plan())

    def clear(self) -> None:
        """Close all stars and forget their fits."""
        self.stars.clear()
        if self._queue is not None:
            self._queue.clear()

    @property
    def fits(self) -> dict[str, FittedStar]:
        """Stars with their fits by key; empty before the first star."""
        return {} if self._queue is None else self._queue.stars

    @property
    def key(self) -> str:
        """Key of the chosen spectrum among the fits; empty if it is not one to be fitted."""
        file = self.stars.files.get(self.state.star)
        if file is None or file.name == MAPPED:
            return ""
        return f"{file.name}#{min(self.state.row, len(file.spectra) - 1)}"

    @property
    def star(self) -> FittedStar | None:
        """The chosen star."""
        return self.fits.get(self.key)

    @property
    def labels(self) -> dict[str, float]:
        """Labels of the chosen star, rounded as they are shown; empty if there are none."""
        from .fitted_star import shown_labels

        return {} if self.star is None else shown_labels(self.star)

    def laid_over(self, grid: WavelengthGrid) -> Spectra | None:
        """Return the chosen spectrum on the grid of the model, as it compares with the model.

        A fitted star is at rest, and the continuum of its fit is divided out; of others it is
        that of :meth:`.OpenStars.laid_over`.

        Raises
        ------
        GridError
            If the star cannot be laid over models of this grid.
        """
        star = self.star
        if star is None or not star.trusted:
            return self.stars.laid_over(grid)
        if self._laid is None or self._laid[0] is not star:
            from .fitted_star import without_continuum

            self._laid = (star, without_continuum(star, self.bundle.model))
        return self._laid[1]

    # -------------------------------------------------------------------- stars come

    @property
    def _waits(self) -> bool:
        return self._later and self.execute is None

    def _coming(self) -> None:
        if not self._waits:
            self.queue.expect()

    def _arrived(self, name: str, file: OpenFile | None, sentence: str) -> None:
        if self._waits:
            return
        from .fitted_star import arrived, unreadable

        if file is not None:
            self._wanted = self.key if name == self.state.star else self._wanted
            found = [] if name == MAPPED else arrived(file.stars)
        else:
            found = [unreadable(name, sentence)] if name else []
        self.queue.arrive(found, self.plan())

    def on_start(self) -> None:
        """Fit the stars that were opened before the page."""
        if self._later:
            for name, file in self.stars.files.items():
                self._coming()
                self._arrived(name, file, "")
            self._chosen()

    def _opened(self, *_: object) -> None:
        """Tell that other files are open."""
        self.changed += 1

    # -------------------------------------------------------------------- one star

    def hold(self, name: str) -> None:
        """Leave the sliders where they are when a file is chosen the next time."""
        self._held = name

    def _chosen(self, *_: object) -> None:
        key, self._named = self.key, ""
        held, self._held = self._held, "" if self._held == self.state.star else self._held
        self._wanted = "" if held and held == self.state.star else key
        if key and not self._waits:
            if key in self.fits:
                self.queue.first(key)
            else:
                self._fit_more(key)
        self._name_fitted()
        self._follow()

    def _fit_more(self, key: str) -> None:
        """Fit another spectrum of a star: another combination, or a visit."""
        from .fitted_star import FittedStar

        file = self.stars.files[self.state.star]
        row = min(self.state.row, len(file.spectra) - 1)
        star, place = file.spectra[row]
        one = replace(star, spectra=star.spectra[place], titles=(star.title(place),), row=row)
        self.queue.add(FittedStar(one), self.plan())

    def _name_fitted(self) -> None:
        """Name the chosen star among the fits, once: the Fit page may go on to another row."""
        key = self.key
        if key in self.fits and key != self._named:
            self._named = key
            self.state.fitted = key

    def _fit_chosen(self, *_: object) -> None:
        """Let the other pages show the star that is chosen among the fits."""
        star = self.fits.get(self.state.fitted)
        if star is not None and star.key != self.key and star.star.file in self.stars.files:
            self.state.param.update(star=star.star.file, row=star.star.row)

    def _changed(self) -> None:
        self._name_fitted()
        self._follow()
        self.changed += 1

    def _follow(self) -> None:
        """Show the labels of the chosen star once, when it is fitted."""
        star = self.star
        if star is None or star.key != self._wanted or star.stage == "waiting":
            return
        self._wanted = ""
        if star.trusted:
            self.state.jump(self.labels, f"the fit of {star.star.id}")


def _usual_plan() -> FitPlan:
    from ...core.fitting.settings import FitSettings
    from .fit_queue import BATCH_STARS
    from .fitted_star import FitPlan

    # As the Fit page has them, so that both share what is trained for a fit.
    return FitPlan(settings=FitSettings(chunk=BATCH_STARS))
