"""Measure how long the explorer takes from its launch to the first spectra.

    python benchmarks/first_screen.py [--json] [--runs N]

Each run starts a new server on the default bundle and a new browser tab with an empty
cache, and reads the wall clock: answer_s until the server answers (mostly imports),
first_screen_s until spectra are painted, both from the launch of the process. Medians
over the runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ui.conftest import find_browser, free_port, open_screen, start_server


def measure(runs: int) -> dict[str, float | int]:
    """Return the medians."""
    answers, screens = [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = find_browser(playwright.chromium.executable_path)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(runs):
            port = free_port()
            code = f"from spectrabridge.apps.explorer import serve; serve(port={port})"
            server = start_server([sys.executable, "-c", code], port, Path(folder))
            try:
                server.wait()
                answers.append(time.monotonic() - server.started)
                screen = open_screen(browser, server.url)
                screens.append(time.monotonic() - server.started)
                screen.page.context.close()
            finally:
                server.stop()
    return {
        "answer_s": round(statistics.median(answers), 2),
        "first_screen_s": round(statistics.median(screens), 2),
        "runs": runs,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    figures = measure(options.runs)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:16s} {value}")


if __name__ == "__main__":
    main()
