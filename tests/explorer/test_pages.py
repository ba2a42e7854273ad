"""The registry of pages: what is registered is shown, opened, linked and told, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spectrabridge.explorer import pages
from spectrabridge.explorer.app import Explorer
from spectrabridge.explorer.pages import PAGES, register
from spectrabridge.explorer.share import url


@pytest.fixture
def another(monkeypatch):
    """Register one more page, as an extension would; it is the About page by another name."""
    monkeypatch.setattr(pages, "PAGES", PAGES)
    entry = replace(PAGES["about"], key="notes", title="Notes", shortcut="n", about="my notes")
    register(entry)
    yield entry
    del PAGES["notes"]


@pytest.mark.parametrize("key", PAGES)
def test_every_entry_can_be_told_from_the_others(key):
    entry = PAGES[key]
    assert entry.key == key and entry.title and entry.about
    assert len(entry.shortcut) == 1
    assert [e.shortcut for e in PAGES.values()].count(entry.shortcut) == 1


@pytest.mark.parametrize("key", ["spectrum", "derivatives"])
def test_pages_at_the_labels_of_the_sliders_open(bundles, key):
    explorer = Explorer(page=key)
    assert explorer.entry is PAGES[key]
    assert explorer.pages[key].parts[1].visible
    assert explorer.pages["spectrum"].parts[0].visible
    explorer.close()


def test_a_page_that_is_registered_is_everywhere(bundles, model, another):
    explorer = Explorer()
    assert ["notes", "Notes", "n"] in explorer.navigation.pages
    assert any("n Notes" in what for _, what in explorer.tour.keys)
    found, problems = url.read(
        url.parse("page=notes"),
        model.labels,
        model.labels.mapping(model.reference),
        model.grid,
        PAGES,
    )
    assert (found, problems) == ({"page": "notes"}, [])
    explorer.close()


@pytest.mark.parametrize("changes", [{"key": "more"}, {"shortcut": "x"}])
def test_keys_and_shortcuts_are_taken_once(changes):
    with pytest.raises(ValueError, match="of its own"):
        register(replace(PAGES["fit"], **changes))
    assert len(PAGES) == 6
