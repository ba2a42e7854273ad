"""BokehJS does work for each paint of a figure that these figures do not need.

Without this: a slider that is dragged is followed at half the rate. For each paint BokehJS asks
the style sheets of the page some 150 times whether they restyle axes and curves, and writes all
places into one anew; for new data it builds an index to find points by, and four more copies of
the curves (fast_repaint.mjs).

Versions: Bokeh 3.9.2 and before. What another version does not have is left as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bokeh.models import AllIndices, CustomJS
from bokeh.models.renderers import GlyphRenderer

_CODE = Path(__file__).with_name("fast_repaint.mjs")


def lighten(plot: Any) -> None:
    """Make a Bokeh figure cheap to paint anew, see fast_repaint.mjs.

    Style sheets of the page can no longer restyle it, and nothing in it can be selected.
    """
    # Told when the figure has been laid out, and so has views.
    plot.js_on_change("inner_width", CustomJS.from_file(_CODE, plot=plot))


def drop_spare_glyphs(*plots: Any) -> None:
    """Leave one glyph to all that figures draw, and one filter, which lets everything through.

    Bokeh makes two more glyphs, for what is not selected and for what is muted. Nothing here ever
    is, and every session, and every browser, would keep them and fill them with data.
    """
    everything = AllIndices()
    for plot in plots:
        for renderer in plot.renderers:
            if isinstance(renderer, GlyphRenderer):
                renderer.update(nonselection_glyph=None, muted_glyph=None)
                renderer.view.filter = everything
