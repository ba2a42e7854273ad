"""The tour of the first visit, and the keys."""

import pytest
from playwright.sync_api import expect

from .conftest import SIZE, Screen

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


def first_visit(browser, url):
    return Screen(browser.new_context(viewport=SIZE).new_page()).open(url)


def ring_is_around(screen, selector):
    """Whether what the tour points at holds the first element that a selector finds."""
    return screen.page.evaluate(
        """(selector) => {
          const first = (s) => window.deep.all(document).find((e) => e.matches(s))
          const box = (s) => first(s).getBoundingClientRect()
          const ring = box(".ring"), target = box(selector)
          return ring.left <= target.left && ring.right >= target.right - 1 &&
            ring.top <= target.top && ring.bottom >= target.bottom - 1
        }""",
        selector,
    )


def test_the_first_visit_has_a_tour_of_five_steps_by_keyboard(browser, server):
    screen = first_visit(browser, server.url)
    page = screen.page
    tour = page.get_by_role("dialog", name="Tour")
    expect(tour).to_be_visible()
    titles = []
    for step, target in enumerate([".row input", None, None, ".zone", "nav[aria-label=Pages]"]):
        expect(tour).to_contain_text(f"{step + 1} of 5")
        titles.append(tour.locator("h2").inner_text())
        box = tour.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= SIZE["width"]
        assert box["y"] >= 0 and box["y"] + box["height"] <= SIZE["height"]
        assert target is None or ring_is_around(screen, target)
        page.keyboard.press("Enter")
    expect(tour).to_be_hidden()
    assert len(set(titles)) == 5
    # The browser remembers.
    again = Screen(page.context.new_page()).open(server.url)
    again.page.wait_for_timeout(3000)
    expect(again.page.get_by_role("dialog", name="Tour")).to_be_hidden()
    assert screen.complaints == again.complaints == []
    page.context.close()


def test_escape_ends_the_tour_and_the_page_works_meanwhile(browser, server):
    screen = first_visit(browser, server.url)
    page = screen.page
    tour = page.get_by_role("dialog", name="Tour")
    expect(tour).to_be_visible()
    before = screen.pixels(0)
    screen.slider("T_eff").press("Shift+ArrowRight")
    screen.wait_pixels(before, 0)
    expect(tour).to_be_visible()
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden()
    assert page.evaluate("localStorage.getItem('spectrabridge-tour')") == "seen"
    page.context.close()


def test_a_link_can_keep_the_tour_away(browser, server):
    screen = first_visit(browser, f"{server.url}/?tour=no")
    screen.page.wait_for_timeout(4000)
    expect(screen.page.get_by_role("dialog", name="Tour")).to_be_hidden()
    assert "Not all of the link" not in screen.page.locator("body").inner_text()
    screen.page.context.close()


def test_the_question_mark_shows_the_keys_and_the_tour_again(screen):
    page = screen.page
    keys, tour = page.get_by_role("dialog", name="Keys"), page.get_by_role("dialog", name="Tour")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("previous and next zoom")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    # Where text is typed a question mark is one.
    screen.box("T_eff").press("?")
    expect(keys).to_be_hidden()
    screen.box("T_eff").press("Escape")
    page.get_by_role("button", name="Map", exact=True).click()
    page.get_by_role("button", name="Keys and tour").click()
    page.get_by_role("button", name="Take the tour").click()
    expect(tour).to_contain_text("1 of 5")
    expect(page.get_by_role("button", name="Spectrum", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(tour).to_contain_text("2 of 5")
    tour.get_by_role("button", name="Skip").click()
    expect(tour).to_be_hidden()
