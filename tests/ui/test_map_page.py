"""The Map page in a real browser: pictures that follow the view, stars tapped, circled, found."""

import io
import math
import re
from pathlib import Path

import pytest
from astropy.table import Table
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


PANELS = """() => window.deep.all(document).filter((el) => el.tagName === "CANVAS" &&
  el.width > 150 && el.getClientRects().length > 0).map((el) => {
    const r = el.getBoundingClientRect()
    return [r.left, r.top, r.width, r.height]
  })"""
"""Boxes of the canvases in sight."""

SEEN = """([left, top]) => window.deep.all(document).filter((el) => el.tagName === "CANVAS" &&
  el.width > 150 && el.getClientRects().length > 0).filter((el) => {
    const r = el.getBoundingClientRect()
    return Math.abs(r.left - left) < 2 && Math.abs(r.top - top) < 2
  }).reduce((sum, el) => {
    const {data} = el.getContext("2d").getImageData(0, 0, el.width, el.height)
    const v = new Uint32Array(data.buffer)
    for (let i = 0; i < v.length; i++) { sum = (Math.imul(sum, 31) + v[i]) | 0 }
    return sum
  }, 7)"""
"""A number that changes when pixels of the canvases at a place do."""


class Map:
    """The Map page and what is done on it."""

    def __init__(self, screen):
        self.screen, self.page = screen, screen.page
        screen.button("Map").click()
        expect(self.page.get_by_text("How well the domains mix")).to_be_visible()
        self.page.wait_for_function(f"({PANELS})().length >= 8")
        boxes = sorted({tuple(b) for b in self.page.evaluate(PANELS)}, key=lambda b: b[:2])
        top = min(b[1] for b in boxes)
        self.panels = [b for b in boxes if abs(b[1] - top) < 2]
        self.spectrum = next(b for b in boxes if b[1] > top + 50)
        for box in self.panels:
            self.page.wait_for_function(f"({SEEN})({list(box[:2])}) !== 0")

    def middle(self, k):
        left, top, width, height = self.panels[k]
        return left + width / 2, top + height / 2

    def seen(self, box):
        return self.page.evaluate(SEEN, list(box[:2]))

    def changed(self, box, before):
        self.page.wait_for_function(f"(before) => ({SEEN})({list(box[:2])}) !== before", arg=before)
        return self.seen(box)

    def still(self, box):
        last = None
        for _ in range(60):
            self.page.wait_for_timeout(250)
            now = self.seen(box)
            if now == last:
                return now
            last = now
        pytest.fail("The picture did not come to rest.")

    def tap(self, k):
        """Tap the star nearest to the middle of a panel, hovering until one is marked."""
        x, y = self.middle(k)
        for dx, dy in [(0, 0), (12, 0), (-12, 0), (0, 14), (0, -14), (25, 10), (-25, -10)]:
            self.page.mouse.move(x + dx, y + dy)
            try:
                expect(self.words).to_contain_text("T_eff", timeout=4000)
            except AssertionError:
                continue
            self.page.mouse.click(x + dx, y + dy)
            return
        pytest.fail("There is no star about the middle of the panel.")

    @property
    def words(self):
        return (
            self.page.get_by_text("observed ")
            .or_(self.page.get_by_text("synthetic "))
            .filter(has_text="\u00b7")
        )


@pytest.fixture
def board(screen):
    return Map(screen)


def test_stars_are_tapped_circled_and_found(board):
    page, screen = board.page, board.screen
    latents = board.panels[2]

    # The wheel gives a new picture of a smaller part.
    before = board.still(latents)
    page.mouse.move(*board.middle(2))
    page.mouse.wheel(0, -240)
    zoomed = board.changed(latents, before)
    screen.button("Whole map").click()
    board.changed(latents, zoomed)

    # A tap shows a spectrum and moves the labels.
    empty = board.still(board.spectrum)
    board.tap(2)
    board.changed(board.spectrum, empty)
    star = (
        page.locator("b")
        .filter(has_text="served ")
        .or_(page.locator("b").filter(has_text="synthetic "))
    )
    name = star.first.inner_text()
    labels = page.locator("span").filter(has_text=re.compile(r"^T_eff\s\d+ K$")).first.inner_text()
    teff = re.search(r"\d+", labels)[0]
    screen.button("Spectrum").click()
    expect(screen.box("T_eff")).to_have_value(teff)
    if name.startswith("observed"):
        expect(screen.star).to_contain_text(name)
    screen.button("Map").click()

    # The lasso gives a table and files.
    screen.button("lasso").click()
    page.wait_for_function("window.deep.model((m) => m.type === 'LassoSelectTool').active")
    x, y = board.middle(1)
    page.mouse.move(x + 60, y)
    page.mouse.down()
    for i in range(25):
        angle = 2 * math.pi * i / 24
        page.mouse.move(x + 60 * math.cos(angle), y + 60 * math.sin(angle))
    page.mouse.up()
    selected = page.get_by_text("stars selected")
    expect(selected).to_be_visible()
    n = int(
        page.locator("b").filter(has_text=" stars").first.inner_text().split()[0].replace(",", "")
    )
    expect(
        page.locator('table[aria-label="Selected stars"] tbody tr')
        .filter(has_text="observed ")
        .first
    ).to_be_visible()
    with page.expect_download() as download:
        screen.button("FITS").last.click()
    table = Table.read(io.BytesIO(Path(download.value.path()).read_bytes()), format="fits")
    assert len(table) == n
    page.keyboard.press("Escape")

    # A row is a star; so is an id that is typed.
    page.locator('table[aria-label="Selected stars"] tbody tr').filter(has_text="observed ").nth(
        1
    ).click()
    search = page.get_by_label("Find a star by its id")
    search.fill("synthetic 12")
    search.press("Enter")
    expect(page.locator("b").filter(has_text="synthetic 12").first).to_be_visible()
    search.fill("nobody")
    search.press("Enter")
    expect(page.get_by_text("No star of the map is called")).to_be_visible()

    # Another colour, and a legend for it.
    board.page.get_by_label("colour by").select_option("teff")
    expect(page.get_by_role("img", name="T_eff (K) from")).to_be_visible()

    # Nothing scrolls but tables.
    size = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size == [1280, 720]


def test_a_star_opened_elsewhere_is_placed_and_one_panel_fills_the_room(screen):
    screen.button("Example star").click()
    expect(screen.star).to_contain_text("2M19485057+5005279")
    board = Map(screen)
    expect(screen.page.get_by_text("2M19485057+5005279 stands nearest to")).to_be_visible()
    screen.button("latents").click()
    screen.page.wait_for_function(f"({PANELS})().some(([x, y, w, h]) => w > 800 && h > 250)")
    # The keyboard reaches what the mouse does.
    button = screen.button("Select shown")
    button.focus()
    screen.page.keyboard.press("Enter")
    expect(screen.page.get_by_text("stars selected")).to_be_visible()
    assert len(board.panels) == 3
