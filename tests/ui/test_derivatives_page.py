"""The Derivatives page and the zoom that pages share, in a real browser."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

MAP, CURVES = 0, 1
MOST_CHANGED = """() => {
  // Where the strongest derivative of silicon stands in the map, in pixels of the page.
  const source = window.deep.model((m) => m.data?.image && m.data?.dw)
  const [picture] = source.data.image
  const [rows, columns] = picture.shape
  const row = rows - 1 - 6
  let best = 0
  for (let i = 0; i < columns; i++) {
    const here = Math.abs(picture[row * columns + i])
    if (here > Math.abs(picture[row * columns + best])) { best = i }
  }
  const figure = [...Bokeh.documents[0].all_models].find(
    (m) => m.type === "Figure" && m.renderers.some((r) => r.data_source === source))
  const box = window.deep.canvases(0)[0].getBoundingClientRect()
  const left = figure.min_border_left
  const step = figure.inner_height / rows
  return {
    x: box.x + left + (best + 0.5) * figure.inner_width / columns,
    y: box.y + figure.min_border_top + 6.5 * step,
    width: figure.inner_width, columns,
  }
}"""


@pytest.fixture
def derivatives(screen):
    screen.button("Derivatives").click()
    drawn = "window.deep.model((m) => m.data?.image && m.data?.dw)?.data.image[0].shape[1] > 100"
    screen.page.wait_for_function(drawn)
    screen.still(MAP)
    return screen


def view(screen):
    return screen.page.evaluate(
        """() => {
          const figure = [...Bokeh.documents[0].all_models].find((m) => m.type === "Figure")
          return [figure.x_range.start, figure.x_range.end]
        }"""
    )


def test_a_line_one_column_wide_is_painted_at_full_zoom_out(derivatives):
    found = derivatives.page.evaluate(MOST_CHANGED)
    assert found["columns"] == found["width"]
    # The picture has one column per pixel of the screen, so none is left out: each of the
    # columns around the strongest is on the canvas with a colour of its own.
    seen = derivatives.page.evaluate(
        """({x, y}) => {
          const canvas = window.deep.canvases(0)[0]
          const box = canvas.getBoundingClientRect()
          const pixel = (dx) => [...canvas.getContext("2d").getImageData(
            Math.floor(x + dx - box.x), Math.round(y - box.y), 1, 1).data]
          return [-6, -1, 0, 1, 6].map(pixel)
        }""",
        found,
    )
    away = max(abs(a - b) for a, b in zip(seen[0], seen[2], strict=True))
    assert max(away, *(max(abs(a - b) for a, b in zip(s, seen[4], strict=True)) for s in seen)) > 30


def test_a_click_on_a_feature_zooms_the_spectrum_page(derivatives):
    before = view(derivatives)
    where = derivatives.page.evaluate(MOST_CHANGED)
    derivatives.page.mouse.click(where["x"], where["y"])
    derivatives.page.wait_for_function(
        """() => {
          const {x_range} = [...Bokeh.documents[0].all_models].find((m) => m.type === "Figure")
          return Math.abs(x_range.end - x_range.start) < 30
        }""",
    )
    expect(derivatives.page.get_by_role("button", name="Si", exact=True).last).to_have_attribute(
        "aria-pressed", "true"
    )
    low, high = view(derivatives)
    # The strongest may be at the very end of the spectra.
    assert before[0] <= low < high < before[1]
    derivatives.button("Spectrum").click()
    derivatives.still(0)
    assert view(derivatives) == pytest.approx([low, high], abs=0.05)
    # And back, by the key.
    derivatives.page.keyboard.press("[")
    derivatives.page.wait_for_function(
        """() => {
          const {x_range} = [...Bokeh.documents[0].all_models].find((m) => m.type === "Figure")
          return Math.abs(x_range.end - x_range.start) > 1000
        }""",
    )


def test_the_map_follows_the_sliders_and_its_own_buttons(derivatives):
    look = derivatives.pixels(MAP)
    derivatives.slider("T_eff").press("Shift+ArrowRight")
    look = derivatives.wait_pixels(look, MAP)
    for name in ("root", "each row", "emulated"):
        derivatives.button(name).last.click()
        look = derivatives.wait_pixels(look, MAP)
    curves = derivatives.still(CURVES)
    derivatives.button("Mg").last.click()
    derivatives.wait_pixels(curves, CURVES)
    # The spectra have moved meanwhile, without being seen.
    spectra = derivatives.page.evaluate("window.deep.spectra()")
    derivatives.button("Spectrum").click()
    derivatives.page.wait_for_function("(before) => window.deep.spectra() !== before", arg=spectra)


def test_the_about_page_reads_to_its_end(screen):
    screen.button("About").click()
    page = screen.page
    expect(page.get_by_text("Before you use it").last).to_be_visible()
    screen.button("Data and licence").click()
    expect(page.get_by_text("MARCS").last).to_be_in_viewport()
    size = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size == [1280, 720]
    page.get_by_role("button", name="Derivatives", exact=True).last.click()
    current = page.locator("nav [aria-current=page]")
    expect(current).to_have_text("Derivatives")
