"""The paper's Fig. 2 as a figure for notebooks."""

from __future__ import annotations

from typing import Any

from ...core.bundle import Bundle
from ...core.embedding import PANELS, Embedding, stored_embedding
from ...core.embedding.map_stars import OBSERVED, SYNTHETIC
from ...core.errors import EmbeddingError
from ..figures.theme import surface
from ..star_map.colours import synthetic_colour
from .style import PIXELS_PER_INCH, Backend, load, points

MAX_DRAWN_STARS = 20_000
"""Stars up to which each is drawn; more are counted into pixels by datashader."""


def latent_figure(
    bundle: Bundle, embedding: Embedding | None = None, size: int = 300, backend: Backend = "bokeh"
) -> Any:
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
    backend : {"bokeh", "matplotlib"}
        What it is drawn with.

    Returns
    -------
    holoviews.Layout
        Three overlays.

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
    load(backend)
    options: dict[str, Any] = {"xaxis": None, "yaxis": None, "legend_position": "bottom"}
    if backend == "bokeh":
        options |= {"width": size + 20, "height": size + 60}
    else:
        options |= {"aspect": 1.0, "legend_opts": {"markerscale": 4}}
    panels = [
        _panel(found, key, backend).opts(title=title, **options, backend=backend)
        for key, title in PANELS.items()
    ]
    layout = hv.Layout(panels).cols(3)
    if backend == "matplotlib":
        inches = (3 * size / PIXELS_PER_INCH, (size + 60) / PIXELS_PER_INCH)
        return layout.opts(fig_inches=inches, sublabel_format="", backend=backend)
    return layout


def _panel(embedding: Embedding, key: str, backend: Backend) -> Any:
    import holoviews as hv

    xy, domain = embedding.panels[key], embedding.stars.domain
    names = {
        SYNTHETIC: ("adapted" if key == "adapted" else "synthetic", synthetic_colour(key, False)),
        OBSERVED: ("observed", surface(False).observed),
    }
    dimensions = [f"{key}_x", f"{key}_y"]
    stars = {
        number: points(hv.Points(xy[domain == number], dimensions, label=name), backend, colour)
        for number, (name, colour) in names.items()
    }
    if len(embedding) <= MAX_DRAWN_STARS:
        return hv.Overlay(list(stars.values()))
    from holoviews.operation.datashader import datashade

    return hv.Overlay(
        [
            datashade(p, cmap=[colour], dynamic=False, alpha=200).relabel(name)
            for p, (name, colour) in zip(stars.values(), names.values(), strict=True)
        ]
    )
