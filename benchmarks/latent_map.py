"""Measure, in a real browser, how fast a large map of stars answers.

    python benchmarks/latent_map.py [--n 250000] [--seed 0] [--repeat 12] [--json]

Makes a map of that many stars (their places are random, their labels and spectra like those
of the default bundle), serves the explorer with it, opens the Map page in Chromium at
1280x720 and reads the browser's own clock. Medians, all three panels in view:

- zoom_ms: from a turn of the wheel to the end of the frame that shows the new picture, the
  wait for the wheel to rest included;
- tap_ms: from letting the button go over a star to the frame that shows its spectrum;
- lasso_ms: from letting the button go, about 5,000 stars circled, to the frame that shows them;
- first_paint_ms: from the click that opens the page to the frame that shows the stars;
- payload_mb: what the server sends for that;
- raster_ms: one picture of all stars, without a browser; datashader_ms: the same by datashader.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

CIRCLED = 5000
CLUSTERS = 40

_WATCH = """() => {
  const all = [...Bokeh.documents[0].all_models]
  // Two pictures per panel, in the order of the panels: all stars and the selected ones.
  const pictures = all.filter((m) => m.data?.image && m.data.dw)
  const spectrum = all.find((m) => m.data?.low && m.data.observed)
  window.painted = {}
  const note = (name) => requestAnimationFrame(() => setTimeout(() => {
    window.painted[name] ??= performance.now()
  }))
  pictures.forEach((m, i) => m.properties.data.change.connect(() => note(`picture ${i}`)))
  spectrum.properties.data.change.connect(() => note("spectrum"))
  for (const kind of ["wheel", "pointerup"]) {
    window.addEventListener(kind, () => { window.acted = performance.now() }, true)
  }
}"""

_PICTURES = """() => {
  const all = [...Bokeh.documents[0].all_models]
  return all.filter((m) => m.data?.image && m.data.dw).length === 6
    && all.some((m) => m.data?.low && m.data.observed)
}"""

_FIRST = """() => new Promise((done) => {
  const look = () => {
    const drawn = window.deep.all(document).filter((el) => el.tagName === "CANVAS" &&
      el.width > 150 && el.width < 400 && el.getClientRects().length > 0)
    const shown = drawn.filter((el) => {
      const {data} = el.getContext("2d").getImageData(0, el.height / 2, el.width, 40)
      let n = 0
      for (let i = 3; i < data.length; i += 4) { n += data[i] > 0 }
      return n > 1000
    })
    if (shown.length >= 3) {
      setTimeout(() => done(performance.now() - window.acted))
    } else {
      requestAnimationFrame(look)
    }
  }
  look()
})"""


def large_embedding(bundle: Any, n: int, seed: int) -> Any:
    """Return a map of `n` stars in random places."""
    from spectrabridge.core.embedding import PANELS, Embedding, MapStars, TsneSettings
    from spectrabridge.core.embedding.map_stars import drawn_like

    rng = np.random.default_rng(seed)
    each, sample = n // 2, bundle.sample
    centres = rng.uniform(-60, 60, (CLUSTERS, 2))
    panels = {}
    for key in PANELS:
        which = rng.integers(0, CLUSTERS, 2 * each)
        places = centres[which] + 9 * rng.standard_normal((2 * each, 2))
        panels[key] = (places - (places.max(0) + places.min(0)) / 2).astype(np.float32)
    labels = drawn_like(sample.synthetic_labels.numpy(), 2 * each, seed)
    rows = rng.integers(0, len(sample.observed), each)
    stars = MapStars(
        bundle.model.labels,
        labels[:each],
        sample.observed.numpy()[rows],
        labels[each:],
        tuple(f"2M{i:08d}" for i in range(each)),
        rng.uniform(50, 400, each).astype(np.float32),
        sample.noise,
        each,
    )
    figures = {"purity": 0.5, "purity_on_map": 0.5, "accuracy": 0.5, "auc": 0.5}
    info = {
        "bundle": bundle.name,
        "fingerprint": bundle.fingerprint,
        "settings": vars(TsneSettings(seed=seed)),
        "kl": dict.fromkeys(PANELS, 0.0),
        "mixing": dict.fromkeys(PANELS, figures),
    }
    chi2 = rng.chisquare(60, 2 * each).astype(np.float32) / 60
    return Embedding(stars, panels, chi2, info)


def serve_map(port: int, n: int, seed: int) -> None:
    """Serve the explorer with a large map."""
    from spectrabridge.apps.explorer import serve
    from spectrabridge.explorer.session import open_bundles
    from spectrabridge.explorer.star_map import open_maps

    _, bundle, _ = open_bundles.shared_bundle(None)
    open_maps.keep_map(bundle, large_embedding(bundle, n, seed))
    serve(port=port)


def measure_raster(n: int, seed: int, repeat: int) -> dict[str, float]:
    """Return the median time of a picture, ours and datashader's."""
    from spectrabridge.core.bundle import open_bundle
    from spectrabridge.explorer.star_map.rasteriser import PanelView, rasterise

    made = large_embedding(open_bundle(), n, seed)
    xy, values = made.panels["latents"], made.stars.domain.astype(np.float32)
    view = PanelView((-90, 90), (-90, 90), 317, 339)

    def timed(function: Any) -> float:
        function()
        out = []
        for _ in range(repeat):
            began = time.perf_counter()
            function()
            out.append(1000 * (time.perf_counter() - began))
        return round(statistics.median(out), 1)

    ours = timed(lambda: rasterise(xy, values, view))
    import datashader
    import datashader.transfer_functions as tf
    import pandas as pd

    frame = pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "v": values})
    canvas = datashader.Canvas(317, 339, (-90, 90), (-90, 90))
    theirs = timed(lambda: tf.shade(canvas.points(frame, "x", "y", datashader.mean("v"))))
    return {"raster_ms": ours, "datashader_ms": theirs}


def measure(n: int, seed: int, repeat: int) -> dict[str, float]:
    """Return the figures of the browser."""
    from playwright.sync_api import sync_playwright
    from ui.conftest import find_browser, free_port, open_screen, start_server

    received = [0]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        port = free_port()
        command = [sys.executable, __file__, "--serve", str(port), "--n", str(n)]
        server = start_server([*command, "--seed", str(seed)], port, Path(folder))
        try:
            server.wait(120)
            browser = playwright.chromium.launch(
                executable_path=find_browser(playwright.chromium.executable_path),
                args=["--no-sandbox"],
            )
            # Once without the clock: modules are loaded when a page is first opened.
            warm = open_screen(browser, server.url)
            warm.button("Map").click()
            warm.page.get_by_text("How well the domains mix").wait_for()
            warm.page.context.close()

            screen = open_screen(browser, server.url)
            page = screen.page
            screen.still(2)  # the first derivatives are there
            page.context.close()
            screen = _counted(browser, server.url, received)
            page = screen.page
            screen.still(2)
            page.evaluate(
                "window.addEventListener('pointerup', () => { window.acted = performance.now() },"
                " true)"
            )
            received[0] = 0
            screen.button("Map").click()
            first = page.evaluate(_FIRST)
            payload = received[0]
            # Two pictures in each of three panels, and a spectrum, before anything is measured.
            page.wait_for_function(_PICTURES, polling=100)
            page.wait_for_timeout(6000)  # other work of the opening is done
            page.evaluate(_WATCH)
            figures = _interact(page, screen, n, seed, repeat)
            browser.close()
        finally:
            server.stop()
    return figures | {"first_paint_ms": round(first, 1), "payload_mb": round(payload / 1e6, 2)}


def _counted(browser: Any, url: str, received: list[int]) -> Any:
    """Open the explorer and count what comes through its websocket."""
    from ui.conftest import SIZE, TOUR_SEEN, Screen

    context = browser.new_context(viewport=SIZE)
    context.add_init_script(TOUR_SEEN)
    page = context.new_page()

    def count(frame: Any) -> None:
        received[0] += len(frame if isinstance(frame, bytes) else frame.encode())

    page.on("websocket", lambda ws: ws.on("framereceived", count))
    return Screen(page).open(url)


def _interact(page: Any, screen: Any, n: int, seed: int, repeat: int) -> dict[str, float]:
    boxes = page.evaluate(
        """() => window.deep.all(document).filter((el) => el.tagName === "CANVAS" &&
          el.width > 150 && el.getClientRects().length > 0).map((el) => {
            const r = el.getBoundingClientRect()
            return [r.left, r.top, r.width, r.height]
          })"""
    )
    top = min(b[1] for b in boxes)
    left, _, width, height = max(b for b in boxes if abs(b[1] - top) < 2)
    x, y = left + width / 2, top + height / 2

    def after(name: str, act: Any) -> float:
        page.evaluate("() => { window.painted = {}; window.acted = NaN }")
        act()
        page.wait_for_function(f"window.painted['{name}'] !== undefined")
        out = page.evaluate(f"window.painted['{name}'] - window.acted")
        page.wait_for_timeout(500)
        return float(out)

    page.mouse.move(x, y)
    page.wait_for_timeout(500)
    zooms = []
    for i in range(repeat):
        zooms.append(after("picture 4", lambda: page.mouse.wheel(0, -120 if i % 2 else 120)))  # noqa: B023
    taps = []
    for i in range(repeat):
        at = (x + 7 * (i % 5) - 14, y + 5 * (i % 3) - 5)
        page.mouse.move(*at)
        page.wait_for_timeout(300)
        taps.append(after("spectrum", lambda: page.mouse.click(*at)))  # noqa: B023
        page.wait_for_timeout(1200)  # the other pages have followed

    screen.button("Whole map").click()
    screen.button("lasso").click()
    page.wait_for_function("window.deep.model((m) => m.type === 'LassoSelectTool').active")
    page.wait_for_timeout(1500)
    radius = _radius(n, seed, width, height)
    lassos = []
    for _ in range(repeat):
        page.mouse.move(x + radius, y)
        page.mouse.down()
        for i in range(1, 33):
            angle = 2 * math.pi * i / 32
            page.mouse.move(x + radius * math.cos(angle), y + radius * math.sin(angle))
        lassos.append(after("picture 5", page.mouse.up))
        page.wait_for_timeout(1200)
    words = page.get_by_text("stars selected").first.inner_text()
    print(f"circled: {words}", file=sys.stderr)
    return {
        "zoom_ms": round(statistics.median(zooms), 1),
        "tap_ms": round(statistics.median(taps), 1),
        "lasso_ms": round(statistics.median(lassos), 1),
    }


def _radius(n: int, seed: int, width: float, height: float) -> float:
    """Return the radius, in pixels, of a circle about the middle that holds 5,000 stars."""
    from spectrabridge.core.bundle import open_bundle
    from spectrabridge.explorer.star_map.panel import MARGIN_SHARE

    xy = large_embedding(open_bundle(), n, seed).panels["latents"]
    extent = np.ptp(xy, axis=0) * (1 + 2 * MARGIN_SHARE)
    scale = float((extent / np.array([width, height])).max())
    middle = (xy.min(axis=0) + xy.max(axis=0)) / 2
    off = np.sort(np.hypot(*(xy - middle).T))
    return float(off[min(CIRCLED, len(off) - 1)] / scale)


def main() -> None:
    """Print the figures as a table or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=250_000, help="stars of the map")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=12)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve_map(arguments.serve, arguments.n, arguments.seed)
        return
    figures = measure(arguments.n, arguments.seed, arguments.repeat)
    figures |= measure_raster(arguments.n, arguments.seed, arguments.repeat)
    figures = {f"latent_map.{name}": value for name, value in figures.items()}
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28s} {value:8.1f}")


if __name__ == "__main__":
    main()
