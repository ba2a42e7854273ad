"""The Lines page: candidate features, looked at and decided."""

from ..session.page import Page, PageContext, PageEntry


def _build(context: PageContext) -> Page:
    from .page import LinesPage

    return LinesPage(
        context.bundle,
        context.state,
        context.derivatives,
        context.vetting,
        on_error=context.messages.tell,
        fitting=context.fitting,
    )


PAGE = PageEntry(
    key="lines",
    title="Lines",
    about="candidates for lines that the models lack",
    shortcut="l",
    build=_build,
)
