"""The paper's Fig. 2 as a figure for notebooks."""

from __future__ import annotations

from typing import Any

from ..core.bundle import Bundle
from ..core.embedding import PANELS, Embedding, stored_embedding
from ..core.embedding.stars import OBSERVED, SYNTHETIC
from ..core.errors import EmbeddingError
from .map_colours import synthetic_colour
from .theme import surface

MOST_POINTS = 20_000
"""Stars up to which each is drawn; more are counted into pixels by datashader."""


def latent_figure(bundle: Bundle, embedding: Embedding | None = None, size: int = 300) -> Any:
    """Return input spectra, adapted with observed spectra, and shared latents, side by side.

    As Fig. 2 of O'Briain et al. (2020).

    Parameters
    ----------
    bundle : Bundle
        Whose map is drawn.
    embedding : Embedding, optional
        The map; that which the bundle keeps if not given.
    size : int
        Width and height of a panel, in pixels.

    Returns
    -------
    holoviews.Layout
        Three overlays, for the Bokeh backend.

    Raises
    ------
    EmbeddingError
        If the bundle keeps no map.
    """
    import holoviews as hv

    found = embedding if embedding is not None else stored_embedding(bundle)
    if found is None:
        raise EmbeddingError(
            f"{bundle.name} keeps no map of its stars. Make one: "
            f"spectrabridge embed {bundle.name} --store."
        )
    if "bokeh" not in hv.Store.renderers:
        hv.extension("bokeh")
    options = {
        "width": size + 20,
        "height": size + 60,
        "xaxis": None,
        "yaxis": None,
        "legend_position": "bottom",
    }
    panels = [
        _panel(found, key, title).opts(hv.opts.Overlay(title=title, **options))
        for key, title in PANELS.items()
    ]
    return hv.Layout(panels).cols(3)


def _panel(embedding: Embedding, key: str, title: str) -> Any:
    import holoviews as hv

    xy, domain = embedding.panels[key], embedding.stars.domain
    names = {
        SYNTHETIC: ("adapted" if key == "adapted" else "synthetic", synthetic_colour(key, False)),
        OBSERVED: ("observed", surface(False).observed),
    }
    dimensions = [f"{key}_x", f"{key}_y"]
    points = {
        number: hv.Points(xy[domain == number], dimensions, label=name).opts(
            hv.opts.Points(color=colour, size=2.5, alpha=0.7)
        )
        for number, (name, colour) in names.items()
    }
    if len(embedding) <= MOST_POINTS:
        return hv.Overlay(list(points.values()))
    from holoviews.operation.datashader import datashade

    return hv.Overlay(
        [
            datashade(p, cmap=[colour], dynamic=False, alpha=200).relabel(name)
            for p, (name, colour) in zip(points.values(), names.values(), strict=True)
        ]
    )
