"""Where a page below a prefix gets Panel's style sheets from."""

from types import SimpleNamespace

import panel as pn
import pytest
from bokeh.document import Document
from panel.io.state import set_curdoc

from spectrabridge.apps.server.workarounds.style_sheets import keep_style_sheets_here


def address(mended: bool) -> str:
    """Return the address after the browser has told where its page lies."""
    document = Document()
    session = SimpleNamespace(id="s", request=None, server_context=SimpleNamespace())
    document._session_context = lambda: session
    with set_curdoc(document):
        if mended:
            keep_style_sheets_here(document)
        location = pn.state.location
        assert location is not None
        location.param.update(pathname="/stars/")
        with_address = document.template_variables.get("dist_url", "")
    pn.state._locations.pop(document, None)
    return str(with_address)


@pytest.fixture(autouse=True)
def prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pn.state, "_rel_paths", {}, raising=False)


def test_panel_alone_does_not_set_a_relative_one() -> None:
    assert not address(mended=False).startswith("static/")


def test_it_is_relative_to_the_page() -> None:
    assert address(mended=True).startswith("static/extensions/panel/")
