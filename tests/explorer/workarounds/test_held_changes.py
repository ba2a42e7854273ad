from bokeh.document import Document
from bokeh.models import Div

from spectrabridge.explorer.workarounds.held_changes import never_hold


def told(mended: bool) -> list[str]:
    """Return what is told of a change that is made while a document is held."""
    document, heard = Document(), []
    div = Div(text="old")
    document.add_root(div)
    document.on_change(lambda event: heard.append(type(event).__name__))
    if mended:
        never_hold(document)
    document.hold("combine")
    div.text = "new"
    return heard


def test_a_held_document_alone_tells_nothing_until_somebody_lifts_the_hold():
    assert told(mended=False) == []


def test_it_tells_at_once():
    assert told(mended=True) == ["ModelChangedEvent"]
