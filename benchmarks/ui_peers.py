"""Two other ways to show spectra that follow a slider, to compare with in the same browser.

- ``dynamicmap``: a plain HoloViews DynamicMap of three curves, options as they come;
- ``grid``: Bokeh sliders over a precomputed grid of spectra, the pattern of dashboards
  such as gollum's.

Both show the three curves of 7,214 pixels of the default bundle.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

STEP = 25.0
"""Step of the temperature slider, in K."""


def _frame(model, teff: float):
    from spectrabridge.explorer.frame import compute_frame

    values = model.reference.copy()
    values[model.labels.index("teff")] = teff
    return compute_frame(model, values)


def serve_dynamicmap(port: int) -> None:
    import holoviews as hv
    import panel as pn

    from spectrabridge.core.bundle import open_bundle

    hv.extension("bokeh")
    model = open_bundle().model
    label = model.labels["teff"]

    def page():
        slider = pn.widgets.FloatSlider(
            name="teff", start=label.low, end=label.high, step=STEP, value=4750
        )

        def curves(teff):
            frame = _frame(model, teff)
            x = model.grid.wavelength
            return hv.Overlay(
                [hv.Curve((x, y)) for y in (frame.emulated, frame.adapted, frame.truth)]
            )

        picture = hv.DynamicMap(pn.bind(curves, slider)).opts(hv.opts.Curve(width=950, height=300))
        return pn.Column(slider, picture)

    pn.serve({"/": page}, port=port, show=False, websocket_origin=[f"localhost:{port}"])


def serve_grid(port: int) -> None:
    from bokeh.application import Application
    from bokeh.application.handlers import FunctionHandler
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, Slider
    from bokeh.plotting import figure
    from bokeh.server.server import Server

    from spectrabridge.core.bundle import open_bundle

    model = open_bundle().model
    label = model.labels["teff"]
    nodes = np.arange(label.low, label.high, STEP)
    grid = [_frame(model, float(teff)) for teff in nodes]

    def columns(k: int) -> dict:
        frame = grid[k]
        return {
            "x": model.grid.wavelength,
            "emulated": frame.emulated,
            "adapted": frame.adapted,
            "truth": frame.truth,
        }

    def page(document) -> None:
        at = int(np.abs(nodes - 4750).argmin())
        source = ColumnDataSource(columns(at))
        plot = figure(width=950, height=300)
        for name in ("emulated", "adapted", "truth"):
            plot.line("x", name, source=source)
        slider = Slider(start=nodes[0], end=nodes[-1], step=STEP, value=nodes[at], title="teff")

        def moved(attr, old, new) -> None:
            source.data = columns(int(np.abs(nodes - new).argmin()))

        slider.on_change("value", moved)
        document.add_root(column(slider, plot))

    server = Server({"/": Application(FunctionHandler(page))}, port=port)
    server.start()
    server.io_loop.start()


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"dynamicmap": serve_dynamicmap, "grid": serve_grid}[sys.argv[1]](int(sys.argv[2]))
