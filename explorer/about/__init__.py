"""The About page: what a bundle is, how good it is and where it ends."""

from ..session.page import Page, PageContext, PageEntry


def _build(context: PageContext) -> Page:
    from .page import AboutPage

    return AboutPage(context.bundle, context.state, context.pages)


PAGE = PageEntry(
    key="about",
    title="About",
    about="what this bundle is and how good it is",
    shortcut="a",
    build=_build,
    has_figures=False,
)
