"""The Fit page in a real browser: files dropped, rows chosen, tables saved."""

import io
from pathlib import Path

import pytest
from astropy.table import Table
from playwright.sync_api import expect

from spectrabridge.explorer.figures.theme import ADAPTED, EMULATED

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

STAR = Path(__file__).parents[1] / "data" / "apStar-dr17-2M19485057+5005279.fits"
FLUX, RAW, RESIDUAL = 0, 1, 2


@pytest.fixture
def fit(screen):
    """The Fit page, opened from the first one."""
    screen.button("Fit").click()
    expect(screen.page.get_by_text("No stars yet.")).to_be_visible()
    return screen


def stars(screen):
    return screen.page.locator('table[aria-label="Fitted stars"] tbody')


def row(screen, name):
    return stars(screen).locator("tr").filter(has_text=name)


def chosen(screen):
    return stars(screen).locator('tr[aria-selected="true"] td').first


def fitted(screen, n):
    expect(screen.page.get_by_text(f"{n} fitted, ")).to_be_visible()


def test_files_are_dropped_fitted_and_shown(fit):
    content = STAR.read_bytes()
    fit.drop((STAR.name, content), ("notes.txt", b"no star"), ("twin.fits", content))
    fitted(fit, 2)
    expect(row(fit, "notes.txt")).to_contain_text("unreadable")
    expect(chosen(fit)).to_have_text("2M19485057+5005279")
    fit.page.wait_for_function("window.deep.canvases(2).length > 0")
    star = fit.still(FLUX)
    assert fit.count(RESIDUAL, ADAPTED) > 500
    assert fit.count(RAW, EMULATED) > 500
    # The labels of the star, all of them.
    expect(fit.page.get_by_role("row").filter(has_text="v_macro")).to_have_count(1)

    # What cannot be read says why.
    row(fit, "notes.txt").click()
    expect(fit.page.get_by_text("notes.txt is none of the files that are read")).to_be_visible()

    # With the keyboard.
    fit.page.keyboard.press("ArrowDown")
    expect(row(fit, "twin.fits")).to_have_attribute("aria-selected", "true")
    fit.page.keyboard.press("Home")
    expect(row(fit, STAR.name)).to_have_attribute("aria-selected", "true")
    fit.still(FLUX)

    # A curve is hidden by its name, and comes back.
    before = fit.still(FLUX)
    fit.button("adapted").click()
    hidden = fit.wait_pixels(before, FLUX)
    fit.button("adapted").click()
    fit.wait_pixels(hidden, FLUX)

    # All stars at once.
    before = fit.pixels(FLUX)
    fit.button("all stars").click()
    fit.wait_pixels(before, FLUX)
    fit.button("one star").click()
    fit.page.wait_for_function("window.deep.canvases(2).length > 0")

    # A chip.
    star = fit.still(FLUX)
    fit.button("2").click()
    fit.wait_pixels(star, FLUX)

    # Saved.
    with fit.page.expect_download() as download:
        fit.button("ECSV").click()
    table = Table.read(Path(download.value.path()).read_text(), format="ascii.ecsv")
    assert len(table) == 3
    assert list(table["flags"])[1] == "unreadable"

    # Nothing scrolls but tables.
    size = fit.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert size == [1280, 720]
    scrolled = fit.page.evaluate(
        """() => window.deep.all(document).filter((el) => {
          const style = getComputedStyle(el)
          return /auto|scroll/.test(style.overflowY) && el.scrollHeight > el.clientHeight + 1 &&
            el.clientHeight > 0 && !el.querySelector("table") && !el.shadowRoot
        }).map((el) => `${el.tagName} ${el.className}`).filter((name) => name !== "DIV ")"""
    )
    assert all("bk-panel-models-markup" in name for name in scrolled), scrolled


def test_a_star_goes_to_the_spectrum_page(fit):
    fit.button("Example").click()
    expect(chosen(fit)).to_have_text("2M19485057+5005279")
    expect(fit.button("Show in Spectrum")).to_be_enabled()
    teff = stars(fit).locator("tr td.number").nth(1).inner_text().split(" ")[0]
    fit.button("Show in Spectrum").click()
    expect(fit.box("T_eff")).to_be_visible()
    expect(fit.box("T_eff")).to_have_value(teff)
    expect(fit.star).to_contain_text("2M19485057+5005279")
    expect(fit.button("Stop")).not_to_be_visible()
    before = fit.still(FLUX)
    fit.slider("T_eff").press("Shift+ArrowRight")
    fit.wait_pixels(before, FLUX)
    # And back: the star is still there.
    fit.button("Fit").click()
    expect(chosen(fit)).to_have_text("2M19485057+5005279")


def test_labels_are_held_and_nonsense_is_refused_with_the_keyboard(fit):
    fit.button("Options").press("Enter")
    box = fit.box("held labels")
    box.fill("vmacro=fast")
    box.press("Enter")
    expect(fit.page.get_by_text("found 'vmacro=fast'. No label is held.")).to_be_visible()
    expect(box).to_have_attribute("aria-invalid", "true")
    box.fill("v_macro=4")
    box.press("Enter")
    expect(box).to_have_attribute("aria-invalid", "false")
    fit.button("Example").press("Enter")
    held = fit.page.get_by_role("row").filter(has_text="v_macro")
    expect(held).to_contain_text("4.00 held")


def test_pages_are_reached_by_keyboard(screen):
    screen.page.get_by_role("button", name="Spectrum", exact=True).focus()
    for _ in range(4):  # past Derivatives and Map, one too far, and back
        screen.page.keyboard.press("ArrowRight")
    screen.page.keyboard.press("ArrowLeft")
    screen.page.keyboard.press("Enter")
    expect(screen.page.get_by_text("No stars yet.")).to_be_visible()
    current = screen.page.locator("nav [aria-current=page]")
    expect(current).to_have_text("Fit")
    # A file that is dropped goes to the page that is open, and to no other.
    screen.drop(("notes.txt", b"no star"))
    expect(row(screen, "notes.txt")).to_contain_text("unreadable")
    screen.button("Spectrum").click()
    expect(screen.box("T_eff")).to_be_visible()
    expect(screen.page.get_by_text("notes.txt is not a FITS file")).to_have_count(0)


def test_rows_are_sorted_by_their_columns(fit):
    for name in ("b.txt", "a.txt", "c.txt"):
        fit.drop((name, b"no star"))
    expect(row(fit, "c.txt")).to_be_visible()
    names = stars(fit).locator("tr td:first-child")
    expect(names).to_have_text(["b.txt", "a.txt", "c.txt"])
    title = fit.page.get_by_role("button", name="Sort by star", exact=True)
    title.click()
    expect(names).to_have_text(["a.txt", "b.txt", "c.txt"])
    title.click()
    expect(names).to_have_text(["c.txt", "b.txt", "a.txt"])
    title.click()
    expect(names).to_have_text(["b.txt", "a.txt", "c.txt"])


def test_several_drops_queue_up_and_stop_keeps_what_is_done(fit):
    # So many, and from so many starts, that some wait when Stop is pressed, however fast fits are.
    n, content = 40, STAR.read_bytes()
    fit.button("Options").click()
    fit.page.get_by_label("starts", exact=True).select_option("5")
    fit.drop(*((f"{i}.fits", content) for i in range(n // 2)))
    fit.drop(*((f"{i}.fits", content) for i in range(n // 2, n)))
    expect(row(fit, f"{n - 1}.fits")).to_be_attached()
    expect(fit.page.get_by_role("progressbar", name="Stars fitted")).to_be_visible()
    expect(fit.page.get_by_text(f"of {n} fitted")).to_be_visible()
    fit.button("Stop").click()
    expect(fit.page.get_by_text("stopped before the fit.")).to_be_visible()
    with fit.page.expect_download() as download:
        fit.button("FITS").click()
    table = Table.read(io.BytesIO(Path(download.value.path()).read_bytes()), format="fits")
    assert len(table) == n
    flags = [str(f) for f in table["flags"]]
    assert 1 <= flags.count("not_fitted") < n
