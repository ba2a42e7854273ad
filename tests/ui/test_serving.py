"""The explorer as it is served to groups: behind a prefix, with passwords, limits, processes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from spectrabridge.core.errors import SpectrabridgeError

from .conftest import SIZE, TOUR_SEEN, Screen, Server, free_port, open_screen, start_server
from .visitor import Visitor

pytestmark = pytest.mark.timeout(180)

PREFIX = "/stars/today"


def health(server: Server, prefix: str = "") -> dict:
    with urllib.request.urlopen(f"{server.url}{prefix}/health", timeout=20) as answer:
        return json.load(answer)


@contextmanager
def serving(folder: Path, *words: str, prefix: str = "") -> Iterator[Server]:
    """Run `spectrabridge serve`; what it writes must hold no traceback."""
    port = free_port()
    code = "from spectrabridge.apps.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", str(port), *words]
    server = start_server(command, port, folder)
    try:
        server.wait(150, f"{prefix}/health")
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.log.read_text()


def wait_for(test, seconds: float, what: str):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = test()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s for {what}")


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """A server with everything that a group may want at once."""
    folder = tmp_path_factory.mktemp("group")
    (folder / "people").write_text("# those who may\nmaria:winlock\n", "utf-8")
    words = ["--prefix", PREFIX, "--basic-auth", str(folder / "people"), "--max-sessions", "2"]
    words += ["--idle-timeout", "0.25", "--max-upload", "1"]
    with serving(folder, *words, prefix=PREFIX) as server:
        yield server


def signed_in(browser, group: Server) -> Screen:
    """Open the page and sign in, as a person does."""
    context = browser.new_context(viewport=SIZE)
    context.add_init_script(TOUR_SEEN)
    page = context.new_page()
    page.goto(group.url + PREFIX)
    page.get_by_label("User").fill("maria")
    page.get_by_label("Password").fill("winlock")
    page.get_by_role("button", name="Sign in").click()
    return Screen(page).open(group.url + PREFIX + "/")


@pytest.mark.browser
def test_a_group_signs_in_behind_a_prefix_and_asks_no_other_machine(browser, group):
    page = browser.new_context(viewport=SIZE).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(group.url + PREFIX)
    page.get_by_label("User").fill("maria")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("User and password do not match.")
    assert all(url.startswith(f"{group.url}{PREFIX}") for url in asked)
    page.context.close()

    screen = signed_in(browser, group)
    before = screen.pixels(0)
    screen.box("T_eff").fill("4200")
    screen.box("T_eff").press("Enter")
    screen.wait_pixels(before, 0)
    assert screen.foreign == []
    assert screen.complaints == []
    assert health(group, PREFIX)["sessions"] >= 1
    screen.page.context.close()


@pytest.mark.browser
def test_everything_comes_from_below_the_prefix(browser, group):
    wait_for(lambda: health(group, PREFIX)["sessions"] == 0, 60, "sessions to end")
    screen = signed_in(browser, group)
    here = [url for url in screen.requests if not url.startswith(("data:", "blob:"))]
    screen.page.context.close()
    assert [url for url in here if PREFIX not in url] == []


@pytest.mark.browser
def test_who_comes_too_late_is_told_so_and_who_does_nothing_is_let_go(browser, group):
    wait_for(lambda: health(group, PREFIX)["sessions"] == 0, 60, "sessions to end")
    screen = signed_in(browser, group)
    second = screen.page.context.new_page()
    second.goto(group.url + PREFIX + "/")
    third = screen.page.context.new_page()
    answer = third.goto(group.url + PREFIX + "/")
    assert answer.status == 503
    expect(third.get_by_role("heading")).to_have_text("All places are taken")
    expect(third.get_by_text("2 pages at a time")).to_be_visible()
    assert health(group, PREFIX)["status"] == "full"
    # Nobody touches the pages.
    expect(screen.page.get_by_text("left alone for too long")).to_be_visible(timeout=60_000)
    wait_for(lambda: health(group, PREFIX)["sessions"] == 0, 60, "sessions to end")
    third.reload()
    expect(third.get_by_role("heading")).to_have_count(0)
    screen.page.context.close()


@pytest.mark.browser
def test_a_file_that_is_too_large_is_refused_before_it_is_sent(browser, group):
    wait_for(lambda: health(group, PREFIX)["sessions"] == 0, 60, "sessions to end")
    screen = signed_in(browser, group)
    memory = health(group, PREFIX)["memory_mb"]
    # The file does not lie in memory here either: the browser is told of its size alone.
    screen.page.evaluate(
        """() => {
          const part = new Uint8Array(2 ** 20)
          const file = new File(Array(500).fill(part), "huge.fits")
          const transfer = new DataTransfer()
          transfer.items.add(file)
          for (const type of ["dragover", "drop"]) {
            const event = new DragEvent(type, {bubbles: true, dataTransfer: transfer})
            document.body.dispatchEvent(event)
          }
        }"""
    )
    expect(screen.page.get_by_text("huge.fits is larger than 1 MB").first).to_be_visible()
    now = health(group, PREFIX)["memory_mb"]
    assert memory is None or now < memory + 60
    screen.page.context.close()


@pytest.mark.browser
@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_two_processes_serve_a_page_that_moves(browser, tmp_path):
    with serving(tmp_path, "--processes", "2") as server:
        seen = {health(server)["process"] for _ in range(40)}
        assert seen <= {0, 1}
        for _ in range(3):
            screen = open_screen(browser, server.url)
            before = screen.pixels(0)
            screen.box("T_eff").fill("4200")
            screen.box("T_eff").press("Enter")
            screen.wait_pixels(before, 0)
            assert screen.complaints == []
            screen.page.context.close()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)

        def gone() -> bool:
            try:
                health(server)
            except (urllib.error.URLError, OSError):
                return True
            return False

        wait_for(gone, 20, "the processes to follow the one that started them")


@pytest.mark.browser
def test_a_visitor_who_leaves_in_the_middle_of_work_is_forgotten_quietly(server):
    async def visit() -> None:
        visitor = await Visitor(server.url).open()
        for step in range(3):
            await visitor.drag("T_eff", 4300 + 25 * step)
        await visitor.let_go("T_eff", 1)
        await visitor.patch(visitor.move("T_eff", 4400))
        visitor.close()

    before = health(server)["sessions"]
    # In a thread of its own: the browser's loop runs in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(visit())).result()
    wait_for(lambda: health(server)["sessions"] <= before, 60, "the session to end")
    assert "Traceback" not in server.log.read_text()


def test_origins_are_checked_before_anything_else():
    from spectrabridge.apps.server.server import origin

    assert origin("https://Stars.example.org/") == "stars.example.org:443"
    with pytest.raises(SpectrabridgeError, match="Expected an origin"):
        origin("stars.example.org/path")
