"""How the figures for notebooks and papers look, with Bokeh or with matplotlib."""

from __future__ import annotations

from typing import Any, Literal

Backend = Literal["bokeh", "matplotlib"]
"""What draws: Bokeh figures can be zoomed, those of matplotlib are pictures."""

PIXELS_PER_INCH = 90
"""Pixels of a Bokeh figure that are as wide as an inch of matplotlib's."""


def load(backend: Backend) -> None:
    """Have HoloViews know a backend; a notebook loads no scripts by this.

    Raises
    ------
    ValueError
        If there is no such backend.
    ImportError
        If matplotlib is asked for and not installed.
    """
    if backend == "bokeh":
        import holoviews.plotting.bokeh
    elif backend == "matplotlib":
        try:
            import holoviews.plotting.mpl  # noqa: F401
        except ImportError as problem:
            raise ImportError(
                "Pictures need matplotlib. Install it: pip install matplotlib."
            ) from problem
    else:
        raise ValueError(f"The backend must be bokeh or matplotlib; found {backend!r}.")


def line(curve: Any, backend: Backend, colour: str, dashed: bool = False) -> Any:
    """Return a curve in a colour."""
    if backend == "bokeh":
        dash = "dashed" if dashed else "solid"
        return curve.opts(color=colour, line_dash=dash, line_width=1.3, backend=backend)
    return curve.opts(
        color=colour, linestyle="--" if dashed else "-", linewidth=0.9, backend=backend
    )


def band(areas: Any, backend: Backend, colour: str) -> Any:
    """Return rectangles filled with a colour, spectra showing through."""
    if backend == "bokeh":
        return areas.opts(color=colour, line_alpha=0, alpha=0.25, backend=backend)
    return areas.opts(facecolor=colour, edgecolor="none", alpha=0.25, backend=backend)


def points(stars: Any, backend: Backend, colour: str) -> Any:
    """Return points in a colour."""
    size = {"size": 2.5} if backend == "bokeh" else {"s": 2}
    return stars.opts(color=colour, alpha=0.7, **size, backend=backend)


def picture(figure: Any, dpi: int = 100) -> Any:
    """Return what HoloViews has built for matplotlib as a figure of matplotlib.

    A notebook shows it as a small picture, without scripts.

    Parameters
    ----------
    figure : HoloViews object
        Made with ``backend="matplotlib"``.
    dpi : int
        Pixels per inch.

    Returns
    -------
    matplotlib.figure.Figure
        To be shown or saved.
    """
    import holoviews as hv

    load("matplotlib")
    drawn = hv.render(figure, backend="matplotlib")
    drawn.set_dpi(dpi)
    return drawn
