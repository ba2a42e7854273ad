"""A toy bundle in place of the shipped ones, so that these tests need no trained model."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake import FakeBundle, LineModel

from spectrabridge.explorer.session import open_bundles
from spectrabridge.explorer.state.view_state import ViewState


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
    monkeypatch.setattr(open_bundles, "_open", {})
    monkeypatch.setattr(open_bundles, "open_bundle", open_bundle)
    monkeypatch.setattr(open_bundles, "list_bundles", lambda: toys)
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
