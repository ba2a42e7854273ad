"""BokehJS does work for each paint that these figures do not need."""

from bokeh.models import AllIndices
from bokeh.plotting import figure

from spectrabridge.explorer.workarounds.fast_repaint import drop_spare_glyphs, lighten


def test_bokeh_alone_makes_glyphs_for_what_is_never_selected():
    line = figure().line([0, 1], [0, 1])
    assert line.nonselection_glyph is not None
    assert line.muted_glyph is not None


def test_they_go_and_the_curve_stays():
    plot = figure()
    line = plot.line([0, 1], [0, 1])
    drop_spare_glyphs(plot)
    assert (line.nonselection_glyph, line.muted_glyph) == (None, None)
    assert isinstance(line.view.filter, AllIndices)
    assert line.glyph.x == "x"


def test_views_are_lightened_when_the_figure_has_been_laid_out():
    plot = figure()
    lighten(plot)
    (script,) = plot.js_property_callbacks["change:inner_width"]
    assert script.args == {"plot": plot}
