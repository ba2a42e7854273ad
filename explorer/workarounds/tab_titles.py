"""Titles of tabs cannot be changed once the tabs are there.

Without this: the only way is to put each part into its tab again, which builds it anew in the
browser, and a slider that is being dragged jumps out of the hand.

Versions: panel-material-ui 0.16.6 and before; Panel's own tabs have the same limit.
"""

from __future__ import annotations

from collections.abc import Sequence

import panel_material_ui as pmui


def tab_titles(tabs: pmui.Tabs) -> list[str]:
    """Return the titles of tabs, in order."""
    return list(tabs._names)


def rename_tabs(tabs: pmui.Tabs, titles: Sequence[str]) -> None:
    """Give the first tabs other titles; those after them keep theirs, and all keep their parts."""
    new = [*titles, *tabs._names[len(titles) :]]
    if new != tab_titles(tabs):
        tabs._names = new
