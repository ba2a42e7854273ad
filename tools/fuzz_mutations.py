"""Damage of files, by what they are made of: bytes, text, headers, JSON, members of archives."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[random.Random, bytes], bytes]

TOKENS = [
    *(b"0", b"-1", b"1", b"9999999999", b"99999999999999999999", b"2147483648", b"1e308", b"1e999"),
    *(b"nan", b"inf", b"-inf", b"", b"T", b"'x'", b"null", b"\xff\xfe", b"\0", b"A" * 300, b"\n"),
    *(
        b"../../etc/passwd",
        b"<script>x</script>",
        b"\t",
        b",",
        b"{",
        b"[",
        b'"',
        b"#",
        b"=",
        b"-32",
    ),
    *(b"64", b"\xe2\x82\xac", b"1D400", b"--5", b"0x10", b"1_000", b"\xd9\xa3", b"1 " * 50),
]
"""What stands in text and headers where it should not."""

FITS_VALUES = [
    *(b"0", b"-1", b"1", b"999", b"99999999999", b"9223372036854775807", b"-32", b"8", b"64", b"7"),
    *(b"T", b"'abc'", b"1E400", b"NaN", b"1.5", b"'IMAGE'", b"'BINTABLE'", b"'1PE(100)'"),
    *(b"'1000000E'", b"'99999999999D'", b"'-1E'", b"'1QX'", b"'0E'", b"'TABLE'", b"", b"'\xff'"),
    *(b"(1,2)", b"' '", b"'unterminated"),
]
FITS_KEYS = [
    *(b"NAXIS", b"NAXIS1", b"NAXIS9", b"BITPIX", b"BSCALE", b"BZERO", b"BLANK", b"TFIELDS"),
    *(b"PCOUNT", b"GCOUNT", b"TNULL1", b"TSCAL1", b"TDIM1", b"TFORM1", b"XTENSION", b"END"),
    *(b"CONTINUE", b"HIERARCH", b"ZIMAGE", b"GROUPS", b"THEAP", b"TTYPE1", b"CRVAL1", b"CDELT1"),
]

STRANGE: list[Any] = [
    *(None, [], {}, -1, 0, 1, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), True, ""),
    *("x", "nan", "\ud800", "A" * 2000, [[]], [1], {"a": 1}, "../../x", [None], "\0", 10**9),
]
"""What stands in JSON where it should not."""

NPY_TYPES = [
    *("'<f4'", "'|O'", "'<U1000000'", "'<f8'", "'V8'", "[('a','<f8')]", "'<M8[s]'", "5", "'|S0'"),
    *("'<c16'", "'__import__(1)'"),
]
NPY_SHAPES = [
    *("(10,)", "()", "(1000000000000,)", "(100000,100000)", "(-1,)", "(0,)", "(1,8575)", "('a',)"),
    *("(10000000000000000000000,)", "(50000,8575)"),
]


def damage_bytes(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with a few of them flipped, cut, copied, put in or replaced by numbers."""
    out = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not out:
            break
        # Headers decide more than data do.
        at = rng.randrange(min(len(out), 3000)) if rng.random() < 0.4 else rng.randrange(len(out))
        kind = rng.randrange(7)
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del out[at:]
        elif kind == 2:
            n, to = rng.choice((1, 8, 80, 512)), rng.randrange(len(out))
            out[to : to + n] = out[at : at + n]
        elif kind == 3:
            del out[at : at + rng.choice((1, 4, 80, 2880))]
        elif kind == 4:
            out[at:at] = rng.choice(TOKENS)
        elif kind == 5:
            n = rng.choice((1, 2, 4, 8))
            value = rng.choice((0, -1, 1, 2**31 - 1, 2**63 - 1, 1_000_000)) & ((1 << 8 * n) - 1)
            out[at : at + n] = value.to_bytes(n, rng.choice(("little", "big")))
        else:
            numbers = list(re.finditer(rb"[-+]?\d[\d.eE+-]*", bytes(out[:20_000])))
            if numbers:
                found, token = rng.choice(numbers), rng.choice(TOKENS)
                out[found.start() : found.end()] = token
    return bytes(out)


def damage_text(rng: random.Random, content: bytes) -> bytes:
    """Return text with words and lines replaced, doubled, swapped or missing."""
    if rng.random() < 0.3:
        return damage_bytes(rng, content)
    lines = content.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        i = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind <= 1:
            words = re.split(rb"([ ,\t])", lines[i])
            words[rng.randrange(0, len(words), 2)] = rng.choice(TOKENS)
            lines[i] = b"".join(words)
        elif kind == 2:
            lines.insert(i, rng.choice(lines))
        elif kind == 3:
            del lines[i]
            lines = lines or [b""]
        elif kind == 4:
            lines[i] *= rng.choice((2, 50))
        else:
            j = rng.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def damage_fits(rng: random.Random, content: bytes) -> bytes:
    """Return a FITS file with header cards of other values, names or places."""
    out = bytearray(content)
    cards = [i for i in range(0, len(out) - 79, 80) if out[i + 8 : i + 10] == b"= "]
    if not cards or rng.random() < 0.25:
        return damage_bytes(rng, content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.choice(cards)
        kind = rng.randrange(5)
        if kind <= 2:
            out[at + 10 : at + 80] = rng.choice(FITS_VALUES).rjust(20)[:70].ljust(70)
        elif kind == 3:
            out[at : at + 8] = rng.choice(FITS_KEYS).ljust(8)
        else:
            out[at : at + 80] = out[rng.choice(cards) :][:80]
    return bytes(out)


def damage_json(rng: random.Random, content: bytes) -> bytes:
    """Return JSON with values of other kinds, keys missing or renamed, or nested deeply."""
    if rng.random() < 0.2:
        return damage_bytes(rng, content)
    if rng.random() < 0.02:
        return b"[" * rng.choice((1_000, 100_000, 1_000_000))
    try:
        data = damage_tree(rng, json.loads(content))
    except ValueError:
        return damage_bytes(rng, content)
    return json.dumps(data).encode("utf-8", "surrogatepass")


def damage_tree(rng: random.Random, data: Any) -> Any:
    """Return a copy of JSON data with one to three of its values changed."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = _places(data)
        if not places:
            return rng.choice(STRANGE)
        parent, key = rng.choice(places)
        kind = rng.randrange(8)
        if kind < 5:
            parent[key] = copy.deepcopy(rng.choice(STRANGE))
        elif kind == 5:
            del parent[key]
        elif kind == 6 and isinstance(parent, dict):
            parent[rng.choice(("x", "", "__class__", "a" * 500))] = parent.pop(key)
        elif isinstance(parent[key], int | float):
            parent[key] = rng.choice((str(parent[key]), -parent[key], parent[key] * 10**6))
    return data


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Return parent and key of the values in JSON data, at most 40 of a list."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        parent = waiting.pop()
        if isinstance(parent, dict):
            keys: list[Any] = list(parent)
        else:
            keys = list(range(min(len(parent), 40))) if isinstance(parent, list) else []
        for key in keys:
            found.append((parent, key))
            waiting.append(parent[key])
    return found


def damage_zip(inner: dict[str, Mutation], container: bool = False) -> Mutation:
    """Return a mutation of zip files whose members are damaged by the end of their names.

    A container only carries a folder to its reader, and stays a zip file itself.
    """

    def damage(rng: random.Random, content: bytes) -> bytes:
        if not container and rng.random() < 0.3:
            return damage_bytes(rng, content)
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            members = {name: file.read(name) for name in file.namelist()}
        name = rng.choice(list(members))
        kind = rng.randrange(10)
        if kind < 7:
            mutation = next((m for end, m in inner.items() if name.endswith(end)), damage_bytes)
            members[name] = mutation(rng, members[name])
        elif kind == 7:
            del members[name]
        elif kind == 8:
            members[rng.choice(("../x.npy", "mask.npy", "ids.npy", "x"))] = members[name]
        else:
            members[name] = b""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", rng.choice((0, zipfile.ZIP_DEFLATED))) as file:
            for name, member in members.items():
                file.writestr(name, member)
        return out.getvalue()

    return damage


def damage_npy(rng: random.Random, content: bytes) -> bytes:
    """Return an array file whose header promises other types and shapes than there are data."""
    if rng.random() < 0.4 or content[:6] != b"\x93NUMPY":
        return damage_bytes(rng, content)
    start = content.index(b"\n") + 1
    order, shape = rng.choice((True, False)), rng.choice(NPY_SHAPES)
    words = f"{{'descr': {rng.choice(NPY_TYPES)}, 'fortran_order': {order}, 'shape': {shape}, }}\n"
    head = b"\x93NUMPY" + rng.choice((b"\1\0", b"\2\0", b"\x09\0"))
    return head + len(words).to_bytes(2, "little") + words.encode() + content[start:]


def damage_safetensors(rng: random.Random, content: bytes) -> bytes:
    """Return a safetensors file with another header: shapes, types, offsets, metadata."""
    if rng.random() < 0.3:
        return damage_bytes(rng, content)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    metadata = header.get("__metadata__", {})
    for key, text in list(metadata.items()):
        if rng.random() < 0.5:
            metadata[key] = damage_json(rng, text.encode()).decode("utf-8", "replace")
            changed = header
            break
    else:
        changed = damage_tree(rng, header)
    new = json.dumps(changed).encode("utf-8", "surrogatepass")
    return len(new).to_bytes(8, "little") + new + content[8 + size :]


def damage_gzip(mutation: Mutation) -> Mutation:
    """Return a mutation of gzip files: of what is in them, or of their own bytes."""

    def damage(rng: random.Random, content: bytes) -> bytes:
        if rng.random() < 0.3:
            return damage_bytes(rng, content)
        return gzip.compress(mutation(rng, gzip.decompress(content)), 1)

    return damage


def damage_hdf5(rng: random.Random, content: bytes) -> bytes:
    """Return an HDF5 file with other datasets, attributes and links, or damaged bytes."""
    import h5py
    import numpy as np

    if rng.random() < 0.45:
        return damage_bytes(rng, content)
    memory = io.BytesIO(content)
    try:
        with h5py.File(memory, "r+") as file:
            names: list[str] = []
            file.visit(names.append)
            name = rng.choice(names)
            shape = getattr(file[name], "shape", None) or (3,)
            kind = rng.randrange(14)
            if kind >= 11 and file.attrs:
                key = rng.choice(list(file.attrs))
                file.attrs[key] = rng.choice([1, 2.5, "", "{", "null", "[]", np.arange(2), 2**40])
            else:
                del file[name]
                _put_strange(file, name, shape, kind)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return damage_bytes(rng, content)
    return memory.getvalue()


def _put_strange(file: Any, name: str, shape: tuple[int, ...], kind: int) -> None:
    """Put something of another kind where a dataset was; with the last kind, nothing."""
    import h5py
    import numpy as np

    if kind == 0:
        file.create_group(name)
    elif kind == 1:
        file.create_dataset(name, (10**12,), "f4", chunks=(1000,))
    elif kind == 2:
        file.create_dataset(name, (40_000, 8575), "f4", chunks=(64, 8575), compression="gzip")
    elif kind == 3:
        file.create_dataset(name, shape, h5py.string_dtype())
    elif kind == 4:
        file.create_dataset(name, shape, np.dtype([("a", "f4"), ("b", "S4")]))
    elif kind == 5:
        file[name] = np.full(shape, np.nan)
    elif kind == 6:
        file[name] = h5py.Empty("f4")
    elif kind == 7:
        file[name] = h5py.ExternalLink("/etc/hostname", "/x")
    elif kind == 8:
        file[name] = h5py.SoftLink("/")
    elif kind == 9:
        file[name] = np.ones(tuple(reversed(shape)))
