"""Measure, in a real browser, how fast the explorer answers.

    python benchmarks/ui.py [--json] [--no-peers]

Starts the explorer on the default bundle, opens it in Chromium at 1280x720 and reads
the browser's own clock:

- slider.median_ms: from a step of the temperature slider to the end of the frame that
  shows it;
- slider.fps: frames of new data per second during a drag of 3 s at 60 events/s;
- slider.backlog_ms: from the last event of that drag to the last frame of new data;
- derivatives.release_ms: from a step of the slider, on the Derivatives page, to the paint
  of the map of new derivatives;
- derivatives.cached_ms: the same for labels that were shown before;
- dynamicmap.median_ms, dashboard.median_ms, grid.median_ms: the slider's time of other ways
  to do it, see ui_peers.py, in the same browser and run: a plain HoloViews DynamicMap, what
  gollum's dashboard does for every event, and a precomputed grid that computes nothing.
  speedup_vs_dynamicmap and so on are these over slider.median_ms, measured again right
  before each of them: the machine may not be as quiet all the time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ui.conftest import (
    WAIT_SECONDS,
    Screen,
    find_browser,
    free_port,
    open_screen,
    start_server,
)

STEPS = 20
DRAG_SECONDS = 3.0
PAUSE_MS = 400
PEERS = Path(__file__).with_name("ui_peers.py")
SERVE = "from spectrabridge.apps.explorer import serve; serve(port={})"

_FOUND = """(test) => {
  const find = new Function("m", `return ${test}`)
  return [...Bokeh.documents[0].all_models].some(find)
}"""
_WATCH = """(test) => {
  const find = new Function("m", `return ${test}`)
  const drawn = [...Bokeh.documents[0].all_models].filter(find)
  window.frames_painted = []
  addEventListener("keydown", () => { window.key_pressed = performance.now() }, true)
  for (const source of drawn) {
    source.properties.data.change.connect(() => requestAnimationFrame(() => setTimeout(
      () => window.frames_painted.push(performance.now()))))
  }
  return drawn.length
}"""
SPECTRA = "m.data?.emulated && !m.data.root_ivar"
HEAT_MAP = "m.data?.image?.length && m.data?.dw"
PEER_SPECTRA = "m.type === 'ColumnDataSource' && Object.values(m.data).some((c) => c.length > 7000)"


def watch(page: Page, test: str) -> None:
    """Note when the models that a test finds have been painted, from when they have data on."""
    page.wait_for_function(_FOUND, arg=test, timeout=1000 * WAIT_SECONDS, polling=100)
    page.evaluate(_WATCH, test)


@contextmanager
def served(command: list[str], port: int) -> Iterator[str]:
    """Serve a page while the block runs; give its address."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server([sys.executable, *command], port, Path(folder))
        try:
            server.wait()
            yield server.url
        finally:
            server.stop()


def steps(page: Page, press, n: int = STEPS) -> float:
    """Return the median time from a key to the paint of what it changed, in ms."""
    times = []
    for i in range(n):
        page.evaluate("window.frames_painted.length = 0")
        press(i)
        page.wait_for_function(
            "window.frames_painted.length > 0", timeout=1000 * WAIT_SECONDS, polling=20
        )
        times.append(page.evaluate("window.frames_painted[0] - window.key_pressed"))
        page.wait_for_timeout(PAUSE_MS)
    return statistics.median(times)


def measure_steps(screen: Screen) -> float:
    """Return the median time of a step of our slider, in ms."""
    slider = screen.slider("T_eff")
    return steps(screen.page, lambda i: slider.press("ArrowRight" if i % 2 else "ArrowLeft"))


def measure_slider(screen: Screen) -> dict[str, float]:
    page = screen.page
    watch(page, SPECTRA)
    median = measure_steps(screen)
    page.evaluate("window.frames_painted.length = 0")
    screen.drag("T_eff", DRAG_SECONDS)
    end = page.evaluate("window.spectrabridge_moved")
    screen.still(0)
    painted = page.evaluate("window.frames_painted")
    return {
        "slider.median_ms": median,
        "slider.fps": sum(t <= end for t in painted) / DRAG_SECONDS,
        "slider.backlog_ms": max(painted) - end,
    }


def measure_derivatives(screen: Screen) -> dict[str, float]:
    page = screen.page
    screen.button("Derivatives").click()
    watch(page, HEAT_MAP)
    screen.still(0)
    # Away from the ends of the slider, where a step would change nothing.
    screen.box("T_eff").fill("4500")
    page.evaluate("window.frames_painted.length = 0")
    screen.box("T_eff").press("Enter")
    page.wait_for_function(
        "window.frames_painted.length > 0", timeout=1000 * WAIT_SECONDS, polling=20
    )
    screen.still(0)
    slider = screen.slider("T_eff")
    new = steps(page, lambda i: slider.press("Shift+ArrowRight" if i < 3 else "ArrowLeft"), 10)
    old = steps(page, lambda i: slider.press("ArrowRight" if i % 2 else "ArrowLeft"), 10)
    return {"derivatives.release_ms": new, "derivatives.cached_ms": old}


def measure_peer(browser: Browser, name: str) -> float:
    port = free_port()
    with served([str(PEERS), name, str(port)], port) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(url)
        page.wait_for_function("window.Bokeh?.documents?.[0]?.is_idle")
        watch(page, PEER_SPECTRA)
        page.wait_for_timeout(1500)
        handle = page.locator(".noUi-handle").first
        handle.focus()
        median = steps(page, lambda i: handle.press("ArrowRight" if i % 2 else "ArrowLeft"))
        page.close()
    return median


def measure(peers: bool = True) -> dict[str, float]:
    """Return all figures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(playwright.chromium.executable_path),
            args=["--no-sandbox"],
        )
        port = free_port()
        with served(["-c", SERVE.format(port)], port) as url:
            screen = open_screen(browser, url)
            screen.still(2)
            # The first derivatives are there, and so is all that loads with them.
            screen.slider("T_eff").press("ArrowRight")
            screen.still(0)
            screen.still(2)
            figures = measure_slider(screen)
            for name in ("dynamicmap", "dashboard", "grid") if peers else ():
                screen.page.bring_to_front()
                ours = measure_steps(screen)
                figures[f"{name}.median_ms"] = median = measure_peer(browser, name)
                figures[f"speedup_vs_{name}"] = median / ours
            screen.page.bring_to_front()
            figures |= measure_derivatives(screen)
            screen.page.context.close()
        browser.close()
    return {name: round(value, 1) for name, value in figures.items()}


def main() -> None:
    """Print the figures as a table or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--no-peers", action="store_true", help="measure the explorer alone")
    arguments = parser.parse_args()
    figures = measure(not arguments.no_peers)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:24s} {value:8.1f}")


if __name__ == "__main__":
    main()
