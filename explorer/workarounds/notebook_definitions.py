"""In a notebook Panel does not tell the browser of kinds of components that come later.

Without this: a page that is opened after the first display stays empty, with an error in the
browser's console: its components' data are of a class that the browser has never heard of.

Versions: Panel 1.9.4 with Bokeh 3.9.2 and before.
"""

from __future__ import annotations

from bokeh.document import Document
from bokeh.model import Model
from panel.io.model import apply_changes_without_dispatch
from panel.models.esm import ReactiveESM


def tell_new_definitions(root: Model, document: Document, known: set[type], told: bool) -> None:
    """Have definitions of kinds of data sent with the models that are the first to need them.

    Parameters
    ----------
    root : Model
        What is displayed.
    document : Document
        Its document.
    known : set of type
        Kinds that the browser has heard of; new ones are added.
    told : bool
        Whether the browser is there; what comes with the first display is told with it.
    """
    for model in root.select({"type": ReactiveESM}):
        assert isinstance(model, ReactiveESM)
        kind = type(model.data)
        if model.document is document and kind not in known:
            if told:
                apply_changes_without_dispatch(document, model, {"_defs": [kind]})
            known.add(kind)
