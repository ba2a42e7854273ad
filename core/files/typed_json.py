"""JSON from strangers as dataclasses: every value has the type that its field is annotated with."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import SpectrabridgeError, SpectrumError

T = TypeVar("T")

MAX_DEPTH = 100
"""Lists and objects inside each other; what is nested deeper was made to exhaust the stack."""

MAX_WHOLE_NUMBER = 2**63 - 1
"""The largest whole number that numpy and torch hold."""

_SHOWN = 200


def parsed(
    content: bytes | str,
    name: str,
    what: str = "JSON",
    error: type[SpectrabridgeError] = SpectrumError,
    advice: str = "Get it again.",
) -> Any:
    """Return what JSON from a stranger says; see :func:`require_types` for what is in it.

    Parameters
    ----------
    content : bytes or str
        The text.
    name : str
        What to call it in messages.
    what : str
        What it should be, with an article: ``a manifest``.
    error : type
        Kind of the error, a subclass of SpectrabridgeError.
    advice : str
        What to do, one sentence.

    Raises
    ------
    SpectrabridgeError
        If it is no JSON, or lists in it are nested more than 100 deep.

    Examples
    --------
    >>> parsed("[1, 2]", "numbers.json")
    [1, 2]
    """
    try:
        data = json.loads(content)
    except RecursionError:
        data = None
        deep = True
    except ValueError as problem:
        reason = str(problem)[:_SHOWN]
        raise error(f"{name} is no JSON and not {what} ({reason}). {advice}".strip()) from problem
    else:
        deep = _is_deep(data)
    if deep:
        raise error(
            f"{name} is not {what}: lists or objects in it are nested more than {MAX_DEPTH} deep. "
            f"{advice}".strip()
        )
    return data


def _is_deep(data: object) -> bool:
    """Tell whether lists and objects are nested deeper than the limit."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        inside: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inside.extend(one.values())
            elif isinstance(one, list):
                inside.extend(one)
        level = [one for one in inside if isinstance(one, dict | list)]
        if not level:
            return False
    return True


@contextmanager
def said_of(
    name: str, error: type[SpectrabridgeError] = SpectrumError, advice: str = "Get it again."
) -> Iterator[None]:
    """Turn the ValueErrors of this module, which name a key, into sentences that name the file.

    Examples
    --------
    >>> try:
    ...     with said_of("labels.json"):
    ...         _ = value_of(float, "hot", "labels[0].low")
    ... except SpectrumError as problem:
    ...     print(problem)
    labels.json: labels[0].low: expected a number, found text. Get it again.
    """
    try:
        yield
    except ValueError as problem:
        raise error(f"{name}: {str(problem)[:_SHOWN]}. {advice}".strip()) from problem


def require_types(
    data: object,
    required: Mapping[str, Any],
    optional: Mapping[str, Any] | None = None,
    where: str = "",
) -> dict[str, Any]:
    """Return an object of JSON as it is, after a look at the types of its values.

    Other keys than those that are named may be in it: a newer version may write more.

    Parameters
    ----------
    data : object
        What JSON gave.
    required, optional : mapping
        Types by key, as :func:`value_of` takes them.
    where : str, optional
        What to call it in messages.

    Raises
    ------
    ValueError
        If something is missing or of another type; says where it stands.

    Examples
    --------
    >>> require_types({"name": "toy", "more": None}, {"name": str})
    {'name': 'toy', 'more': None}
    """
    table = mapping_of(data, where)
    for name, kind in required.items():
        if name not in table:
            raise ValueError(f"{_place(where, name)} is missing")
        value_of(kind, table[name], _place(where, name))
    for name, kind in (optional or {}).items():
        if name in table:
            value_of(kind, table[name], _place(where, name))
    return table


def rebuilt(kind: type[T], data: object, where: str = "") -> T:
    """Return a dataclass from the dictionary that ``dataclasses.asdict`` and JSON made of it.

    Numbers must be finite unless the field may be None; then None stands for no number, too.
    Keys that the dataclass does not have are refused: nothing is dropped in silence.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are text, numbers, truth values, literals, dataclasses, or
        tuples and mappings of these.
    data : object
        What JSON gave.
    where : str, optional
        What to call it in messages.

    Raises
    ------
    ValueError
        If something is missing, is of another type, or is not known; says where it stands.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Line:
    ...     species: str
    ...     loggf: float
    >>> rebuilt(Line, {"species": "Fe 1", "loggf": -1})
    Line(species='Fe 1', loggf=-1.0)
    >>> rebuilt(Line, {"species": "Fe 1", "loggf": "weak"}, "line 3")
    Traceback (most recent call last):
    ...
    ValueError: line 3.loggf: expected a number, found text
    """
    table = mapping_of(data, where)
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind) if f.init}  # type: ignore[arg-type]
    if strange := set(table) - known.keys():
        raise ValueError(f"{_place(where, sorted(strange)[0][:40])} is not known")
    given = {}
    for name, one in known.items():
        if name in table:
            given[name] = value_of(hints[name], table[name], _place(where, name))
        elif one.default is MISSING and one.default_factory is MISSING:
            raise ValueError(f"{_place(where, name)} is missing")
    return kind(**given)


def mapping_of(data: object, where: str = "") -> dict[str, Any]:
    """Return an object of JSON as a dictionary, or raise a ValueError if it is something else."""
    if not isinstance(data, dict):
        raise ValueError(f"{where or 'the content'}: expected an object, found {_found(data)}")
    return data


def value_of(kind: Any, data: object, where: str) -> Any:
    """Return a value of JSON as a type, or raise a ValueError that says where it stands."""
    origin = get_origin(kind)
    if kind is Any:
        return data
    if origin in (Union, types.UnionType):
        others = [k for k in get_args(kind) if k is not type(None)]
        if data is None and len(others) < len(get_args(kind)):
            return None
        return value_of(others[0], data, where)
    if origin is Literal:
        if data not in get_args(kind) or isinstance(data, bool):
            raise ValueError(f"{where}: expected one of {', '.join(map(str, get_args(kind)))}")
        return data
    if origin is tuple:
        if not isinstance(data, list):
            raise ValueError(f"{where}: expected a list, found {_found(data)}")
        return tuple(_elements(get_args(kind), data, where))
    if origin is not None and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        table = mapping_of(data, where)
        return {
            key: value_of(inner, value, _place(where, key[:40])) for key, value in table.items()
        }
    if is_dataclass(kind):
        return rebuilt(kind, data, where)  # type: ignore[arg-type]
    return _plain(kind, data, where)


def _elements(kinds: tuple[Any, ...], data: list[Any], where: str) -> list[Any]:
    """Return the elements of a tuple: all of one type, or each of its own."""
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        raise ValueError(f"{where}: expected {len(kinds)} values, found {len(data)}")
    pairs = zip(kinds, data, strict=True)
    return [value_of(kind, value, f"{where}[{i}]") for i, (kind, value) in enumerate(pairs)]


def _plain(kind: Any, data: object, where: str) -> Any:
    """Return text, a number or a truth value."""
    number = isinstance(data, int | float) and not isinstance(data, bool)
    if kind is float and number:
        try:
            value = float(data)  # type: ignore[arg-type]
        except OverflowError:
            value = math.inf
        if math.isfinite(value):
            return value
        raise ValueError(f"{where}: expected a finite number")
    if kind is int and number and isinstance(data, int) and abs(data) > MAX_WHOLE_NUMBER:
        raise ValueError(f"{where}: expected a whole number of at most 19 digits")
    if kind is not float and isinstance(data, kind) and (kind is bool or number or kind is str):
        return data
    words = {str: "text", float: "a number", int: "a whole number", bool: "true or false"}
    raise ValueError(f"{where}: expected {words.get(kind, kind.__name__)}, found {_found(data)}")


def _place(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _found(data: object) -> str:
    """Return in a word what JSON gave."""
    if isinstance(data, bool) or data is None:
        return {True: "true", False: "false", None: "null"}[data]
    words = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return words.get(type(data), type(data).__name__)
