"""A map of stars of a bundle, from its stars to the file that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..atomic_file import write_whole
from ..bundle.bundle import Bundle
from ..domains.observed_file import ObservedFile
from ..errors import EmbeddingError
from ..io.table_writer import write_table
from .embedding import Embedding, Report, make_embedding
from .map_stars import stars_of_bundle, stars_of_spectra
from .places import place_file
from .storage import store_embedding, write_embedding
from .tsne import TsneSettings


@dataclass(frozen=True)
class StoredMap:
    """A map that was just made.

    Parameters
    ----------
    embedding : Embedding
        The map.
    bundle : Bundle
        Its bundle, with the map if that was stored.
    notes : tuple of str
        Sentences on what is not as it was asked for.
    n_bytes : int
        Size of the map as a file.
    """

    embedding: Embedding
    bundle: Bundle
    notes: tuple[str, ...]
    n_bytes: int


def embed_bundle(
    bundle: Bundle,
    n_stars: int = 4000,
    *,
    spectra: str | Path | None = None,
    settings: TsneSettings | None = None,
    store: bool = False,
    out: str | Path | None = None,
    places: str | Path | None = None,
    report: Report | None = None,
    command: str = "",
) -> StoredMap:
    """Place the stars of a bundle, or observed spectra of a file, on a map, and keep it.

    It is what ``spectrabridge embed`` does.

    Parameters
    ----------
    bundle : Bundle
        Gives the model and, without `spectra`, the stars.
    n_stars : int
        Stars of the map, half of them synthetic.
    spectra : path, optional
        Observed spectra; see :class:`~spectrabridge.core.domains.observed_file.ObservedFile`.
        Of more than half of `n_stars` some are drawn.
    settings : TsneSettings, optional
        How coordinates are found; its seed also draws the stars.
    store : bool
        Keep the map in the bundle, in place of an older one.
    out : path, optional
        File to write the map to, in place of an older one.
    places : path, optional
        Table to write, in place of an older one, of where all of the spectra belong on the map.
    report : callable, optional
        Told of progress.
    command : str
        What asked for the map, kept with it.

    Raises
    ------
    EmbeddingError
        If the bundle is a zip file and the map is to be stored in it, or stars are too few.
    SpectrumError, GridError
        If the spectra cannot be read.
    """
    settings = settings or TsneSettings()
    if store and not bundle.path.is_dir():
        raise EmbeddingError(
            f"{bundle.path} is a zip file; unpack it to store a map in it, or give --out."
        )
    notes: list[str] = []
    if spectra is None:
        stars = stars_of_bundle(bundle, n_stars, settings.seed)
        if len(stars) < n_stars // 2 * 2:
            notes.append(
                f"The bundle keeps {stars.n_each} observed stars and does not know the truth of "
                f"their domain: the map has {len(stars)} stars."
            )
    else:
        emulator = bundle.model.complete_emulator
        given = ObservedFile(Path(spectra), emulator, n_stars // 2, settings.seed)
        stars, more = stars_of_spectra(bundle, given, settings.seed)
        notes += more
    embedding = make_embedding(bundle, stars, settings, report, command)
    content = write_embedding(embedding)
    if out is not None:
        write_whole(Path(out), content)
    if places is not None and spectra is not None:
        every = ObservedFile(Path(spectra), bundle.model.complete_emulator)
        tell = None if report is None else partial(report, "places")
        write_table(place_file(bundle, embedding, every, tell), places, overwrite=True)
    if store:
        bundle = store_embedding(bundle, embedding)
    return StoredMap(embedding, bundle, tuple(notes), len(content))
