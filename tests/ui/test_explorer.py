"""The explorer in a real browser: dragged, typed into, and fed files."""

import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from spectrabridge.core.io.apstar import example_apstar
from spectrabridge.explorer.figures.theme import ADAPTED, EMULATED
from spectrabridge.explorer.pages import PAGES

from .conftest import free_port, open_screen, start_server

sys.path.insert(0, str(Path(__file__).parents[1] / "explorer"))

from star_files import content_of, many_stars

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

FLUX, MIDDLE, LOWER = 0, 1, 2


@pytest.fixture
def apstar():
    return example_apstar().read_bytes()


def test_the_first_screen_shows_spectra_and_asks_no_other_machine(browser, tmp_path):
    port = free_port()
    code = f"from spectrabridge.apps.explorer import serve; serve(port={port})"
    server = start_server([sys.executable, "-c", code], port, tmp_path)
    try:
        server.wait()
        screen = open_screen(browser, server.url)
        assert screen.count(FLUX, EMULATED) > 500
        assert screen.count(FLUX, ADAPTED) > 20
        assert screen.count(MIDDLE, ADAPTED) > 50
        screen.page.context.close()
        assert screen.foreign == []
        assert screen.complaints == []
        assert f"http://localhost:{port}" in server.log.read_text()
    finally:
        server.stop()


def test_dragging_a_slider_moves_the_spectra(screen):
    before = [screen.pixels(k) for k in (FLUX, MIDDLE)]
    where = screen.slider("T_eff").bounding_box()
    y = where["y"] + where["height"] / 2
    screen.page.mouse.move(where["x"] + where["width"] / 2, y)
    screen.page.mouse.down()
    screen.page.mouse.move(where["x"] + 0.8 * where["width"], y, steps=5)
    # While the button is still down.
    during = screen.wait_pixels(before[0], FLUX)
    screen.wait_pixels(before[1], MIDDLE)
    screen.page.mouse.move(where["x"] + 0.2 * where["width"], y, steps=5)
    screen.wait_pixels(during, FLUX)
    screen.page.mouse.up()
    assert float(screen.box("T_eff").input_value()) < 4400
    assert screen.slider("T_eff").input_value() == screen.box("T_eff").input_value()
    assert float(screen.box("T_eff").input_value()) % 5 == 0


def test_the_last_value_of_a_drag_is_painted_without_a_backlog(screen):
    screen.still(LOWER)
    screen.page.evaluate(
        """() => {
          const drawn = window.deep.model((m) => m.data?.emulated && !m.data.root_ivar)
          window.painted = 0
          drawn.properties.data.change.connect(() => { window.painted += 1 })
        }"""
    )
    moves = screen.drag("T_eff", seconds=3)
    during = screen.page.evaluate("window.painted")
    screen.still(LOWER)
    painted = screen.page.evaluate("window.painted")
    assert 0 < painted <= moves
    # The one at work when the drag ended, that of its end, and one on its way to the browser.
    assert painted - during <= 3
    value = screen.box("T_eff").input_value()
    last = screen.page.evaluate("window.deep.spectra()")
    # What came is the last value: typed anew, it gives the same spectra.
    screen.box("T_eff").fill("4000")
    screen.box("T_eff").press("Enter")
    same = "(last) => window.deep.spectra() === last"
    screen.page.wait_for_function(f"!({same})({last!r})", polling=50)
    screen.box("T_eff").fill(value)
    screen.box("T_eff").press("Enter")
    screen.page.wait_for_function(same, arg=last, polling=50)


def test_a_value_outside_the_range_is_kept_and_called_extrapolation(screen):
    before = screen.pixels(FLUX)
    box = screen.box("T_eff")
    box.fill("3300")
    box.press("Enter")
    screen.wait_pixels(before, FLUX)
    note = screen.page.get_by_text("extrapolation: T_eff 3300 (trained ")
    expect(note).to_be_visible()
    assert box.input_value() == "3300"
    row = screen.page.locator(".row.low")
    expect(row).to_have_count(1)
    assert "extrapolation" in row.get_attribute("title")
    screen.button("Reset").click()
    expect(screen.page.get_by_text("inside the trained range")).to_be_visible()
    expect(row).to_have_count(0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hot", 'Expected a number for T_eff; found "hot".'),
        ("1e7", "T_eff must be between 2500 and 15000 K; found 10000000."),
        ("", 'Expected a number for T_eff; found "".'),
    ],
)
def test_text_without_sense_is_refused_in_words(screen, text, sentence):
    box = screen.box("T_eff")
    start = box.input_value()
    box.fill(text)
    box.press("Enter")
    expect(screen.page.get_by_text(sentence).first).to_be_visible()
    box.press("Escape")
    assert box.input_value() == start
    before = screen.pixels(FLUX)
    box.fill("4800")
    box.press("Enter")
    screen.wait_pixels(before, FLUX)


def test_arrow_keys_step(screen):
    before = screen.pixels(FLUX)
    slider, box = screen.slider("log g"), screen.box("log g")
    slider.focus()
    slider.press("ArrowRight")
    expect(box).to_have_value("2.55")
    screen.wait_pixels(before, FLUX)
    slider.press("Shift+ArrowLeft")
    expect(box).to_have_value("2.05")
    box.focus()
    box.press("ArrowUp")
    expect(box).to_have_value("2.10")
    for _ in range(3):
        box.press("PageUp")
    expect(box).to_have_value("3.60")
    box.press("PageUp")
    expect(box).to_have_value("4.10")
    expect(screen.page.locator(".row.high")).to_have_count(1)


def test_presets_set_every_label(screen):
    before = screen.pixels(FLUX)
    screen.button("Arcturus-like").click()
    expect(screen.box("T_eff")).to_have_value("4286")
    expect(screen.box("[Fe/H]")).to_have_value("-0.52")
    expect(screen.box("[Mg/H]")).to_have_value("-0.15")
    screen.wait_pixels(before, FLUX)
    screen.button("Sun-like").click()
    expect(screen.page.get_by_text("extrapolation: T_eff 5777")).to_be_visible()


def test_abundances_follow_iron_unless_told_not_to(screen):
    box = screen.box("[Fe/H]")
    box.fill("-0.4")
    box.press("Enter")
    expect(screen.box("[Ti/H]")).to_have_value("-0.40")
    screen.page.get_by_role("tab", name="other").click()
    expect(screen.box("[Ge/H]")).to_have_value("-0.40")
    expect(screen.page.get_by_text("inside the trained range")).to_be_visible()
    screen.page.get_by_label("[X/H] follow [Fe/H]").uncheck()
    box.fill("-1.4")
    box.press("Enter")
    # Each [X/H] alone was trained; [X/Fe] = 1 was not.
    expect(screen.box("[Ge/H]")).to_have_value("-0.40")
    expect(screen.page.get_by_text("extrapolation: ")).to_be_visible()
    expect(screen.page.get_by_text("[Ge/Fe]").or_(screen.page.get_by_text("more"))).to_be_visible()


def test_every_label_can_be_reached(screen):
    for tab, titles in {
        "iron-peak": ["[V/H]", "[Cr/H]", "[Mn/H]", "[Co/H]", "[Ni/H]"],
        "light": ["[C/H]", "[N/H]", "12C/13C"],
        "other": ["[Na/H]", "[Al/H]", "[P/H]", "[K/H]", "[Cu/H]", "[Ge/H]"],
        "alpha": ["[O/H]", "[Mg/H]", "[Si/H]", "[S/H]", "[Ca/H]", "[Ti/H]"],
    }.items():
        screen.page.get_by_role("tab", name=tab).click()
        for title in [*titles, "T_eff", "log g", "v_turb", "v_macro", "[Fe/H]"]:
            expect(screen.box(title)).to_be_visible()
            expect(screen.slider(title)).to_be_visible()


def test_a_dropped_file_is_laid_over(screen, apstar):
    before = screen.pixels(FLUX)
    screen.drop(("mystar.fits", apstar))
    expect(screen.star).to_contain_text("2M19485057+5005279")
    expect(screen.button("observed")).to_be_visible()
    screen.wait_pixels(before, FLUX)
    screen.page.wait_for_function("window.deep.count(0, 0, 0, 0) > 500")
    # Residuals of both models.
    screen.page.wait_for_function("window.deep.count(1, 0, 114, 178) > 200")
    assert screen.count(MIDDLE, ADAPTED) > 200
    expect(screen.page.get_by_text("was left out")).to_be_visible()
    shown = screen.still(FLUX)
    screen.button("observed").click()
    assert screen.wait_pixels(shown, FLUX) != shown


def test_the_example_star_opens(screen):
    screen.button("Example star").click()
    expect(screen.star).to_contain_text("2M19485057+5005279")


def test_bad_files_are_told_and_good_ones_still_open(screen, apstar):
    before = screen.pixels(FLUX)
    screen.drop(
        ("notes.txt", b"a shopping list"),
        ("good.fits", apstar),
        ("cut.fits", apstar[: len(apstar) // 2]),
        ("empty.fits", b""),
    )
    page = screen.page
    expect(page.get_by_text("notes.txt is none of the files that are read").first).to_be_visible()
    expect(page.get_by_text("cut.fits is truncated").first).to_be_visible()
    expect(page.get_by_text("empty.fits is empty").first).to_be_visible()
    expect(screen.star).to_contain_text("2M19485057+5005279")
    # Nothing disappears by itself, and the session lives.
    page.wait_for_timeout(4000)
    expect(page.get_by_text("notes.txt is none of the files that are read").first).to_be_visible()
    after = screen.still(FLUX)
    assert after != before
    screen.slider("T_eff").press("Shift+ArrowRight")
    screen.wait_pixels(after, FLUX)


@pytest.mark.parametrize("kind", ["aspcapStar", "ECSV", "npz", "HDF5"])
def test_other_kinds_of_files_are_laid_over_and_named(screen, data_file, kind):
    name, content, words = content_of(kind, data_file)
    screen.drop((name, content))
    expect(screen.star).to_have_attribute("data-key", f"{name}#0")
    expect(screen.page.get_by_text(f"Read as {words}.")).to_be_visible()
    screen.page.wait_for_function("window.deep.count(0, 0, 0, 0) > 500")


def test_the_star_of_a_set_is_chosen_by_its_row(screen):
    screen.drop(("set.h5", many_stars(4)))
    row = screen.page.get_by_label("spectrum", exact=True)
    expect(row.locator("option")).to_have_count(4)
    assert row.locator("option").nth(2).inner_text().startswith("star 2, S/N")
    row.select_option("2")
    expect(row).to_have_value("2")


def test_pages_open_by_their_shortcuts(screen):
    page = screen.page
    current = page.locator("nav[aria-label=Pages] [aria-current]")
    for entry in (PAGES["about"], PAGES["lines"], PAGES["spectrum"]):
        page.keyboard.press("g")
        page.keyboard.press(entry.shortcut)
        expect(current).to_have_text(entry.title)
    # Where text is typed, letters are letters.
    screen.box("T_eff").press("g")
    screen.box("T_eff").press("a")
    expect(current).to_have_text("Spectrum")


def test_of_several_stars_the_first_is_shown_and_another_can_be_chosen(screen, apstar):
    screen.drop(("first.fits", apstar), ("second.fits", apstar))
    expect(screen.stars).to_have_count(2)
    expect(screen.stars.locator("td:first-child")).to_have_text(
        ["2M19485057+5005279 (first.fits)", "2M19485057+5005279 (second.fits)"]
    )
    expect(screen.star).to_contain_text("first.fits")
    screen.stars.nth(1).click()
    expect(screen.star).to_contain_text("second.fits")
    expect(screen.button("observed")).to_be_visible()
    shown = screen.still(FLUX)
    screen.button("Hide").click()
    screen.wait_pixels(shown, FLUX)
    expect(screen.button("observed")).to_have_count(0)
    expect(screen.star).to_have_count(0)


def test_a_dropped_star_is_fitted_and_undo_brings_the_labels_back(screen, apstar):
    page = screen.page
    before = screen.box("T_eff").input_value()
    screen.drop(("mystar.fits", apstar))
    # Labels and chi2 are read off the page.
    expect(
        page.get_by_text(re.compile(r"2M19485057\+5005279: reduced .* adapted, S/N 141"))
    ).to_be_visible()
    expect(screen.star).to_contain_text(re.compile(r"\d\.\d\d \u2192 \d\.\d\d"))
    expect(screen.box("T_eff")).not_to_have_value(before)
    fitted = screen.box("T_eff").input_value()
    assert 4500 < float(fitted) < 5300
    # The star is known to the Fit page, with the same labels.
    screen.button("Fit").click()
    labels = page.get_by_role("table", name="Labels of the star").get_by_role("row")
    expect(labels.filter(has_text="T_eff")).to_contain_text(f"{fitted} \u00b1")
    screen.button("Spectrum").click()
    screen.button("Undo").click()
    expect(screen.box("T_eff")).to_have_value(before)
    expect(screen.button("Undo")).to_have_count(0)


@pytest.mark.timeout(300)
def test_a_star_dropped_on_lines_is_the_star_everywhere_and_its_link_says_what_to_drop(
    browser, server, screen, apstar
):
    page = screen.page
    screen.button("Lines").click()
    expect(page.get_by_role("button", name="Open spectra, or drop them here")).to_be_visible()
    screen.drop(("mine.fits", apstar))
    expect(screen.star).to_contain_text(re.compile(r"\d\.\d\d \u2192 \d\.\d\d"))
    expect(page.get_by_text("observed: depth")).to_be_visible()
    screen.button("Map").click()
    expect(screen.star).to_contain_text("2M19485057+5005279")
    expect(page.get_by_text("stands nearest to")).to_be_visible()
    screen.button("Spectrum").click()
    expect(screen.button("observed")).to_be_visible()
    page.wait_for_url(re.compile(r"\?bundle=apogee-giants&labels=.*&star=mine.fits"))
    teff = screen.box("T_eff").input_value()

    other = open_screen(browser, page.url)
    told = other.page.get_by_text('The star "mine.fits" is not open here: drop the file')
    expect(told.first).to_be_visible()
    other.drop(("another.fits", apstar), ("mine.fits", apstar))
    expect(other.star).to_contain_text("mine.fits")
    expect(other.star).to_contain_text(re.compile(r"\d\.\d\d \u2192 \d\.\d\d"))
    expect(other.box("T_eff")).to_have_value(teff)
    other.page.context.close()


def test_derivatives_follow_the_element_and_the_labels(screen):
    everything = screen.still(LOWER)
    screen.button("Si").click()
    silicon = screen.wait_pixels(everything, LOWER)
    screen.page.wait_for_function("window.deep.count(2, 18, 126, 248) > 100")
    screen.slider("T_eff").press("Shift+ArrowRight")
    screen.wait_pixels(silicon, LOWER)


def test_chips_units_and_media(screen):
    def span():
        return screen.page.evaluate(
            """() => {
              const figure = window.deep.model((m) => m.type === "Figure")
              return [figure.x_range.start, figure.x_range.end]
            }"""
        )

    everything = screen.still(FLUX)
    low, high = span()
    screen.button("2").click()
    screen.wait_pixels(everything, FLUX)
    start, end = span()
    assert low < 15800 < start < end < 16500 < high
    screen.button("nm").click()
    screen.page.wait_for_function(
        "window.deep.model((m) => m.type === 'Figure').x_range.end < 1700"
    )
    assert span() == pytest.approx([start / 10, end / 10])
    screen.button("air").click()
    screen.page.wait_for_timeout(500)
    assert span()[0] == pytest.approx(start / 10 - 0.433, abs=0.01)
    screen.button("all").first.click()
    screen.page.wait_for_function(
        "window.deep.model((m) => m.type === 'Figure').x_range.end > 1690"
    )


def test_the_wheel_zooms_all_figures_alike(screen):
    before = [screen.still(k) for k in (FLUX, MIDDLE, LOWER)]
    screen.page.mouse.move(800, 200)
    screen.page.mouse.wheel(0, -300)
    for figure, look in enumerate(before):
        screen.wait_pixels(look, figure)


def test_the_cursor_is_read(screen):
    screen.page.mouse.move(800, 200)
    readout = screen.page.locator(".readout")
    expect(readout).to_contain_text("emulated")
    expect(readout).to_contain_text("truth")
    first = readout.inner_text()
    screen.page.mouse.move(850, 200)
    expect(readout).not_to_have_text(first)
    screen.page.mouse.move(100, 600)
    expect(readout).to_contain_text("to zoom")


def test_the_dark_theme_paints_dark(screen):
    screen.page.get_by_label("Toggle theme").click()
    screen.page.wait_for_function(
        """() => {
          const figure = window.deep.canvases(0)[0]
          let el = figure
          while (el) {
            const colour = getComputedStyle(el).backgroundColor
            const rgb = colour.match(/\\d+/g).map(Number)
            if (rgb.length === 3 || rgb[3] > 0) { return Math.max(...rgb.slice(0, 3)) < 60 }
            el = el.parentElement ?? el.getRootNode().host
          }
        }"""
    )
    screen.button("Example star").click()
    expect(screen.button("observed")).to_be_visible()
    screen.page.wait_for_function("window.deep.count(0, 255, 255, 255) > 500")


def test_nothing_scrolls(screen, apstar):
    screen.drop(("star.fits", apstar), ("notes.txt", b"no star"))
    told = screen.page.get_by_text("notes.txt is none of the files that are read")
    expect(told.first).to_be_visible()
    expect(screen.star).to_contain_text("2M19485057+5005279")
    too_long = screen.page.evaluate(
        """() => window.deep.all(document).filter((el) => {
          const style = getComputedStyle(el)
          const down = /auto|scroll/.test(style.overflowY) && el.scrollHeight > el.clientHeight + 1
          const right = /auto|scroll/.test(style.overflowX) && el.scrollWidth > el.clientWidth + 1
          return (down || right) && el.clientHeight > 0
        }).map((el) => `${el.tagName} ${el.className} ${el.scrollHeight} > ${el.clientHeight}`)"""
    )
    assert too_long == []
    size = screen.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size == [1280, 720]


def test_no_request_leaves_the_machine(screen, apstar):
    """A tour of all controls; the fixture looks at every request."""
    for name in ("Red clump", "Si", "1", "um".replace("um", "\u00b5m"), "air"):
        screen.button(name).click()
    for tab in ("iron-peak", "light", "other"):
        screen.page.get_by_role("tab", name=tab).click()
    screen.drop(("star.fits", apstar), ("bad.txt", b"x"))
    expect(screen.button("observed")).to_be_visible()
    screen.page.get_by_label("Toggle theme").click()
    screen.page.wait_for_timeout(1000)
    assert len(screen.requests) > 10
    assert any(url.startswith("ws://localhost") for url in screen.requests)
    assert any("roboto" in url for url in screen.requests), "fonts are served from here"
    assert screen.foreign == []


def test_sessions_do_not_disturb_each_other(browser, server, screen):
    other = open_screen(browser, server.url)
    before = other.still(FLUX)
    mine = screen.pixels(FLUX)
    screen.button("Arcturus-like").click()
    screen.wait_pixels(mine, FLUX)
    assert other.still(FLUX) == before
    assert other.box("T_eff").input_value() != "4286"
    other.page.context.close()


def test_panel_serves_the_file_by_its_path(browser, root, tmp_path):
    port = free_port()
    file = root / "apps" / "explorer.py"
    command = [sys.executable, "-m", "panel", "serve", str(file), "--port", str(port)]
    server = start_server(command, port, tmp_path)
    try:
        server.wait()
        screen = open_screen(browser, f"{server.url}/explorer?labels=teff:4300")
        expect(screen.box("T_eff")).to_have_value("4300")
        before = screen.pixels(FLUX)
        screen.slider("T_eff").press("Shift+ArrowRight")
        screen.wait_pixels(before, FLUX)
        assert screen.foreign == []
        assert screen.complaints == []
        screen.page.context.close()
    finally:
        server.stop()
