"""Drags: what comes last is shown, and nothing piles up before it, also where models are slow."""

import sys

import pytest

from .conftest import free_port, open_screen, settle, start_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

ADDED = 0.15
"""Seconds that every spectrum takes longer."""

SLOW = """
import time
from spectrabridge.explorer.spectrum import view
quick = view.compute_frame
def slow(*given):
    time.sleep({added})
    return quick(*given)
view.compute_frame = slow
from spectrabridge.apps.explorer import serve
serve(port={port})
"""

# All of a picture of derivatives as one number.
PICTURE = """window.deep.model((m) => m.data?.image && m.data?.dw)?.data.image[0].reduce(
  (sum, v, i) => Number.isFinite(v) ? sum + v * (1 + i % 7) : sum, 0)"""


@pytest.fixture
def slow_screen(browser, tmp_path):
    """The page of an explorer whose spectra take 150 ms more."""
    port = free_port()
    command = [sys.executable, "-c", SLOW.format(added=ADDED, port=port)]
    server = start_server(command, port, tmp_path)
    try:
        server.wait()
        screen = settle(open_screen(browser, server.url))
        yield screen
        screen.page.context.close()
        assert screen.complaints == []
    finally:
        server.stop()


def test_spectra_that_take_longer_build_no_backlog(slow_screen):
    page = slow_screen.page
    page.evaluate(
        """() => {
          const drawn = window.deep.model((m) => m.data?.emulated && !m.data.root_ivar)
          window.painted = 0
          drawn.properties.data.change.connect(() => { window.painted += 1 })
        }"""
    )
    moves = slow_screen.drag("T_eff", seconds=3)
    during = page.evaluate("window.painted")
    slow_screen.still(0)
    painted = page.evaluate("window.painted")
    assert 0 < painted < moves / 2, "most moves are passed over"
    # The one at work when the drag ended, that of its end, and one on its way to the browser.
    assert painted - during <= 3


def derivatives(screen):
    """Go to the derivatives, and wait for their picture."""
    screen.button("Derivatives").click()
    screen.page.wait_for_function(f"Number.isFinite({PICTURE})")
    screen.still(0)


def test_a_drag_over_derivatives_ends_with_the_picture_of_its_end(screen, browser, server):
    derivatives(screen)
    screen.drag("T_eff", seconds=1.5)
    last = screen.box("T_eff").input_value()
    # What belongs there: the same value typed into a page that knows no drag.
    typed = settle(open_screen(browser, server.url))
    derivatives(typed)
    before = typed.page.evaluate(PICTURE)
    typed.box("T_eff").fill(last)
    typed.box("T_eff").press("Enter")
    typed.page.wait_for_function(f"(before) => {PICTURE} !== before", arg=before)
    picture = typed.page.evaluate(PICTURE)
    typed.page.context.close()
    same = f"(picture) => Math.abs({PICTURE} - picture) <= 1e-4 * Math.abs(picture)"
    screen.page.wait_for_function(same, arg=picture)
    # It stays: nothing that the drag left behind comes after it.
    screen.still(0)
    assert screen.box("T_eff").input_value() == last
    assert screen.page.evaluate(PICTURE) == pytest.approx(picture, rel=1e-4)
