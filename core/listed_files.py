"""Folders whose main file lists the others: whoever reads finds the old ones or the new ones.

The main file, which is JSON, names every other file with its SHA-256. It is written last and by
one rename, and no file that it names is changed before, so that this holds after a kill at any
moment, too. Files of a folder that is there already go under names that carry their hash
(``emulator.4f3a9c01d2b7.safetensors``). One process writes at a time. Bundles and the folders of
emulators are such folders.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .atomic_file import write_whole
from .errors import OutputError, SpectrabridgeError
from .file_lock import LockedError, locked
from .files.typed_json import mapping_of, require_types

LOCK_SECONDS = 60.0
"""How long another process that writes into the same folder is waited for."""

_WITH_HASH = re.compile(r"(?P<stem>[^.]+)\.[0-9a-f]{12}(?P<suffixes>(\..+)?)")
_PARTIAL = re.compile(r"\..+\.partial|[a-z]+\.json\.partial")  # the second is of 0.1


def stored_name(name: str, entry: Mapping[str, Any]) -> str:
    """Return the name under which a folder keeps a file; its own name before 0.2."""
    return str(entry.get("file", name))


def require_entries(files: object, where: str = "files") -> None:
    """Raise a ValueError unless a main file lists files as :func:`entry_of` does.

    Parameters
    ----------
    files : object
        What JSON gave: entries by the name of the file.
    where : str
        What to call it in messages.
    """
    for name, entry in mapping_of(files, where).items():
        place = f"{where}.{name[:40]}"
        require_types(entry, {"sha256": str, "bytes": int}, {"file": str}, place)
        plain = stored_name(name, entry)
        if Path(plain).name != plain or plain in ("", ".", ".."):
            raise ValueError(f"{place}: file names are plain")


def entry_of(name: str, content: bytes, carries_hash: bool) -> dict[str, Any]:
    """Return what the main file says about a file: ``sha256``, ``bytes`` and maybe ``file``.

    Examples
    --------
    >>> entry_of("sample.safetensors", b"x", carries_hash=True)["file"]
    'sample.2d711642b726.safetensors'
    """
    sha256 = hashlib.sha256(content).hexdigest()
    entry: dict[str, Any] = {"sha256": sha256, "bytes": len(content)}
    if carries_hash:
        stem, dot, suffixes = name.partition(".")
        entry["file"] = f"{stem}.{sha256[:12]}{dot}{suffixes}"
    return entry


@contextmanager
def alone_in(folder: Path, error: type[SpectrabridgeError] = OutputError) -> Iterator[None]:
    """Keep other processes from writing to a folder, which need not exist yet.

    Raises
    ------
    SpectrabridgeError
        Of class `error`, if another process keeps writing there.
    OutputError
        If nothing can be written there.
    """
    folder = Path(os.path.realpath(folder))  # one lock, whatever the path to it
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, which may be new; inside it where there is no place beside.
        place = folder.parent if os.access(folder.parent, os.W_OK) else folder
        with locked(place / f".{folder.name}.lock", LOCK_SECONDS):
            yield
    except LockedError:
        raise error(
            f"Another process has been writing to {folder} for {LOCK_SECONDS:.0f} seconds; nothing "
            "was changed. Give the same command again when it has ended."
        ) from None
    except OSError as problem:
        raise OutputError(
            f"{folder} cannot be written: {problem.strerror or problem}. Nothing was changed; "
            "copy it to a folder of yours or give another one."
        ) from problem


def create_folder(
    folder: Path, main: str, data: dict[str, Any], contents: Mapping[str, bytes]
) -> None:
    """Write a new folder beside its place, and move it there whole.

    Parameters
    ----------
    folder : Path
        Absent or empty. Be :func:`alone_in` it.
    main : str
        Name of the main file.
    data : dict
        What it says; ``files`` is added.
    contents : mapping
        The other files, by name.
    """
    listed = {n: entry_of(n, content, carries_hash=False) for n, content in contents.items()}
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    try:
        partial.mkdir()
        for name, content in contents.items():
            write_whole(partial / name, content)
        write_main(partial, main, {**data, "files": listed})
        if folder.exists():
            folder.rmdir()  # empty, or the new one could not go there
        partial.replace(folder)
    except BaseException:  # Ctrl-C too
        shutil.rmtree(partial, ignore_errors=True)
        raise


def replace_files(
    folder: Path,
    main: str,
    data: dict[str, Any],
    contents: Mapping[str, bytes],
    old: Mapping[str, Any],
) -> None:
    """Write all files of a folder anew; the old ones stay until the new ones are complete.

    Parameters
    ----------
    folder, main, data, contents
        See :func:`create_folder`.
    old : mapping
        What the main file says until now; nothing if it is damaged.
    """
    listed = {n: entry_of(n, content, carries_hash=True) for n, content in contents.items()}
    for name, content in contents.items():
        write_whole(folder / stored_name(name, listed[name]), content)
    data = {**data, "files": listed}
    write_main(folder, main, data)
    remove_unlisted(folder, main, old, data)


def write_main(folder: Path, main: str, data: Mapping[str, Any]) -> None:
    """Write the main file in one step: what it lists counts from here on."""
    text = json.dumps(data, indent=0, separators=(",", ":")) + "\n"
    write_whole(folder / main, text.encode())


def remove_unlisted(
    folder: Path, main: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
    """Remove the files that only the old main file lists, and what killed writers left."""
    names = _entries(old).keys() | _entries(new).keys()
    left = {stored_name(name, entry) for name, entry in _entries(old).items()}
    for path in folder.iterdir():
        match = _WITH_HASH.fullmatch(path.name)
        if (match and match["stem"] + match["suffixes"] in names) or _PARTIAL.fullmatch(path.name):
            left.add(path.name)
    kept = {stored_name(name, entry) for name, entry in _entries(new).items()}
    for name in left - kept - {main}:
        if Path(name).name == name:
            with suppress(OSError):  # in use on Windows; the next writer removes it
                (folder / name).unlink()


def _entries(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a main file says about all its files, by name."""
    return {**data.get("attached", {}), **data.get("files", {})}
