"""Measure, in a real browser, how fast a slider moves the spectra.

    python benchmarks/sliders.py [--json]

Starts the explorer on the default bundle, opens it in Chromium at 1280x720 and reads
the browser's own clock:

- median_ms: from a step of the temperature slider to the end of the frame that shows it;
- fps: frames of new data per second during a drag of 3 s at 60 events/s;
- backlog_ms: from the last event of that drag to the last frame of new data.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ui.conftest import find_browser, free_port, open_screen, start_server

STEPS = 20
DRAG_SECONDS = 3.0

_WATCH = """() => {
  const drawn = window.deep.model((m) => m.data?.emulated && !m.data.root_ivar)
  window.frames_painted = []
  drawn.properties.data.change.connect(() => requestAnimationFrame(() => setTimeout(
    () => window.frames_painted.push(performance.now()))))
}"""


def measure() -> dict[str, float]:
    """Return the three figures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        port = free_port()
        code = f"from spectrabridge.apps.explorer import serve; serve(port={port})"
        server = start_server([sys.executable, "-c", code], port, Path(folder))
        try:
            server.wait()
            browser = playwright.chromium.launch(
                executable_path=find_browser(playwright.chromium.executable_path),
                args=["--no-sandbox"],
            )
            screen = open_screen(browser, server.url)
            screen.still(2, seconds=60)  # the first derivatives are there
            screen.page.evaluate(_WATCH)
            times = []
            for i in range(STEPS):
                screen.page.evaluate("window.frames_painted.length = 0")
                screen.slider("T_eff").press("ArrowRight" if i % 2 else "ArrowLeft")
                screen.page.wait_for_function("window.frames_painted.length > 0", polling=20)
                times.append(
                    screen.page.evaluate("window.frames_painted[0] - window.spectrabridge_moved")
                )
                screen.page.wait_for_timeout(400)
            screen.page.evaluate("window.frames_painted.length = 0")
            screen.drag("T_eff", DRAG_SECONDS)
            end = screen.page.evaluate("window.spectrabridge_moved")
            screen.page.wait_for_timeout(3000)
            painted = screen.page.evaluate("window.frames_painted")
            browser.close()
        finally:
            server.stop()
    return {
        "median_ms": round(statistics.median(times), 1),
        "fps": round(sum(t <= end for t in painted) / DRAG_SECONDS, 1),
        "backlog_ms": round(max(painted) - end, 1),
    }


def main() -> None:
    """Print the figures as a table or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = measure()
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:12s} {value:8.1f}")


if __name__ == "__main__":
    main()
