"""In a notebook Panel gives each widget of panel-material-ui the code of all of them, 1.4 MB.

Without this: the explorer in a cell sends 100 MB to the browser, which keeps the first copy that
it meets and never reads the others. A server sends an address instead.

Versions: Panel 1.9.4 with panel-material-ui 0.16.6 and before.
"""

from __future__ import annotations

from typing import Any, cast

from bokeh.model import Model
from panel.models.esm import ReactiveESM
from panel.reactive import Syncable


def drop_repeated_code(root: Model, first: Syncable, setter: str | None) -> None:
    """Take code off all models that share it with those of the component met first.

    Parameters
    ----------
    root : Model
        What is displayed.
    first : Syncable
        The component that the browser meets first, which keeps its code.
    setter : str or None
        Id of the comm to the browser: as if the browser had done it, which need not hear of it.
    """
    kept = [model for model, _ in first._models.values()]
    bundles = {model.bundle for model in kept}
    for model in root.select({"type": ReactiveESM}):
        assert isinstance(model, ReactiveESM)
        if model.bundle in bundles and model not in kept and model.esm:
            model.set_from_json("esm", "", setter=cast(Any, setter))
