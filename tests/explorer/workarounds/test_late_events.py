"""An event waits for a change of a text, and is then dealt with."""

import asyncio

CODE = """
import asyncio
import panel as pn
from bokeh.events import ButtonClick
from panel.io.state import set_curdoc

{first}
locks = []

class Context:
    id, token, request = "session", "token", None

document = pn.io.document.Document()
document._session_context = lambda: Context
button = pn.widgets.Button(name="b")
with set_curdoc(document):
    model = button.get_root(document)
    document.add_root(model)
    # A change waits its 50 ms.
    pn.state._change_callbacks[document] = {{}}
    button._server_event(document, ButtonClick(model))
(put_off,) = document.session_callbacks
print("without" if getattr(put_off.callback, "nolock", False) else "with", "the lock")
"""


def test_panel_alone_deals_with_it_without_the_lock(plain):
    assert plain(CODE.format(first="")) == "without the lock"


def test_it_is_dealt_with_under_the_lock(plain):
    first = (
        "from spectrabridge.explorer.workarounds.late_events import lock_late_events\n"
        "lock_late_events()"
    )
    code = CODE.format(first=first)
    assert plain(code) == "with the lock"


def test_what_sessions_import_sees_to_it():
    from panel.reactive import Syncable

    import spectrabridge.explorer.session.document_lock  # noqa: F401

    assert asyncio.iscoroutinefunction(Syncable._event_coroutine)
    assert Syncable._event_coroutine.lock
