"""Figures as a page of their own, which opens without a network and without Python."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bokeh.embed import file_html
from bokeh.model import Model
from bokeh.resources import INLINE, Resources
from jinja2 import Template

from ..figures.theme import FIGURES, surface

Named = tuple[str, str, bool]
"""Name and colour of a curve, and whether it is dashed."""

_STYLE = (Path(__file__).parent / "offline_page.css").read_text(encoding="utf-8")


def standalone_html(
    figures: Sequence[Model],
    title: str,
    words: Sequence[str] = (),
    curves: Sequence[Named] = (),
    dark: bool = False,
) -> str:
    """Return a page of figures, with everything inside that a browser needs.

    The figures stay those of their own document, which must not change meanwhile.

    Parameters
    ----------
    figures : sequence of Bokeh models
        What is shown, as it is now; the first gets the most room.
    title : str
        Heading.
    words : sequence of str
        Lines below the heading, as plain text.
    curves : sequence of Named
        Names of curves.
    dark : bool
        Whether the page is dark.
    """
    colours = surface(dark)
    style = _STYLE + (
        f":root {{ color-scheme: {'dark' if dark else 'light'}; --text: {colours.text}; "
        f"--background: {colours.background}; }}"
    )
    names = "".join(
        f'<span><i style="border-top: 2px {"dashed" if dashed else "solid"} '
        f'{html.escape(colour)}"></i>{html.escape(name)}</span>'
        for name, colour, dashed in curves
    )
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in words)
    head = f"<header><h1>{html.escape(title)}</h1>{lines}<div>{names}</div></header>"
    template = (
        "{% from macros import embed %}"
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>{{ title | e }}</title>'
        "{{ scripts }}<style>{{ style }}</style></head>"
        "<body>{{ head }}<main>{% for root in roots %}<section>{{ embed(root) }}</section>"
        "{% endfor %}</main>"
        "{{ plot_script }}</body></html>"
    )
    # Not Bokeh's own choice: it would add what all known models want from the server.
    inline = Resources(mode="inline", components=["bokeh", "bokeh-widgets"])
    scripts = "".join(f"<script>{code}</script>" for code in inline.js_raw)
    variables: dict[str, Any] = {"style": style, "head": head, "scripts": scripts}
    return str(
        file_html(
            list(figures),
            INLINE,
            title,
            template=Template(template),
            template_variables=variables,
            theme=FIGURES,
            suppress_callback_warning=True,
        )
    )
