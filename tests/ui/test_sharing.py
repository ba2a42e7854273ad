"""Links, pictures, tables, Python and pages of what is shown, in a real browser."""

import io
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from playwright.sync_api import expect

from spectrabridge.core.io.apstar import example_apstar
from spectrabridge.explorer.figures.theme import ADAPTED, EMULATED

from .conftest import DEEP, SIZE, TOUR_SEEN, Screen, open_screen

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

FLUX, MIDDLE, LOWER = 0, 1, 2


def query(screen):
    return {k: v[0] for k, v in parse_qs(urlsplit(screen.page.url).query).items()}


def wait_query(screen, text):
    screen.page.wait_for_function(
        "(text) => decodeURIComponent(location.search).includes(text)",
        arg=text,
    )


def saved(screen, name):
    """Press a button of the menu and return name and content of the file that comes."""
    with screen.page.expect_download(timeout=60_000) as coming:
        screen.page.get_by_label(name, exact=True).click()
    return coming.value.suggested_filename, coming.value.path().read_bytes()


def near(picture, colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(picture[..., :3].astype(int) - rgb).max(axis=-1) < 40).sum())


def test_the_address_follows_and_brings_the_view_back(browser, server, screen):
    page = screen.page
    page.evaluate(
        """() => {
          window.same = true
          window.replaced = 0
          const replace = history.replaceState.bind(history)
          history.replaceState = (...a) => { window.replaced += 1; replace(...a) }
        }"""
    )
    screen.drag("T_eff", seconds=2)
    wait_query(screen, "labels=teff:")
    assert page.evaluate("window.replaced") <= 2, "the address must not follow every move"
    screen.button("Si").click()
    screen.button("nm").click()
    wait_query(screen, "element=Si")
    wait_query(screen, "unit=nm")
    assert page.evaluate("window.same && history.length") <= 2
    other = open_screen(browser, page.url)
    expect(other.box("T_eff")).to_have_value(screen.box("T_eff").input_value())
    assert other.page.evaluate("window.deep.spectra()") == page.evaluate("window.deep.spectra()")
    expect(other.button("Si")).to_have_attribute("aria-pressed", "true")
    expect(other.button("nm")).to_have_attribute("aria-pressed", "true")
    assert other.complaints == []
    other.page.context.close()


def test_a_hostile_link_opens_the_usual_view_with_one_message(browser, server):
    bad = (
        "bundle=../../etc/passwd&page=%3Cimg%20src=x%20onerror=alert(1)%3E&theme=%ff"
        "&labels=teff:nan,Mg:1e999,%3Cb%3E:1&window=nan,inf&star=%00&x=" + "y" * 5000
    )
    screen = open_screen(browser, f"{server.url}/?{bad}")
    message = screen.page.get_by_text("Not all of the link was understood").first
    expect(message).to_be_visible()
    expect(message).to_contain_text('There is no bundle "../../etc/passwd"')
    expect(message).to_contain_text("more.")
    expect(screen.box("T_eff")).to_have_value("4750")
    assert (
        screen.page.evaluate("window.deep.all(document).filter(e => e.matches('img[src=x]'))") == []
    )
    assert screen.complaints == []
    assert screen.foreign == []
    screen.page.context.close()


def test_the_link_is_copied_even_without_a_clipboard(browser, server):
    context = browser.new_context(viewport=SIZE)
    context.add_init_script(TOUR_SEEN)
    # As on pages that come over plain http from another machine.
    context.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "document.execCommand = () => false"
    )
    screen = Screen(context.new_page()).open(server.url)
    screen.box("[Mg/H]").fill("0.25")
    # The box is left by the click: the link must have what was typed.
    screen.button("Share").click()
    screen.page.get_by_label("Link to this view: Copy link").click()
    field = screen.page.get_by_label("Link", exact=True)
    expect(field).to_be_visible()
    link = field.input_value()
    assert link == f"{server.url}/?bundle=apogee-giants&labels=Mg:0.25"
    assert (
        screen.page.evaluate(
            """() => {
          const field = window.deep.all(document).find((e) => e.matches("textarea[readonly]"))
          return field.value.slice(field.selectionStart, field.selectionEnd)
        }"""
        )
        == link
    )
    expect(screen.page.get_by_text("Copy the link from here")).to_be_visible()
    screen.page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    assert screen.complaints == []
    context.close()


def test_what_is_shown_can_be_taken_home(browser, server, tmp_path):
    screen = open_screen(
        browser, f"{server.url}/?labels=teff:4400,Mg:0.2&element=Mg&window=15950,16000&star=example"
    )
    page = screen.page
    expect(screen.button("observed")).to_be_visible()
    page.wait_for_function("window.deep.count(2, 37, 208, 99) > 50", timeout=90_000)
    source = page.evaluate("Array.from(window.deep.model((m) => m.data?.root_ivar).data.emulated)")
    shown = np.array([np.nan if v is None else v for v in source])
    shown = shown[np.isfinite(shown)]
    screen.button("Share").click()

    name, content = saved(screen, "Picture: PNG")
    assert name == "spectrabridge-apogee-giants-spectrum.png"
    picture = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    assert tuple(picture[-1, 0]) == (255, 255, 255)
    assert picture.shape[1] > 880 and picture.shape[0] > 500
    assert min(near(picture, c) for c in (EMULATED, ADAPTED, "#000000", "#25d063")) > 50

    name, content = saved(screen, "Data: FITS")
    with fits.open(io.BytesIO(content)) as file:
        table, header = file[1].data, file[1].header
        assert np.allclose(table["emulated"], shown, atol=1e-6)
        for column in ("wavelength_air", "spread", "observed", "residual_adapted", "d_adapted_dMg"):
            assert np.isfinite(table[column]).sum() > 5000
        assert header["BUNDLE"] == "apogee-giants"
        assert "teff=4400" in header["LABELS"] and "Mg=0.2" in header["LABELS"]
        assert len(header["HASH"]) == 16
        adapted = np.array(table["adapted"])

    name, content = saved(screen, "Python for a notebook: Save")
    script = tmp_path / name
    script.write_text(
        content.decode()
        + "\nimport numpy as np\n"
        + "on = model.grid.chip_pixels\n"
        + "np.savez('spectra.npz', emulated=emulated[on], adapted=adapted[on])\n"
        + "assert view.state.window == (15950.0, 16000.0) and view.state.element == 'Mg'\n"
    )
    subprocess.run([sys.executable, script.name], cwd=tmp_path, check=True, timeout=120)
    with np.load(tmp_path / "spectra.npz") as file:
        assert np.allclose(file["emulated"], shown, atol=1e-5)
        assert np.allclose(file["adapted"], adapted, atol=1e-5)

    name, content = saved(screen, "Page that opens offline: HTML")
    (tmp_path / name).write_bytes(content)
    assert screen.complaints == []
    page.context.close()
    offline(browser, tmp_path / name)


def offline(browser, path):
    """Open a file without a network: it must ask for nothing and show the spectra."""
    context = browser.new_context(viewport=SIZE, offline=True)
    page = context.new_page()
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.add_init_script(DEEP)
    page.goto(path.as_uri())
    page.wait_for_function(
        "window.deep.canvases(0).length > 0 && window.deep.count(0, 0, 114, 178) > 200 && "
        "window.deep.count(0, 224, 123, 0) > 20 && window.deep.count(2, 37, 208, 99) > 50",
    )
    expect(page.get_by_text("T_eff 4400 K")).to_be_visible()
    expect(page.locator("header span", has_text="observed")).to_be_visible()
    # It lives: zooming draws anew.
    before = page.evaluate("window.deep.pixels(0)")
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -500)
    page.wait_for_function("(b) => window.deep.pixels(0) !== b", arg=before)
    assert complaints == []
    assert [u for u in requests if not u.startswith(("file:", "data:", "blob:"))] == []
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("page_", ["derivatives", "map", "lines"])
def test_other_pages_are_shared_too(browser, server, page_, tmp_path):
    context = browser.new_context(viewport=SIZE)
    context.add_init_script(TOUR_SEEN)
    screen = Screen(context.new_page())
    page = screen.page
    page.on("pageerror", lambda error: screen.complaints.append(str(error)))
    page.add_init_script(DEEP)
    page.goto(f"{server.url}/?page={page_}&theme=dark")
    page.wait_for_function(
        "window.deep.all(document).some((e) => e.tagName === 'CANVAS' && e.width > 250)",
    )
    page.wait_for_timeout(4000)
    screen.button("Share").click()
    name, content = saved(screen, "Picture: PNG")
    assert name == f"spectrabridge-apogee-giants-{page_}.png"
    picture = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    assert tuple(picture[-1, 0]) == (18, 18, 18)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    name, content = saved(screen, "Page that opens offline: HTML")
    assert len(content) < 8_000_000
    (tmp_path / name).write_bytes(content)
    assert screen.complaints == []
    context.close()
    context = browser.new_context(viewport=SIZE, offline=True)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(DEEP)
    page.goto((tmp_path / name).as_uri())
    page.wait_for_function(
        "window.deep.all(document).some((e) => e.tagName === 'CANVAS' && e.width > 200)"
    )
    assert complaints == []
    context.close()


def test_another_bundle_by_mouse_in_the_middle_of_a_drag(screen):
    page = screen.page
    where = screen.slider("T_eff").bounding_box()
    y = where["y"] + where["height"] / 2
    page.mouse.move(where["x"] + where["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(where["x"] + 0.8 * where["width"], y, steps=8)
    # A mouse cannot do both; a keyboard or another finger can.
    page.get_by_label("bundle", exact=True).select_option("mock-lines")
    page.mouse.move(where["x"] + 0.3 * where["width"], y, steps=8)
    page.mouse.up()
    expect(page.get_by_text("Hidden lines: can the adaptation").first).to_be_visible()
    wait_query(screen, "bundle=mock-lines")
    page.wait_for_function("window.deep.count(0, 0, 114, 178) > 500")
    # Nothing of the old bundle is left: typed anew, the labels give the same spectra.
    page.wait_for_timeout(1000)
    screen.still(FLUX)
    value, shown = screen.box("T_eff").input_value(), page.evaluate("window.deep.spectra()")
    for text in ("5000", value):
        screen.box("T_eff").fill(text)
        screen.box("T_eff").press("Enter")
        screen.still(FLUX)
    assert page.evaluate("window.deep.spectra()") == pytest.approx(shown, abs=1e-3)


def test_another_bundle_by_keyboard_and_by_link(browser, server, screen):
    page = screen.page
    page.get_by_label("bundle", exact=True).focus()
    page.keyboard.press("ArrowDown")
    wait_query(screen, "bundle=mock-lines")
    expect(page.get_by_text("Hidden lines: can the adaptation").first).to_be_visible()
    page.wait_for_function("window.deep.count(0, 0, 114, 178) > 500")
    other = open_screen(browser, page.url)
    expect(other.page.get_by_label("bundle", exact=True)).to_have_value("mock-lines")
    assert other.page.evaluate("window.deep.spectra()") == page.evaluate("window.deep.spectra()")
    other.page.context.close()


def test_ten_files_at_once(screen):
    apstar = example_apstar().read_bytes()
    files = [(f"star{i}.fits", apstar) for i in range(8)]
    files += [("notes.txt", b"no star"), ("cut.fits", apstar[:5000])]
    screen.drop(*files)
    expect(screen.stars.first).to_contain_text("star0.fits")
    expect(screen.stars).to_have_count(8)
    told = screen.page.get_by_text("notes.txt is none of the files that are read")
    expect(told.first).to_be_visible()
    expect(screen.page.get_by_text("cut.fits").first).to_be_visible()
    expect(screen.button("observed")).to_be_visible()
    before = screen.still(FLUX)
    screen.slider("T_eff").press("Shift+ArrowRight")
    screen.wait_pixels(before, FLUX)
