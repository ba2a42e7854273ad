import panel as pn
import panel_material_ui as pmui
from bokeh.document import Document
from panel.io.state import set_curdoc

from spectrabridge.explorer.workarounds.immediate_changes import take_at_once


class Session:
    id, token, request, server_context = "session", "token", None, None


def delay(take: bool) -> int:
    """Return how long a box waits after the browser has ticked it, in milliseconds."""
    document = Document()
    document._session_context = lambda: Session
    box = pmui.Checkbox()
    if take:
        take_at_once(box)
    with set_curdoc(document):
        model = box.get_root(document)
        document.add_root(model)
        box._server_change(document, model.ref["id"], None, "value", False, True)
    (waiting,) = document.session_callbacks
    pn.state._change_callbacks.pop(document, None)
    return waiting.timeout


def test_panel_alone_waits():
    assert delay(take=False) == 50


def test_it_hears_at_once():
    assert delay(take=True) == 0
