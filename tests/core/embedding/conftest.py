import pytest

from spectrabridge.core.bundle import Bundle, open_bundle
from spectrabridge.core.embedding import Embedding, TsneSettings, make_embedding, stars_of_bundle

QUICK = TsneSettings(early_iterations=60, iterations=90)


@pytest.fixture(scope="session")
def giants() -> Bundle:
    return open_bundle("apogee-giants")


@pytest.fixture(scope="session")
def small(giants: Bundle) -> Embedding:
    """A map of 240 stars, made once."""
    return make_embedding(giants, stars_of_bundle(giants, 240, seed=3), QUICK)
