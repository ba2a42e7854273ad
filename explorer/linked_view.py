"""Open what a link names: a bundle, a view, a star; what cannot be opened is told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..core.bundle import Bundle
from ..core.errors import SpectrabridgeError
from .computed.split_directions import SplitLatents
from .pages import PAGES
from .session import open_bundles
from .session.open_stars import OpenStars
from .session.star_fitting import StarFitting
from .share import url
from .state.view_state import ViewState


class LinkedView:
    """What the arguments of a request ask for; they may come from anybody.

    Parameters
    ----------
    arguments : mapping
        Arguments of the request, see :mod:`.share.url`; empty where there is no link.
    """

    def __init__(self, arguments: url.Arguments) -> None:
        self._arguments = arguments
        self._problems: list[str] = []
        self._asked: dict[str, Any] = {}

    @property
    def wants_tour(self) -> bool:
        """Whether the tour may come by itself."""
        return self._arguments.get("tour") not in ([b"no"], ["no"])

    def bundle(self, usual: str | None) -> str:
        """Return the key of the bundle asked for if it can be opened, else of the usual one.

        Raises
        ------
        BundleError
            If the usual one cannot be opened.
        """
        asked, problems = url.bundle_asked(
            self._arguments, open_bundles.titles() if self._arguments else {}
        )
        self._problems += problems
        if asked is not None:
            try:
                return open_bundles.shared_bundle(asked)[0]
            except SpectrabridgeError as problem:
                self._problems.append(str(problem))
        return open_bundles.shared_bundle(usual)[0]

    def settings(self, name: str) -> dict[str, Any]:
        """Return start values for parameters of the state, for the bundle of a key."""
        if not self._arguments:
            return {}
        _, bundle, _ = open_bundles.shared_bundle(name)
        model = bundle.model
        self._asked, problems = url.read(
            self._arguments,
            model.labels,
            model.labels.mapping(model.reference),
            model.grid,
            PAGES,
            SplitLatents(bundle).n_directions,
        )
        self._problems += problems
        return {k: v for k, v in self._asked.items() if k not in ("star", "row")}

    def hold(self, fitting: StarFitting) -> None:
        """Keep the labels of the link where they are when its star is opened and fitted."""
        star = str(self._asked.get("star", ""))
        if star and "labels" in self._asked:
            fitting.hold(_example() if star == url.EXAMPLE else star)

    def restore(self, bundle: Bundle, state: ViewState, stars: OpenStars) -> str:
        """Lay over the star that is asked for; return what was not understood, in words."""
        star, row = str(self._asked.get("star", "")), int(self._asked.get("row", 0))
        mapped, feature = self._asked.get("mapped", ""), self._asked.get("feature", "")
        problems = list(self._problems)
        if star == url.EXAMPLE:
            stars.open_example(row)
        elif star == url.ON_MAP:
            stars.bring(lambda: [_mapped_star(bundle, mapped)], row)
        elif star in stars.files or star == url.NO_STAR:
            state.param.update(star="" if star == url.NO_STAR else star, row=row)
        elif star:
            stars.wait_for(star, row)
            problems.append(
                f"The star {url.seen(star)} is not open here: drop the file of that name on the "
                "page."
            )
        if feature and feature not in _candidate_ids(bundle):
            problems.append(f"There is no candidate feature {url.seen(feature)}.")
        if mapped and star != url.ON_MAP and not _is_mapped(bundle, mapped):
            problems.append(f"There is no star {url.seen(mapped)} on the map.")
        return url.told(problems)


# What links name is looked up in modules that the first screen can do without.


def _example() -> str:
    """Return the name of the file of the star that comes with the package."""
    from ..core.io.apstar import example_apstar

    return example_apstar().name


def _candidate_ids(bundle: Bundle) -> Collection[str]:
    """Return the ids of the candidate features of a bundle."""
    from ..core.lines.attached import candidates_of

    return frozenset(candidate.id for candidate in candidates_of(bundle) or ())


def _is_mapped(bundle: Bundle, name: str) -> bool:
    """Tell whether a star is on the map of a bundle."""
    from .star_map.open_maps import shared_map

    embedding = shared_map(bundle)
    return embedding is not None and embedding.row(name) is not None


def _mapped_star(bundle: Bundle, name: str) -> Any:
    """Return a star of the map, to be laid over the model.

    Raises
    ------
    SpectrabridgeError
        If no observed star of the map has that name.
    """
    from .star_map.open_maps import shared_map
    from .star_map.stars import observed_star

    embedding = shared_map(bundle)
    row = embedding.row(name) if embedding is not None else None
    if embedding is not None and row is not None:
        star = observed_star(bundle.model, embedding, row)
        if star is not None:
            return star
    raise SpectrabridgeError(f"There is no observed star {url.seen(name)} on the map.")
