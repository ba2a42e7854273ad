"""The Map page: stars in two dimensions."""

from ..session.page import Page, PageContext, PageEntry


def _build(context: PageContext) -> Page:
    from .page import MapPage

    return MapPage(
        context.bundle, context.state, context.show_star, context.stars, context.fitted_star
    )


PAGE = PageEntry(
    key="map",
    title="Map",
    about="where stars of both domains lie in latent space",
    shortcut="m",
    build=_build,
    table="the selected stars",
)
