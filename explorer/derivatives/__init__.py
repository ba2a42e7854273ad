"""The Derivatives page: how the flux answers to every label."""

from ..session.page import Page, PageContext, PageEntry


def _build(context: PageContext) -> Page:
    from .page import DerivativesPage

    return DerivativesPage(
        context.bundle.model,
        context.state,
        context.derivatives,
        context.messages.tell,
        context.bundle,
    )


PAGE = PageEntry(
    key="derivatives",
    title="Derivatives",
    about="what each element does in each domain",
    shortcut="d",
    build=_build,
    table="the derivatives by all elements",
    at_labels=True,
)
