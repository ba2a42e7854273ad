"""A real server and a real browser. Without a browser these tests fail: they never skip."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

SIZE = {"width": 1280, "height": 720}

WAIT_SECONDS = 120
"""Limit of everything that is waited for: it says that a test hangs, not how fast a page is."""

expect.set_options(timeout=1000 * WAIT_SECONDS)

DEEP = """
(() => {
  const all = (root, found = []) => {
    for (const el of root.querySelectorAll("*")) {
      found.push(el)
      if (el.shadowRoot) { all(el.shadowRoot, found) }
    }
    return found
  }
  // Canvases of figure `k`, counted from the top of the page.
  const canvases = (k) => {
    // Pages that are not open are there, but have no place.
    const wide = all(document).filter(
      (el) => el.tagName === "CANVAS" && el.width > 500 && el.getClientRects().length > 0)
    const tops = [...new Set(wide.map((el) => Math.round(el.getBoundingClientRect().top)))]
    tops.sort((a, b) => a - b)
    return wide.filter((el) => Math.round(el.getBoundingClientRect().top) === tops[k])
  }
  const data = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
  window.deep = {
    all,
    canvases,
    // A number that changes when pixels of a figure do.
    pixels: (k) => canvases(k).reduce((sum, canvas) => {
      const values = new Uint32Array(data(canvas).data.buffer)
      for (let i = 0; i < values.length; i++) { sum = (Math.imul(sum, 31) + values[i]) | 0 }
      return sum
    }, 7),
    // How many pixels of a figure have about this colour.
    count: (k, red, green, blue) => canvases(k).reduce((n, canvas) => {
      const v = data(canvas).data
      for (let i = 0; i < v.length; i += 4) {
        if (v[i + 3] > 150 && Math.abs(v[i] - red) < 40 && Math.abs(v[i + 1] - green) < 40 &&
            Math.abs(v[i + 2] - blue) < 40) { n += 1 }
      }
      return n
    }, 0),
    // The spectra as sent, every pixel, as one number.
    spectra: () => {
      // After a change of the bundle the browser keeps earlier figures for a while.
      const all = [...Bokeh.documents[0].all_models]
      const {emulated} = all.filter((m) => m.data?.root_ivar).at(-1).data
      return emulated.reduce((sum, v) => Number.isFinite(v) ? sum + v : sum, 0)
    },
    model: (test) => Bokeh.documents.flatMap((d) => [...d.all_models]).find(test),
  }
})()
"""
"""Looks into canvases, which stand inside shadow roots."""


def find_browser(own: str) -> str:
    """Return the browser that is asked for, else Playwright's Chromium, else the system's."""
    asked = os.environ.get("SPECTRABRIDGE_BROWSER", "")
    if asked:
        if Path(asked).exists() or shutil.which(asked):
            return shutil.which(asked) or asked
        pytest.fail(f"SPECTRABRIDGE_BROWSER names {asked}, which is not there.")
    if Path(own).exists():
        return own
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.fail(
        "No browser for the browser tests: run `playwright install chromium`, or install the "
        "system's Chromium package."
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running explorer."""

    process: subprocess.Popen
    url: str
    started: float
    log: Path

    def wait(self, seconds: float = 60, path: str = "/static/js/bokeh.min.js") -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                pytest.fail(f"The server ended early:\n{self.log.read_text()}")
            try:
                urllib.request.urlopen(self.url + path, timeout=5).close()
                return
            except OSError:
                time.sleep(0.05)
        pytest.fail(f"The server did not answer in {seconds} s:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start_server(command: list[str], port: int, folder: Path) -> Server:
    log = folder / f"server-{port}.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
    return Server(process, f"http://localhost:{port}", time.monotonic(), log)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        path = find_browser(playwright.chromium.executable_path)
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        # Anything but this machine cannot be found, so a request for it is an error.
        rules = "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
        arguments.append(f"--host-resolver-rules={rules}")
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    """The explorer as `serve` runs it, started when the browser is up."""
    port = free_port()
    code = f"from spectrabridge.apps.explorer import serve; serve(port={port})"
    server = start_server([sys.executable, "-c", code], port, tmp_path_factory.mktemp("server"))
    server.wait()
    yield server
    server.stop()


@dataclass
class Screen:
    """The explorer in one tab, with what a user does and sees."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> Screen:
        self.page.set_default_timeout(1000 * WAIT_SECONDS)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda ws: self.requests.append(ws.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._console)
        self.page.add_init_script(DEEP)
        self.page.goto(url, wait_until="commit")
        self.page.wait_for_function(
            "window.deep.canvases(0).length > 0 && window.deep.count(0, 0, 114, 178) > 500",
            timeout=1000 * WAIT_SECONDS,
            polling=100,
        )
        return self

    def _console(self, message) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    @property
    def foreign(self) -> list[str]:
        """Requests that left this machine."""
        urls = [urlsplit(u) for u in self.requests]
        return [
            u.geturl()
            for u in urls
            if u.scheme not in ("data", "blob") and u.hostname not in ("localhost", "127.0.0.1")
        ]

    def slider(self, title: str):
        return self.page.get_by_label(f"{title} slider", exact=True)

    def box(self, title: str):
        return self.page.get_by_label(title, exact=True)

    def button(self, name: str):
        """A button by what stands on it; a tooltip goes on after a colon."""
        return self.page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}(:|$)"))

    @property
    def star(self):
        """The row of the star on show, in the list of open stars."""
        return self.stars.and_(self.page.locator('[aria-selected="true"]'))

    @property
    def stars(self):
        """The rows of the list of open stars that the page shows."""
        return self.page.get_by_role("grid", name="Open stars", exact=True).locator("tbody tr")

    def pixels(self, figure: int = 0) -> int:
        return self.page.evaluate("(k) => window.deep.pixels(k)", figure)

    def count(self, figure: int, colour: str) -> int:
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        return self.page.evaluate("([k, c]) => window.deep.count(k, ...c)", [figure, rgb])

    def wait_pixels(self, before: int, figure: int = 0, seconds: float = WAIT_SECONDS) -> int:
        """Wait until a figure looks different from `before`; return how it looks then."""
        self.page.wait_for_function(
            "([k, before]) => window.deep.pixels(k) !== before",
            arg=[figure, before],
            timeout=1000 * seconds,
            polling=50,
        )
        return self.pixels(figure)

    def still(self, figure: int = 0, seconds: float = WAIT_SECONDS) -> int:
        """Wait until a figure has not changed for half a second; return how it looks."""
        deadline = time.monotonic() + seconds
        last, since = self.pixels(figure), time.monotonic()
        while time.monotonic() < deadline:
            self.page.wait_for_timeout(100)
            now = self.pixels(figure)
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 0.5:
                return now
        pytest.fail(f"Figure {figure} did not come to rest in {seconds} s.")

    def drop(self, *files: tuple[str, bytes]) -> None:
        """Drop files onto the middle of the page."""
        transfer = self.page.evaluate_handle(
            """(files) => {
              const transfer = new DataTransfer()
              for (const [name, bytes] of files) {
                const text = atob(bytes)
                const content = Uint8Array.from(text, (c) => c.charCodeAt(0))
                transfer.items.add(new File([content], name))
              }
              return transfer
            }""",
            [[name, _base64(content)] for name, content in files],
        )
        for event in ("dragover", "drop"):
            self.page.locator("body").dispatch_event(event, {"dataTransfer": transfer})

    def drag(self, title: str, seconds: float, rate: float = 60) -> int:
        """Move a slider to and fro with the mouse; return how many moves were made."""
        where = self.slider(title).bounding_box()
        y = where["y"] + where["height"] / 2
        mouse = self.page.mouse
        mouse.move(where["x"] + where["width"] / 2, y)
        mouse.down()
        start, n = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            n += 1
            part = abs(((time.monotonic() - start) / 1.5 + 0.5) % 2 - 1)
            mouse.move(where["x"] + where["width"] * (0.1 + 0.8 * part), y)
            pause = start + n / rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        mouse.up()
        return n


def _base64(content: bytes) -> str:
    import base64

    return base64.b64encode(content).decode()


TOUR_SEEN = "localStorage.setItem('spectrabridge-tour', 'seen')"
"""Makes a browser one that has been here before."""


def open_screen(browser: Browser, url: str) -> Screen:
    context = browser.new_context(viewport=SIZE)
    context.add_init_script(TOUR_SEEN)
    return Screen(context.new_page()).open(url)


def settle(screen: Screen) -> Screen:
    """Wait until the page has come to rest, as a person would before reaching for it."""
    screen.page.wait_for_function("Bokeh.documents[0].is_idle", timeout=30_000)
    screen.page.evaluate("document.fonts.ready")
    for figure in range(3):
        screen.still(figure)
    return screen


@pytest.fixture
def screen(browser, server):
    """The page, fresh for each test; it must not complain nor ask other machines."""
    screen = settle(open_screen(browser, server.url))
    yield screen
    screen.page.context.close()
    assert screen.foreign == []
    assert screen.complaints == []
