import panel as pn
import panel_material_ui as pmui
import pytest

from spectrabridge.explorer.workarounds.page_busy import unfollow_busy


def followers() -> int:
    return len(pn.state.param.watchers.get("busy", {}).get("value", []))


@pytest.fixture
def page():
    before = list(pn.state.param.watchers.get("busy", {}).get("value", []))
    yield pmui.Page(busy_indicator=None)
    for watcher in list(pn.state.param.watchers.get("busy", {}).get("value", [])):
        if watcher not in before:
            pn.state.param.unwatch(watcher)


def test_a_page_alone_is_kept_by_the_global_state(page):
    before = followers()
    pmui.Page(busy_indicator=None)
    assert followers() == before + 1


def test_it_is_let_go_and_only_it(page):
    before = followers()
    other = pmui.Page(busy_indicator=None)
    unfollow_busy(other)
    assert followers() == before
    assert not other.busy
