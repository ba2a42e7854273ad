"""Other ways to show spectra that follow a slider, to compare with in the same browser.

- ``dynamicmap``: a plain HoloViews DynamicMap of three curves of 7,214 pixels, options as
  they come;
- ``dashboard``: what the dashboard of gollum does for every event (BrownDwarf/gollum,
  ``src/gollum/phoenix.py``, ``PHOENIXGrid.show_dashboard``), see :func:`serve_dashboard`;
- ``grid``: three curves of 7,214 pixels looked up in a precomputed grid and sent, nothing
  else: it computes nothing, a lower bound for all that sends spectra with plain Bokeh.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

STEP = 25.0
"""Step of the temperature slider, in K."""

NODES = 100.0
"""Distance of the spectra of ``dashboard`` in temperature, in K, as in the PHOENIX grid."""

SAMPLING = 500_000
"""Wavelength over pixel of the PHOENIX spectra in the near infrared (Husser et al. 2013)."""

LIGHT = 299_792.458
"""Speed of light, in km/s."""


def _frame(model, teff: float):
    from spectrabridge.explorer.computed.frame import compute_frame

    values = model.reference.copy()
    values[model.labels.index("teff")] = teff
    return compute_frame(model, values)


def _serve(page, port: int) -> None:
    from bokeh.application import Application
    from bokeh.application.handlers import FunctionHandler
    from bokeh.server.server import Server

    server = Server({"/": Application(FunctionHandler(page))}, port=port)
    server.start()
    server.io_loop.start()


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
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, Slider
    from bokeh.plotting import figure

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

    _serve(page, port)


def rotation_kernel(wavelength: np.ndarray, vsini: float) -> np.ndarray:
    """Return the profile of a rotating star without limb darkening, summing to 1.

    As gollum does, for the velocities of all pixels about the median wavelength; km/s.
    """
    middle = np.median(wavelength)
    x2 = (LIGHT * (wavelength - middle) / middle / vsini) ** 2
    kernel = np.sqrt(np.clip(1 - x2, 0, None))
    return kernel[kernel > 0] / kernel.sum()


def serve_dashboard(port: int) -> None:
    """Serve what gollum's dashboard does for every event, at its resolution over our band.

    Taken over from its code: all spectra of a grid in memory at their native sampling; a
    slider for each of T_eff, v sin i, radial velocity and scale; for every new temperature
    the nearest spectrum, divided by its 95th percentile, convolved with the rotation
    profile, shifted and scaled; native and new wavelengths and fluxes sent, all four in
    float64; a step curve over that of an observed spectrum, in one figure of 950 x 500
    pixels. Left out, in its favour: the Spectrum1D objects of specutils around each of
    these operations, and the sliders of log g and metallicity, which do the same. The fluxes
    are those of our model, interpolated to the sampling of PHOENIX spectra (56,000 pixels);
    v sin i is 5 km/s.
    """
    from bokeh.layouts import layout
    from bokeh.models import ColumnDataSource, Range1d, Slider
    from bokeh.plotting import figure

    from spectrabridge.core.bundle import open_bundle

    model = open_bundle().model
    label = model.labels["teff"]
    nodes = np.arange(np.ceil(label.low / NODES), label.high // NODES + 1) * NODES
    low, high = model.grid.wavelength[[0, -1]]
    native = np.exp(np.arange(np.log(low), np.log(high), 1 / SAMPLING))
    spectra = np.array(
        [np.interp(native, model.grid.wavelength, _frame(model, t).adapted) for t in nodes]
    )

    def page(document) -> None:
        at = int(np.abs(nodes - 4700).argmin())
        scaled = spectra[at] / np.percentile(spectra[at], 95)
        source = ColumnDataSource(
            {
                "wavelength": native,
                "flux": scaled,
                "native_wavelength": native,
                "native_flux": scaled,
            }
        )
        observed = ColumnDataSource(
            {"wavelength": model.grid.wavelength, "flux": _frame(model, 4790.0).adapted}
        )
        plot = figure(
            width=950,
            height=500,
            tools="pan,wheel_zoom,box_zoom,tap,reset",
            x_range=Range1d(start=low, end=high),
            y_range=Range1d(start=0, end=1.5),
        )
        plot.step("wavelength", "flux", color="blue", source=observed)
        plot.step("wavelength", "flux", color="red", source=source)
        teff = Slider(start=nodes[0], end=nodes[-1], step=NODES, value=nodes[at], title="T_eff")
        vsini = Slider(start=0.1, end=200, step=0.1, value=5.0, title="v sin i")
        velocity = Slider(start=-200, end=200, step=0.05, value=0.0, title="velocity")
        scale = Slider(start=0.1, end=2.0, step=0.005, value=1.0, title="scale")

        def moved(attr, old, new) -> None:
            k = int(np.abs(nodes - new).argmin())
            if nodes[k] != old:
                flux = spectra[k] / np.nanpercentile(spectra[k], 95)
                broad = np.convolve(flux, rotation_kernel(native, vsini.value), mode="same")
                source.data = {
                    "native_wavelength": native,
                    "native_flux": flux,
                    "wavelength": native * (1 + velocity.value / LIGHT),
                    "flux": broad * scale.value,
                }
            teff.value = nodes[k]

        teff.on_change("value", moved)
        document.add_root(layout([plot], [teff, vsini], [velocity, scale]))

    _serve(page, port)


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve = {"dynamicmap": serve_dynamicmap, "dashboard": serve_dashboard, "grid": serve_grid}
    serve[sys.argv[1]](int(sys.argv[2]))
