"""A registry of file formats: each reader's module registers its identifier and its loader.

A new format is one file: a module of the package that calls :meth:`Registry.register`. Nothing
else lists formats; messages, the command line and the pages ask the registry.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Generic, TypeVar

File = TypeVar("File")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Format(Generic[File, Result]):
    """A format of files.

    Parameters
    ----------
    name : str
        What it is called: ``apStar``.
    title : str
        What it is, for messages and menus: ``apStar FITS files``.
    identify : callable
        Return whether a file is of this format; never raises.
    load : callable
        Return what is in a file of this format. Called with the file and with options.
    options : frozenset of str
        Options of reading that apply.
    stated : mapping
        What all files of the format have: ``{"medium": "vacuum"}``.
    """

    name: str
    title: str
    identify: Callable[[File], bool]
    load: Callable[..., Result]
    options: frozenset[str] = frozenset()
    stated: Mapping[str, str] = field(default_factory=dict)


class Registry(Generic[File, Result]):
    """The formats that the modules of a package register.

    Parameters
    ----------
    package : str
        Name of the package; its modules are imported when formats are first asked for.

    Examples
    --------
    >>> from spectrabridge.core.io.star_formats import STAR_FORMATS
    >>> STAR_FORMATS["apStar"].stated["medium"]
    'vacuum'
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._formats: dict[str, Format[File, Result]] = {}
        self._complete = False

    def register(
        self,
        name: str,
        title: str,
        identify: Callable[[File], bool],
        *,
        options: Iterable[str] = (),
        stated: Mapping[str, str] | None = None,
    ) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
        """Return a decorator that registers a loader; see :class:`Format`.

        Raises
        ------
        ValueError
            If another loader has the name.
        """

        def add(load: Callable[..., Result]) -> Callable[..., Result]:
            if name in self._formats:
                raise ValueError(f"The format {name!r} is registered already.")
            self._formats[name] = Format(
                name, title, identify, load, frozenset(options), dict(stated or {})
            )
            return load

        return add

    def __iter__(self) -> Iterator[Format[File, Result]]:
        self._import_all()
        return iter(sorted(self._formats.values(), key=lambda f: f.name.lower()))

    def __getitem__(self, name: str) -> Format[File, Result]:
        self._import_all()
        return self._formats[name]

    def __contains__(self, name: object) -> bool:
        self._import_all()
        return name in self._formats

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the formats in alphabetical order."""
        return tuple(f.name for f in self)

    def identify(self, file: File) -> Format[File, Result] | None:
        """Return the format of a file; None if it is of none that is known."""
        return next((f for f in self if f.identify(file)), None)

    def _import_all(self) -> None:
        if self._complete:
            return
        # Set first: a module may ask while it is imported.
        self._complete = True
        for module in pkgutil.iter_modules(import_module(self._package).__path__):
            import_module(f"{self._package}.{module.name}")
