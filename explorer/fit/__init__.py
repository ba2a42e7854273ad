"""The Fit page: labels of stars, and what is left over."""

from ..session.page import Page, PageContext, PageEntry


def _build(context: PageContext) -> Page:
    from .page import FitPage

    return FitPage(
        context.bundle,
        context.state,
        lambda labels, star: context.show_star(labels, star, "spectrum"),
    )


PAGE = PageEntry(
    key="fit",
    title="Fit",
    about="labels of your own spectra",
    shortcut="f",
    build=_build,
    table="the fitted stars",
)
