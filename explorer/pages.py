"""The registry of pages, in the order of their titles in the header.

A page is a folder whose ``__init__`` describes it as a :class:`.PageEntry` called ``PAGE``; the
page itself is imported when it is first opened, so that the first screen need not wait for it.
Navigation, links, the share menu, the tour, the About page and the tests go by this list.
"""

from __future__ import annotations

import importlib
import pkgutil

from . import about, derivatives, fit, lines, spectrum, star_map
from .session.page import PageEntry

PAGES: dict[str, PageEntry] = {}
"""Every page by its key."""


def register(entry: PageEntry) -> None:
    """Add a page after those that are there.

    Parameters
    ----------
    entry : PageEntry
        The page. Explorers that are made from now on show it.

    Raises
    ------
    ValueError
        If another page has its key or its shortcut.
    """
    for other in PAGES.values():
        if entry.key == other.key or entry.shortcut == other.shortcut:
            raise ValueError(
                f"Expected a key and a shortcut of its own for the page {entry.title!r}; the page "
                f"{other.title!r} has the key {other.key!r} and the shortcut {other.shortcut!r}."
            )
    PAGES[entry.key] = entry


def import_pages() -> None:
    """Import the code of all pages, which otherwise happens when each is first opened.

    A server of several processes needs it: the one that is asked for the style sheet of a
    component need not be the one that has built the page.
    """
    for entry in PAGES.values():
        package = importlib.import_module(entry.build.__module__)
        for module in pkgutil.iter_modules(
            getattr(package, "__path__", ()), f"{package.__name__}."
        ):
            importlib.import_module(module.name)


for folder in (spectrum, derivatives, star_map, fit, lines, about):
    register(folder.PAGE)
