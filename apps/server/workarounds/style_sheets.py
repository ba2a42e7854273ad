"""Panel asks for its style sheets at a wrong address below a prefix, or on another machine.

Without this: with several processes a session may live in another one than that which wrote its
page, and its style sheets come from a content network, which a machine without one cannot
reach; and for a page right below a prefix they come from "/static/...", which is above it. The
page then has no style.

Versions: Panel 1.9.4 and before. It sets the address when it writes the page, and works it out
again whenever the browser tells where the page lies.
"""

from __future__ import annotations

import panel as pn
from bokeh.document import Document
from panel.io.resources import get_dist_path


def keep_style_sheets_here(document: Document) -> None:
    """Ask for Panel's style sheets at an address that is relative to the page's."""
    address = get_dist_path()

    def ours(*_: object) -> None:
        document.template_variables["dist_url"] = address

    location = pn.state.location  # made here if it was not, and that sets Panel's address, too
    if location is not None:
        location.param.watch(ours, "pathname")
    ours()
