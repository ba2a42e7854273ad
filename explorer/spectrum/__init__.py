"""The Spectrum page: emulated, adapted and observed flux."""

from ..session.page import Page, PageContext, PageEntry


def _build(context: PageContext) -> Page:
    from .page import SpectrumPage

    return SpectrumPage(
        context.bundle,
        context.state,
        context.derivatives,
        context.messages,
        context.stars,
        context.fitting,
    )


PAGE = PageEntry(
    key="spectrum",
    title="Spectrum",
    about="move labels, see what adaptation changes",
    shortcut="s",
    build=_build,
    table="spectra, residuals and the derivatives of the chosen element",
    at_labels=True,
)
