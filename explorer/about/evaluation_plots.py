"""Plots of an evaluation, as Bokeh figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    FactorRange,
    HoverTool,
    PrintfTickFormatter,
    Range1d,
)
from bokeh.models.annotations import Span, Whisker
from bokeh.plotting import figure

from ...core.labels import LabelSet
from ..figures.theme import ADAPTED, EMULATED, LIGHT, TRUTH, element_colour

NEUTRAL_COLOUR = "#9aa1a9"
MAX_GOOD_GAP_RATIO = 0.5
DENSITY = ("#ffffff", *(f"#{v:02x}{v:02x}{v:02x}" for v in range(235, 20, -1)))
"""White where nothing is, then from light to dark."""


def _figure(title: str, **settings: Any) -> Any:
    out: Any = figure(
        title=title,
        height=settings.pop("height", 300),
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools=settings.pop("tools", ""),
        output_backend="canvas",
        background_fill_color=LIGHT.background,
        outline_line_color=None,
        **settings,
    )
    out.title.text_font_size, out.title.text_font_style = "14px", "normal"
    out.title.text_color, out.title.text_font = LIGHT.text, "sans-serif"
    for axis in out.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font = axis.major_label_text_font = "sans-serif"
        axis.axis_label_text_color = axis.major_label_text_color = LIGHT.text
        axis.axis_line_color = axis.major_tick_line_color = LIGHT.line
        axis.minor_tick_line_color = None
    out.grid.grid_line_color = LIGHT.grid
    out.min_border_right = 14
    return out


def _legend(plot: Any, where: str = "top_right") -> None:
    legend = plot.legend[0]
    legend.location, legend.border_line_color = where, None
    legend.background_fill_alpha, legend.label_text_font_size = 0.8, "12px"
    legend.orientation, legend.padding, legend.label_text_font = "horizontal", 2, "sans-serif"


def _line_at(
    plot: Any,
    value: float,
    dimension: Literal["width", "height"] = "width",
    colour: str = NEUTRAL_COLOUR,
) -> None:
    line = Span(location=value, dimension=dimension, line_color=colour, line_dash="4 3")
    plot.add_layout(line)


def gap_plot(plots: Mapping[str, Any]) -> Any:
    """Return the rms difference from the truth by wavelength, before and after adaptation."""
    wavelength = np.asarray(plots["wavelength"], np.float32)
    raw, adapted = (np.asarray(plots["gap"][k], np.float32) * 100 for k in ("raw", "adapted"))
    plot = _figure(
        "Difference from the truth by wavelength",
        height=320,
        x_axis_label="vacuum wavelength (Å)",
        y_axis_label="rms over stars (% of continuum)",
        y_axis_type="log",
        tools="xwheel_zoom,xpan,reset",
    )
    top = float(max(raw.max(), adapted.max(), 0.1))
    lowest = max(1e-3, 0.5 * float(np.quantile(adapted, 0.02)))
    plot.y_range = Range1d(start=lowest, end=2.5 * top)
    plot.x_range.range_padding = 0.01
    plot.yaxis.formatter = PrintfTickFormatter(format="%g")
    for name, values, colour in (("emulated", raw, EMULATED), ("adapted", adapted, ADAPTED)):
        for start, stop in plots["chips"]:
            plot.line(
                wavelength[start:stop],
                np.where(values[start:stop] > 0.5 * lowest, values[start:stop], np.nan),
                color=colour,
                line_width=1,
                legend_label=name,
            )
    _legend(plot)
    return plot


def read_plots(plots: Mapping[str, Any], labels: LabelSet) -> list[Any]:
    """Return read against true labels, one plot for each of the main labels."""
    out = []
    for name, found in plots["read"].items():
        label = labels[name]
        unit = f" ({label.unit})" if label.unit else ""
        plot = _figure(
            label.title,
            x_axis_label=f"true{unit}",
            y_axis_label=f"read from adapted{unit}",
        )
        true, read = np.asarray(found["true"]), np.asarray(found["adapted"])
        ends = np.array([min(true.min(), read.min()), max(true.max(), read.max())])
        plot.line(ends, ends, color=TRUTH, line_dash="6 4", line_width=1.5)
        plot.scatter(true, read, color=ADAPTED, size=5, alpha=0.7, line_color=None)
        out.append(plot)
    return out


def _short(title: str) -> str:
    """Return a label's title for a crowded axis: ``[Mg/H]`` becomes ``Mg``."""
    return title.removeprefix("[").removesuffix("/H]") if title.endswith("/H]") else title


def bias_plot(figures: Mapping[str, Any], labels: LabelSet, names: Sequence[str], of: str) -> Any:
    """Return bias (bars), scatter (whiskers), members (dots) and the fit's floor (ticks)."""
    titles = [_short(labels[n].title) for n in names]
    bias = [figures["label_bias"][n] for n in names]
    scatter = [figures["label_scatter"][n] for n in names]
    source = ColumnDataSource(
        {
            "label": titles,
            "bias": bias,
            "scatter": scatter,
            "low": [b - s for b, s in zip(bias, scatter, strict=True)],
            "high": [b + s for b, s in zip(bias, scatter, strict=True)],
            "floor": [figures["label_floor"]["bias"][n] for n in names],
        }
    )
    plot = _figure(
        of,
        x_range=FactorRange(factors=list(titles)),
        y_axis_label="read minus true " + of.split(" ")[-1],
    )
    # Whiskers do not count in automatic ranges.
    ends = [0.0, *source.data["low"], *source.data["high"]]
    room = 0.06 * (max(ends) - min(ends))
    plot.y_range = Range1d(start=min(ends) - room, end=max(ends) + room)
    bars = plot.vbar("label", 0.7, "bias", source=source, color=ADAPTED, alpha=0.85)
    plot.add_layout(
        Whisker(base="label", upper="high", lower="low", source=source, line_color=LIGHT.line)
    )
    plot.scatter("label", "floor", source=source, marker="dash", size=16, color=TRUTH, line_width=3)
    for member in figures.get("members", []):
        if "label_bias" in member:
            values = [member["label_bias"][n] for n in names]
            plot.scatter(titles, values, size=5, color=LIGHT.text, alpha=0.6)
    tips = [("label", "@label"), ("bias", "@bias{+0.000}"), ("scatter", "@scatter{0.000}")]
    plot.add_tools(HoverTool(renderers=[bars], tooltips=[*tips, ("floor", "@floor{+0.0000}")]))
    _line_at(plot, 0, colour=LIGHT.line)
    plot.xgrid.visible = False
    return plot


MIXING_NAMES = {
    "raw": "emulated + noise / observed",
    "adapted": "adapted / reconstructed",
    "adapted_noisy": "adapted + noise / observed",
    "truth_noisy": "truth + noise / observed",
    "latents": "shared latents",
}


def residual_plots(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return residuals against wavelength, emulated and adapted, and how they are distributed."""
    wavelength = np.asarray(found["wavelength"])
    out: dict[str, Any] = {}
    both = figure_of_distributions(found)
    for name, title in (("raw", "emulated"), ("adapted", "adapted")):
        edges = np.asarray(found[name]["edges"])
        counts = np.asarray(found[name]["counts"], np.float32)
        plot = _figure(
            f"Residuals, {title}",
            height=210,
            x_axis_label="vacuum wavelength (Å)",
            y_axis_label="sigma",
            tools="xwheel_zoom,xpan,reset",
            x_range=Range1d(wavelength[0], wavelength[-1]),
            y_range=Range1d(edges[0], edges[-1]),
        )
        # Few stars leave most bins empty; logarithms keep single outliers visible.
        plot.image(
            image=[np.log1p(counts)],
            x=wavelength[0],
            y=edges[0],
            dw=wavelength[-1] - wavelength[0],
            dh=edges[-1] - edges[0],
            palette=DENSITY,
        )
        for level in (-3, 0, 3):
            _line_at(plot, level)
        out[f"residuals_{name}"] = plot
    return out | {"residuals_all": both}


def figure_of_distributions(found: Mapping[str, Any]) -> Any:
    """Return the distributions of residuals beside the normal one."""
    edges = np.asarray(found["raw"]["edges"])
    middle = (edges[1:] + edges[:-1]) / 2
    plot = _figure("All residuals", height=240, x_axis_label="sigma", y_axis_label="density")
    normal = np.exp(-0.5 * middle**2) / math.sqrt(2 * math.pi)
    plot.line(middle, normal, color=NEUTRAL_COLOUR, line_dash="4 3", width=2, legend_label="normal")
    for name, colour, title in (
        ("raw", EMULATED, "emulated"),
        ("adapted", ADAPTED, "adapted"),
    ):
        density = np.asarray(found[name]["distribution"])
        plot.step(middle, density, color=colour, width=2, mode="center", legend_label=title)
    _legend(plot)
    return plot


def mixing_plot(found: Mapping[str, Any]) -> Any:
    """Return bars of how far the domains can be told apart: 0.5 is perfectly mixed."""
    names = [k for k in MIXING_NAMES if k in found][::-1]
    rows = [MIXING_NAMES[k] for k in names]
    plot = _figure(
        "How far the two domains can be told apart",
        x_axis_label="0.5: perfectly mixed, 1: always told apart",
        y_range=FactorRange(factors=list(rows)),
        x_range=Range1d(start=0.4, end=1.02),
    )
    shown = (
        ("auc", "classifier (AUC)", 0.16, ADAPTED),
        ("purity", "neighbours (purity)", -0.18, NEUTRAL_COLOUR),
    )
    for key, name, offset, colour in shown:
        source = ColumnDataSource(
            {
                "row": [(r, offset) for r in rows],
                "value": [max(0.4, found[k][key]) for k in names],
                "exact": [found[k][key] for k in names],
            }
        )
        bars = plot.hbar(
            "row", 0.3, "value", left=0.4, source=source, color=colour, legend_label=name
        )
        plot.add_tools(HoverTool(renderers=[bars], tooltips=[(name, "@exact{0.000}")]))
    _line_at(plot, MAX_GOOD_GAP_RATIO, "height", LIGHT.text)
    plot.ygrid.visible = False
    plot.add_layout(plot.legend[0], "above")
    _legend(plot, "left")
    return plot


def derivative_plot(correlations: Mapping[str, Mapping[str, float]]) -> Any:
    """Return the correlation with true derivatives by element, whiskers for the members."""
    elements = list(correlations)
    # NaN where the truth does not depend on the element: no point is drawn.
    value = [_float(correlations[e]["ensemble"]) for e in elements]
    spread = [_float(correlations[e]["member_spread"]) for e in elements]
    source = ColumnDataSource(
        {
            "element": elements,
            "value": value,
            "spread": spread,
            "low": [v - s for v, s in zip(value, spread, strict=True)],
            "high": [v + s for v, s in zip(value, spread, strict=True)],
            "colour": [element_colour(e) for e in elements],
        }
    )
    lowest = min([0.0, *(v - s for v, s in zip(value, spread, strict=True) if v == v and s == s)])
    plot = _figure(
        "Correlation with true derivatives, and its spread",
        x_range=FactorRange(factors=list(elements)),
        y_range=Range1d(start=max(-1.05, lowest - 0.05), end=1.05),
        y_axis_label="correlation",
    )
    plot.add_layout(
        Whisker(base="element", upper="high", lower="low", source=source, line_color=LIGHT.line)
    )
    dots = plot.scatter("element", "value", source=source, size=10, color="colour")
    tips = [("element", "@element"), ("correlation", "@value{0.00}"), ("spread", "@spread{0.00}")]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    _line_at(plot, MAX_GOOD_GAP_RATIO)
    plot.xgrid.visible = False
    return plot


def leakage_plot(leak: Mapping[str, Any], labels: LabelSet) -> Any:
    """Return how well labels are predicted from split and from shared latents."""
    names = [n for n in leak["shared"] if n in labels]
    titles = [_short(labels[n].title) for n in names]
    plot = _figure(
        "Labels predicted from latents (R² on stars left out)",
        x_range=FactorRange(factors=list(titles)),
        y_axis_label="R²",
        y_range=Range1d(start=-0.05, end=1.18),
    )
    shared = [max(-0.05, leak["shared"][n]) for n in names]
    plot.scatter(titles, shared, size=8, color=EMULATED, legend_label="shared latents")
    if leak["split"]:
        split = [max(-0.05, leak["split"][n]) for n in names]
        plot.vbar(titles, 0.6, split, color=ADAPTED, legend_label="split latents")
    _legend(plot)
    plot.xgrid.visible = False
    plot.xaxis.major_label_orientation = math.pi / 2
    plot.xaxis.major_label_text_font_size = "10px"
    return plot


def history_plot(history: Any) -> Any | None:
    """Return validation figures over the training; None if there are none.

    Parameters
    ----------
    history : anything
        As found in a bundle, which may be a stranger's: whatever is no list of numbers
        is ignored.
    """
    rows = [h for h in history if isinstance(h, dict)] if isinstance(history, list) else []
    rows = [h for h in rows if _float(h.get("iteration")) >= 0]
    plot = _figure(
        "Training: figures on held-out spectra",
        x_axis_label="iteration",
        y_axis_label="in tolerances",
        y_axis_type="log",
    )
    plot.yaxis.formatter = PrintfTickFormatter(format="%g")
    curves = (("cycle_error", "cycle error", EMULATED), ("mismatch", "mismatch", ADAPTED))
    drawn = False
    for key, name, colour in curves:
        points = [(_float(h["iteration"]), _float(h.get(key))) for h in rows]
        points = [p for p in points if p[1] > 0 and math.isfinite(p[1])]
        if len(points) > 1:
            x, y = zip(*points, strict=True)
            plot.line(x, y, color=colour, line_width=2, legend_label=name)
            drawn = True
    if not drawn:
        return None
    _legend(plot)
    return plot


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
