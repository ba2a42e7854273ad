"""The folder of an emulator: ``emulator.json`` and the weights that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from ..errors import BundleError
from ..files import read_limited
from ..files.typed_json import parsed, require_types, said_of
from ..listed_files import alone_in, create_folder, replace_files, require_entries, stored_name

MAIN_FILE = "emulator.json"
"""The file that describes the emulator; written last, so that its weights are there."""

WEIGHTS = "emulator.safetensors"
"""The weights, as the main file calls them; replaced ones carry their hash in the name."""

SCHEMA = 1
"""Version of the layout that this code writes, and the newest that it reads."""

_MAX_MAIN_BYTES = 1 << 24
_MAX_WEIGHTS_BYTES = 1 << 32
_AGAIN = "Train the emulator again, or get the folder again."


def require_emulator_folder(folder: Path) -> None:
    """Raise a BundleError unless an emulator may be written to a folder.

    It may if the folder is new, empty, or holds an emulator and no bundle. What 0.1 left
    there when it was killed before it wrote the description counts as nothing.
    """
    files = {f.name for f in folder.iterdir()} if folder.exists() else set()
    if files - {WEIGHTS} and (MAIN_FILE not in files or "bundle.json" in files):
        raise BundleError(
            f"{folder} exists, is not empty and is no emulator; nothing was changed there. "
            "Give another folder."
        )


def write_emulator_folder(
    folder: Path, data: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write a description and weights: whoever reads finds the old emulator or the new one.

    Raises
    ------
    BundleError
        If the folder holds something else, or another process keeps writing to it.
    OutputError
        If a file cannot be written; an old emulator stays as it was.
    """
    contents = {
        WEIGHTS: safetensors.torch.save(
            {k: v.detach().contiguous().cpu() for k, v in tensors.items()}
        )
    }
    main = {"schema": SCHEMA, **data}
    with alone_in(folder, BundleError):
        require_emulator_folder(folder)
        if folder.exists() and any(folder.iterdir()):
            replace_files(folder, MAIN_FILE, main, contents, _listed(folder))
        else:
            create_folder(folder, MAIN_FILE, main, contents)


def read_description(folder: Path) -> dict[str, Any]:
    """Return what ``emulator.json`` says, its values of the types that they should have.

    Raises
    ------
    BundleError
        If it is missing, damaged or of a newer layout; names the file and the key.
    """
    path = folder / MAIN_FILE
    what = "the description of an emulator, as train-emulator writes it"
    if not path.exists():
        raise BundleError(
            f"{folder} holds no emulator that can be read: expected {MAIN_FILE} and {WEIGHTS}, as "
            "train-emulator writes them."
        )
    content, name = read_limited(
        path, str(path), what, max_bytes=_MAX_MAIN_BYTES, error=BundleError
    )
    data = parsed(content, name, what, BundleError, _AGAIN)
    with said_of(name, BundleError, _AGAIN):
        schema = require_types(data, {"schema": int})["schema"]
        if schema > SCHEMA:
            raise BundleError(
                f"The emulator in {folder} has layout version {schema}; this spectrabridge "
                f"reads {SCHEMA}. Update spectrabridge."
            )
        require_types(
            data,
            {"emulator": dict[str, Any], "labels": tuple[Any, ...], "grid": dict[str, Any]},
            {"report": dict[str, Any], "files": dict[str, dict[str, Any]]},
        )
        if "files" in data:  # not in those of 0.1
            require_entries(require_types(data["files"], {WEIGHTS: Any}, where="files"), "files")
    return dict(data)


def read_weights(folder: Path, data: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights that a description names, after a comparison of their hash.

    Raises
    ------
    BundleError
        If the file is missing, damaged, or not the one that belongs to the description.
    """
    entry = data.get("files", {}).get(WEIGHTS, {})
    path = folder / stored_name(WEIGHTS, entry)
    try:
        content, _ = read_limited(
            path, str(path), "weights", max_bytes=_MAX_WEIGHTS_BYTES, error=BundleError
        )
        found = hashlib.sha256(content).hexdigest()
        if found != entry.get("sha256", found):
            raise BundleError("its SHA-256 is another one than that in the description")
        return safetensors.torch.load(content)
    except Exception as problem:  # safetensors raises several kinds for damaged files
        reason = str(problem).rstrip(".")[:300]
        raise BundleError(f"{path} is missing or damaged: {reason}. {_AGAIN}") from problem


def _listed(folder: Path) -> Mapping[str, Any]:
    """Return what the main file says; that there are weights, where it does not say."""
    try:
        data = read_description(folder)
    except BundleError:
        data = {}
    return {"files": {WEIGHTS: {}}} | data
