"""The Fit page: labels of stars, and what is left over."""

from ..session.page import Page, PageContext, PageEntry


def _build(context: PageContext) -> Page:
    from .page import FitPage

    def show() -> None:
        context.state.page = "spectrum"

    return FitPage(context.bundle, context.state, context.fitting, show)


PAGE = PageEntry(
    key="fit",
    title="Fit",
    about="labels of your own spectra",
    shortcut="f",
    build=_build,
    table="the fitted stars",
    lists_stars=True,
)
