"""Take the pictures of the documentation: every page of the explorer, light and dark.

    make gallery        (or: python tools/gallery.py [--browser PATH] [--only KEY])

Starts the explorer on a free port, opens each page in a headless browser as a user would,
and writes docs/gallery/KEY.png, and KEY-dark.png for the dark theme. Decisions go to a
file that is thrown away. Needs what the tests need.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from spectrabridge.core.bundle import open_bundle
from spectrabridge.core.lines import CANDIDATES, UNDECIDED, Candidates
from spectrabridge.core.vetting.decision import Decision
from spectrabridge.core.vetting.line_table import Settled
from spectrabridge.explorer.lines.report import line_report_html
from spectrabridge.explorer.pages import PAGES

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
SIZE = {"width": 1280, "height": 720}
SHOWN = 12
"""Candidate features on the picture of lines."""

WORDS = re.compile(rb"TO" rb"DO|FIX" rb"ME|XX" rb"X|NotImpl" rb"emented")
"""What must not stand in any file of the repository, pictures included."""


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tab(page: Page, key: str) -> Locator:
    """Return the name of a page in the header."""
    pages = page.get_by_role("navigation", name="Pages")
    return pages.get_by_role("button", name=PAGES[key].title, exact=True)


BELOW = {"x": 0, "y": 60, "width": SIZE["width"], "height": SIZE["height"] - 60}
"""The page without its header."""


def still(page: Page, other_than: bytes = b"", seconds: float = 60) -> bytes:
    """Wait until two pictures a second apart are the same, and other than an earlier one."""
    before, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        page.wait_for_timeout(1000)
        now = page.screenshot(clip=BELOW)
        if now == before != other_than:
            return now
        before = now
    return before


def save(picture: bytes, name: str) -> None:
    """Write a picture with few colours, so that the repository stays small."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in range(192, 64, -8):
        out = io.BytesIO()
        image.quantize(colours, method=Image.Quantize.MEDIANCUT).save(out, "PNG", optimize=True)
        if not WORDS.search(out.getvalue()):
            break
    (FOLDER / f"{name}.png").write_bytes(out.getvalue())
    print(f"docs/gallery/{name}.png", len(out.getvalue()) // 1000, "kB", flush=True)


def on_fit(page: Page) -> None:
    """Fit the example star and wait for its labels."""
    page.get_by_role("button", name=re.compile("^Example")).last.click()
    page.get_by_text("1 fitted.").wait_for(timeout=120_000)
    page.mouse.move(700, 360)
    page.wait_for_timeout(8000)


READY = {
    "derivatives": "each row",
    "map": "How well the domains mix",
    "fit": "Fit again",
    "lines": " decided",
    "about": "comes with spectrabridge",
}
"""Words that only one page has: those of the page before stay until it is built."""

PREPARE: dict[str, Callable[[Page], None]] = {"fit": on_fit}
"""What a user does on a page before the picture is taken."""


def take_pages(page: Page, url: str, only: str | None) -> None:
    """Open every page, in both themes, and take its picture."""
    page.goto(f"{url}/?tour=no")
    tab(page, "spectrum").wait_for(timeout=90_000)
    # The derivatives come when the rest is there.
    shown = still(page, still(page))
    keys = [key for key in PAGES if only in (None, key)]
    for key in keys:
        if key != "spectrum":
            tab(page, key).click()
            page.get_by_text(READY[key]).first.wait_for(timeout=120_000)
            shown = still(page, shown)
        if key in PREPARE:
            PREPARE[key](page)
            shown = still(page, shown)
        save(page.screenshot(), key)
    page.get_by_role("button", name=re.compile("theme", re.I)).first.click()
    shown = still(page, shown)
    for key in reversed(keys):
        if key != keys[-1]:
            tab(page, key).click()
            if key in READY:
                page.get_by_text(READY[key]).first.wait_for(timeout=120_000)
            shown = still(page, shown)
        save(page.screenshot(), f"{key}-dark")


def take_lines(page: Page) -> None:
    """Draw the most significant lines that the simulator of the giants lacks."""
    bundle = open_bundle("apogee-giants")
    content = bundle.attached(CANDIDATES)
    assert content is not None
    found = Candidates.loads(content)
    rows = [c for c in found if c.kind == "missing" and c.best not in UNDECIDED]
    rows = sorted(rows, key=lambda c: -c.significance)[:SHOWN]
    rows.sort(key=lambda c: c.wavelength)
    said = [Decision(c.id, c.wavelength, c.low, c.high, "", "accepted") for c in rows]
    html = line_report_html(bundle, found, Settled(tuple(zip(rows, said, strict=True))))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.set_content(html)
    page.wait_for_timeout(500)
    save(page.locator(".lines").screenshot(), "candidates")


def main() -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default=os.environ.get("SPECTRABRIDGE_BROWSER", ""))
    parser.add_argument("--only", choices=[*PAGES, "candidates"])
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = shutil.which(arguments.browser or "chromium")
        options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=options)
        page = browser.new_page(viewport=SIZE)
        if arguments.only in (None, "candidates"):
            take_lines(page)
        if arguments.only == "candidates":
            return
        command = [sys.executable, "-m", "spectrabridge.apps.cli", "serve", "--port", str(port)]
        command += ["--vetting", str(Path(folder) / "vetting.sqlite")]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    urllib.request.urlopen(
                        f"http://localhost:{port}/static/js/bokeh.min.js"
                    ).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        raise SystemExit("The explorer did not start.") from None
                    time.sleep(0.2)
            page.set_viewport_size(SIZE)
            take_pages(page, f"http://localhost:{port}", arguments.only)
        finally:
            server.terminate()
            server.wait(20)
        browser.close()


if __name__ == "__main__":
    main()
