"""Maps of stars: spectra and shared latents of both domains, reduced to two dimensions.

The paper's Fig. 2 (O'Briain et al. 2020), computed once and kept with a bundle.
"""

from .embedding import Embedding, make_embedding
from .features import PANELS
from .map_stars import MapStars, stars_of_bundle, stars_of_spectra
from .placement import PlacedStars, Placer
from .storage import NAME, read_embedding, store_embedding, stored_embedding, write_embedding
from .tsne import TsneSettings

__all__ = [
    "NAME",
    "PANELS",
    "Embedding",
    "MapStars",
    "PlacedStars",
    "Placer",
    "TsneSettings",
    "make_embedding",
    "read_embedding",
    "stars_of_bundle",
    "stars_of_spectra",
    "store_embedding",
    "stored_embedding",
    "write_embedding",
]
