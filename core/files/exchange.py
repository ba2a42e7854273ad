"""Values as bytes between two of our own processes, without pickle.

A value is a tree of plain values, arrays and the dataclasses that the reader of the bytes
names; whoever wrote them can make nothing else.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ..errors import SpectrabridgeError, SpectrumError
from .npz import open_npz

_TREE = "tree"


def to_bytes(value: Any) -> bytes:
    """Return a value as bytes that :func:`from_bytes` reads.

    Parameters
    ----------
    value : object
        None, numbers, texts, arrays, lists, tuples, dictionaries with keys of text,
        dataclasses, and objects with a method ``to_json``.

    Raises
    ------
    TypeError
        If there is something else in it.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _to_tree(value, arrays)
    out = io.BytesIO()
    arrays[_TREE] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def from_bytes(
    content: bytes,
    types: Mapping[str, type],
    name: str = "the answer",
    *,
    max_bytes: int = 1_000_000_000,
    error: type[SpectrabridgeError] = SpectrumError,
) -> Any:
    """Return the value that :func:`to_bytes` made bytes of.

    Parameters
    ----------
    content : bytes
        What :func:`to_bytes` returned.
    types : mapping
        Classes that may be made, by name.
    name, max_bytes, error
        See :func:`~spectrabridge.core.files.npz.open_npz`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Point:
    ...     x: float
    >>> from_bytes(to_bytes([Point(1.5), {"a": (None, 2)}]), {"Point": Point})
    [Point(x=1.5), {'a': (None, 2)}]
    """
    with open_npz(content, name, max_bytes=max_bytes, error=error) as file:
        tree = json.loads(file[_TREE].tobytes())
        return _from_tree(tree, file, types)


def _to_tree(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return _to_tree(value.item(), arrays)
    if isinstance(value, np.ndarray):
        key = f"a{len(arrays)}"
        arrays[key] = value.astype(np.str_) if value.dtype.hasobject else value
        return {"array": key}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_to_tree(item, arrays) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": {str(k): _to_tree(v, arrays) for k, v in value.items()}}
    kind = type(value).__name__
    if hasattr(value, "to_json"):
        return {"json": [kind, value.to_json()]}
    if is_dataclass(value):
        given = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        return {"object": [kind, {k: _to_tree(v, arrays) for k, v in given.items()}]}
    raise TypeError(f"{kind} cannot be sent to another process.")


def _from_tree(tree: Any, file: Mapping[str, np.ndarray], types: Mapping[str, type]) -> Any:
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "array":
        return file[value]
    if kind == "list":
        return [_from_tree(item, file, types) for item in value]
    if kind == "tuple":
        return tuple(_from_tree(item, file, types) for item in value)
    if kind == "dict":
        return {k: _from_tree(v, file, types) for k, v in value.items()}
    name, inside = value
    made: Any = types[name]
    if kind == "json":
        return made.from_json(inside)
    return made(**{k: _from_tree(v, file, types) for k, v in inside.items()})
