import panel as pn
import pytest

from spectrabridge.explorer.workarounds.notification_views import forget_notifications


@pytest.fixture
def left(visit):
    """Tell how many views sessions leave behind, with something done in each."""

    def count(action) -> int:
        def page():
            pn.extension(notifications=True)
            assert pn.state.notifications is not None
            action()
            return pn.Column()

        before = set(pn.state._views)
        visit(page)
        new = set(pn.state._views) - before
        for ref in new:
            del pn.state._views[ref]
        return len(new)

    return count


def test_panel_alone_keeps_the_notifications_of_sessions(left):
    assert left(lambda: None) == 2


def test_nothing_is_left(left):
    assert left(forget_notifications) == 0


def test_outside_a_session_nothing_is_done():
    forget_notifications()
