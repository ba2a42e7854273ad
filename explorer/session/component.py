"""What all parts of a session have in common: they watch, work in the background, and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import panel as pn
import param

from .background import Job, Result, Value
from .document_lock import Execute, executor


class _Part(Protocol):
    def start(self, execute: Execute | None = None) -> None: ...

    def close(self) -> None: ...


Part = TypeVar("Part", bound=_Part)


class Component:
    """A part of the explorer that ends with its session.

    What it watches with :meth:`watch`, its jobs from :meth:`job` and its parts from
    :meth:`own` start with it and end with it. To be named before the other bases of a class.

    Examples
    --------
    >>> class Doubler(Component, param.Parameterized):
    ...     value = param.Integer(1)
    ...     twice = param.Integer(2)
    ...
    ...     def __init__(self, **params):
    ...         super().__init__(**params)
    ...         self.doubling = self.job(lambda n: 2 * n, self._show, "doubling")
    ...         self.watch(self, lambda event: self.doubling.submit(event.new), "value")
    ...
    ...     def _show(self, value, twice):
    ...         self.twice = twice
    >>> doubler = Doubler()
    >>> doubler.value = 4
    >>> doubler.twice
    8
    >>> doubler.close()
    >>> doubler.value = 5
    >>> doubler.twice
    8
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Two underscores: a class must not use these names for something else by chance.
        self.__watched: list[tuple[param.Parameterized, Any]] = []
        self.__jobs: list[Job[Any, Any]] = []
        self.__parts: list[_Part] = []
        self.__execute: Execute | None = None
        super().__init__(*args, **kwargs)

    def watch(
        self, source: param.Parameterized, function: Callable[..., Any], names: str | Sequence[str]
    ) -> None:
        """Call a function with the events when parameters of `source` change, until closed."""
        names = [names] if isinstance(names, str) else list(names)
        self.__watched.append((source, source.param.watch(function, names)))

    def unwatch(self, source: param.Parameterized) -> None:
        """Stop watching `source`."""
        for watched, watcher in self.__watched:
            if watched is source:
                source.param.unwatch(watcher)
        self.__watched = [each for each in self.__watched if each[0] is not source]

    def job(
        self,
        compute: Callable[[Value], Result],
        publish: Callable[[Value, Result], None],
        name: str,
        on_error: Callable[[Exception], None] | None = None,
        every: bool = False,
    ) -> Job[Value, Result]:
        """Return a job that starts and ends with this component, see :class:`.Job`."""
        made = Job(compute, publish, name, on_error, every)
        self.__jobs.append(made)
        if self.__execute is not None:
            made.start(self.__execute)
        return made

    def own(self, part: Part) -> Part:
        """Return a part, which starts and ends with this component from now on."""
        self.__parts.append(part)
        if self.__execute is not None:
            part.start(self.__execute)
        return part

    def disown(self, part: _Part | None) -> None:
        """Close a part that another takes the place of; None is passed over."""
        if part is not None:
            self.__parts.remove(part)
            part.close()

    @property
    def __running(self) -> list[_Part | Job[Any, Any]]:
        return [*self.__jobs, *self.__parts]

    @property
    def execute(self) -> Execute | None:
        """What runs functions where the document may be changed; None before the start."""
        return self.__execute

    def run_locked(self, function: Callable[[], None]) -> None:
        """Run a function where the document may be changed: soon, or at once before the start.

        May be called from any thread.
        """
        if self.__execute is None:
            function()
        else:
            self.__execute(function)

    def locked(self, function: Callable[[], None]) -> Callable[..., None]:
        """Return a callback, for any arguments, that runs `function` under the document lock."""
        return lambda *_: self.run_locked(function)

    def start(self, execute: Execute | None = None) -> None:
        """Work in the background from now on.

        Without a start, and outside servers and notebooks, everything is done at once.

        Parameters
        ----------
        execute : callable, optional
            Runs functions where the document may be changed; that of Panel's current document
            if not given.
        """
        execute = execute or executor(pn.state.curdoc)
        if execute is None or self.__execute is not None:
            return
        self.__execute = execute
        for each in self.__running:
            each.start(execute)
        self.on_start()

    def on_start(self) -> None:
        """Do what is done once, when work goes to the background; nothing if not overridden."""

    def close(self) -> None:
        """Stop all work and watching, for good; what is shown stays as it is."""
        for each in self.__running:
            each.close()
        for source, watcher in self.__watched:
            source.param.unwatch(watcher)
        self.__watched.clear()
        self.__parts.clear()
