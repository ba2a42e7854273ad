"""A toy bundle in place of the shipped ones, so that these tests need no trained model."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake import FakeBundle, LineModel

from spectrabridge.explorer import shelf
from spectrabridge.explorer.state import ViewState


@pytest.fixture(scope="session")
def model():
    return LineModel()


@pytest.fixture
def state(model):
    return ViewState(model.labels, model.reference)


@pytest.fixture
def bundles(monkeypatch, model):
    """Replace the shelf's bundles by two toys; return the names that were opened."""
    opened = []

    def open_bundle(name=None):
        opened.append(name)
        return FakeBundle(name=name or "fake-lines", model=model)

    toys = [FakeBundle("fake-lines", model=model), FakeBundle("other-lines", model=model)]
    monkeypatch.setattr(shelf, "_open", {})
    monkeypatch.setattr(shelf, "open_bundle", open_bundle)
    monkeypatch.setattr(shelf, "list_bundles", lambda: toys)
    return opened


@pytest.fixture
def drag():
    """Move a row as the browser does."""

    def drag(rows, name, value):
        moved = [list(pair) for pair in rows.told]
        place = [row["name"] for row in rows.rows].index(name)
        moved[place] = [moved[place][0] + 1, value]
        rows.moved = moved

    return drag
