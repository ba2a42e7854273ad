"""Names of known lines and pinned spectra, in a real browser."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

FLUX = 0
BOXES = """() => window.deep.all(document)
  .filter((el) => el.tagName === "BUTTON" && el.parentElement?.className === "strip")
  .map((el) => el.getBoundingClientRect())
  .map(({left, right, top}) => [Math.round(top), left, right])"""


def assert_apart(screen):
    boxes = sorted(screen.page.evaluate(BOXES))
    assert len(boxes) > 3
    for (row, _, right), (other, left, _) in pairwise(boxes):
        assert row != other or left >= right


def test_names_of_lines_never_overlap_and_a_click_identifies(screen):
    screen.button("known lines").click()
    strip = screen.page.get_by_role("group", name="Known lines")
    expect(strip.get_by_role("button").first).to_be_visible()
    assert_apart(screen)
    before = strip.inner_text()
    screen.page.mouse.move(800, 250)
    for _ in range(4):
        screen.page.mouse.wheel(0, -300)
    expect(strip).not_to_have_text(before)
    screen.page.wait_for_timeout(1000)
    assert_apart(screen)
    strip.get_by_role("button").first.click()
    expect(screen.page.get_by_text("log gf").first).to_be_visible()
    screen.button("known lines").click()
    expect(strip).not_to_be_visible()
    expect(screen.page.get_by_text("log gf").first).not_to_be_visible()


def test_a_pinned_spectrum_stays_while_sliders_move(screen):
    screen.button("pin").click()
    expect(screen.button("pinned")).to_be_visible()
    screen.page.mouse.move(800, 250)
    for _ in range(4):
        screen.page.mouse.wheel(0, -300)
    sent = "window.deep.model((m) => m.data?.root_ivar).data.pinned_adapted"
    before = screen.page.evaluate(f"Array.from({sent}).filter(Number.isFinite)")
    look = screen.still(FLUX)
    for _ in range(5):
        screen.slider("T_eff").press("Shift+ArrowRight")
    screen.wait_pixels(look, FLUX)
    look = screen.still(FLUX)
    assert screen.page.evaluate(f"Array.from({sent}).filter(Number.isFinite)") == before
    screen.button("pinned").click()
    screen.wait_pixels(look, FLUX)
    screen.button("pin").click()
    expect(screen.button("pinned")).to_have_count(0)
