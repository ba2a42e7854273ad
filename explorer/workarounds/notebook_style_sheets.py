"""In a notebook Panel fetches the style sheets of components from another machine.

Without this: without a network, components in a cell have no style. Panel puts those of the
first display in line, and not those of what is added to it later.

Versions: Panel 1.9.4 and before.
"""

from __future__ import annotations

from bokeh.model import Model
from bokeh.models.css import ImportedStyleSheet
from bokeh.models.ui import UIElement
from panel.io.model import apply_changes_without_dispatch
from panel.io.notebook import replace_inline_css


def inline_style_sheets(root: Model) -> None:
    """Put the style sheets of a model and of all in it in line."""
    for model in root.select({"type": UIElement}):
        assert isinstance(model, UIElement)
        sheets = [
            replace_inline_css(sheet) if isinstance(sheet, ImportedStyleSheet) else sheet
            for sheet in model.stylesheets
        ]
        if sheets == model.stylesheets:
            continue
        if model.document is None:
            model.stylesheets = sheets
        else:
            apply_changes_without_dispatch(model.document, model, {"stylesheets": sheets})
