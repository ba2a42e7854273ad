"""Writing of bundles: a folder with its manifest, and what is attached to one later.

``bundle.json`` is written last and by one rename, and no file that it names is changed
before: whoever reads finds the old bundle or the new one, also after a kill at any moment.
Files of a bundle that is there already go under names that carry their hash
(``candidates.4f3a9c01d2b7.json.gz``). One process writes at a time, and begins with what
``bundle.json`` says then, so that nothing which another one stored meanwhile is lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..atomic_file import write_whole
from ..emulator.emulator import Emulator
from ..emulator.hidden_lines import Experiment
from ..errors import BundleError, OutputError
from ..file_lock import LockedError, locked
from ..version import __version__
from .bundle import MAIN_FILE, SCHEMA, Bundle, read_bundle, stored_name
from .sample import Sample
from .tensor_compression import compact

LOCK_SECONDS = 60.0
"""How long another process that writes into the same bundle is waited for."""

_WITH_HASH = re.compile(r"(?P<stem>[^.]+)\.[0-9a-f]{12}(?P<suffixes>(\..+)?)")
_PARTIAL = re.compile(r"\..+\.partial|bundle\.json\.partial")  # the second is of 0.1


def versions() -> dict[str, str]:
    """Return the versions that a result depends on, for provenance."""
    return {
        "spectrabridge": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def _compact_sample(sample: Sample) -> dict[str, Tensor]:
    """Store spectra in float16; labels need more (4 K at 5000 K would be lost)."""
    tensors = sample.tensors()
    # One absurd pixel must not become infinite.
    most = torch.finfo(torch.float16).max
    kept = {k: v for k, v in tensors.items() if k in ("observed", "test_truth")}
    spectra = {k: v.clamp(-most, most) for k, v in kept.items()}
    # Copies: the same stars may be in it twice, and safetensors refuses shared memory.
    return {k: v.float().clone() for k, v in tensors.items()} | compact(spectra)


def require_writable(folder: Path) -> None:
    """Raise a BundleError unless a bundle may be written to a folder.

    A folder that is new, empty, or a bundle already may be written; anything else would
    be lost. Call it before hours of training rather than after.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MAIN_FILE).exists():
        raise BundleError(
            f"{folder} exists, is not empty and is no bundle; nothing was changed there. Give "
            "another folder."
        )


def write_bundle(
    folder: str | Path,
    *,
    name: str,
    title: str,
    description: str,
    emulator: Emulator,
    adapter: Adapter,
    reference: np.ndarray,
    experiment: Experiment | None = None,
    truth: Emulator | None = None,
    sample: Sample | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Bundle:
    """Write a bundle folder; a bundle that is there is replaced once all is written.

    Files of others in the folder stay; what was attached to the old bundle goes.

    Parameters
    ----------
    folder : path
        Where to write. A folder that is not a bundle is refused.
    name, title, description : str
        For people.
    emulator : Emulator
        The complete emulator.
    adapter : Adapter
        The adaptation.
    reference : array, shape ``(n_labels,)``
        Labels that users start from.
    experiment : Experiment, optional
        For a masked-line bundle: features and which are hidden.
    truth : Emulator, optional
        The noise-free observed domain, where it is known and not the emulator itself.
    sample : Sample, optional
        Held-out stars to judge the bundle by.
    provenance : mapping, optional
        How it was made; must be JSON. Versions are added.

    Raises
    ------
    BundleError
        If the folder holds something else, or another process keeps writing to it.
    OutputError
        If a file cannot be written, as on a full disk; an old bundle stays as it was.
    """
    folder = Path(folder)
    require_writable(folder)
    contents = {
        "emulator.safetensors": safetensors.torch.save(compact(emulator.state_dict())),
        "adaptation.safetensors": safetensors.torch.save(compact(adapter.tensors())),
    }
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "title": title,
        "description": description,
        "labels": emulator.labels.to_json(),
        "grid": emulator.grid.to_json(),
        "reference": emulator.labels.mapping(reference),
        "emulator": emulator.description(),
        "adaptation": adapter.description(),
    }
    if experiment is not None:
        data["experiment"] = "features.json"
        contents["features.json"] = json.dumps(experiment.to_json(), indent=0).encode()
    if truth is not None:
        data["truth"] = truth.description()
        contents["truth.safetensors"] = safetensors.torch.save(compact(truth.state_dict()))
    if sample is not None:
        contents["sample.safetensors"] = safetensors.torch.save(_compact_sample(sample))
    data["provenance"] = dict(provenance or {}) | {"versions": versions()}
    data["metrics"] = {}
    with _alone(folder):
        require_writable(folder)
        if (folder / MAIN_FILE).exists():
            _replace(folder, data, contents)
        else:
            _create(folder, data, contents)
    return read_bundle(folder)


def store_metrics(bundle: Bundle, metrics: Mapping[str, Any]) -> Bundle:
    """Write figures of an evaluation into ``bundle.json`` and return the new bundle.

    They replace figures of the same names; others stay, also those that another process
    stored since `bundle` was opened.

    Raises
    ------
    BundleError
        If the bundle is a zip file, or other weights lie there by now.
    OutputError
        If ``bundle.json`` cannot be written.
    """
    require_folder(bundle)
    with _alone(bundle.path):
        now = _unchanged(bundle)
        _write_main(bundle.path, {**now.data, "metrics": now.metrics | _rounded(dict(metrics))})
    return read_bundle(bundle.path, bundle.device)


def _rounded(figures: Any) -> Any:
    """Return figures with six digits: no evaluation is better than that."""
    if isinstance(figures, dict):
        return {k: _rounded(v) for k, v in figures.items()}
    if isinstance(figures, list | tuple):
        return [_rounded(v) for v in figures]
    return float(f"{figures:.6g}") if isinstance(figures, float) else figures


def attach(bundle: Bundle, name: str, content: bytes) -> Bundle:
    """Keep a file that was computed with a bundle in it, and return the new bundle.

    The fingerprint stays: what is attached was made with the weights and is no part of
    them. Training the bundle anew leaves it out.

    Parameters
    ----------
    bundle : Bundle
        A folder.
    name : str
        Plain file name; an earlier file of that name is replaced.
    content : bytes
        JSON or safetensors: nothing that needs code to be read.

    Raises
    ------
    BundleError
        If the bundle is a zip file, the name is one of its own files, or other weights lie
        there by now.
    OutputError
        If the file cannot be written.
    """
    if Path(name).name != name or name in (MAIN_FILE, *bundle.data["files"]):
        raise BundleError(f"Nothing can be attached to {bundle.path} as {name!r}.")
    require_folder(bundle)
    with _alone(bundle.path):
        now = _unchanged(bundle)
        entry = _entry(name, content, carries_hash=True)
        write_whole(bundle.path / stored_name(name, entry), content)
        data = {**now.data, "attached": {**now.data["attached"], name: entry}}
        _write_main(bundle.path, data)
        _remove_unlisted(bundle.path, now.data, data)
    return read_bundle(bundle.path, bundle.device)


def require_folder(bundle: Bundle) -> None:
    """Raise a BundleError unless files can be kept in a bundle."""
    if not bundle.path.is_dir():
        raise BundleError(f"{bundle.path} is a zip file; unpack it to store figures in it.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to a bundle; its folder need not exist yet."""
    folder = Path(os.path.realpath(folder))  # one lock, whatever the path to it
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, which may be new; inside it where there is no place beside.
        place = folder.parent if os.access(folder.parent, os.W_OK) else folder
        with locked(place / f".{folder.name}.lock", LOCK_SECONDS):
            yield
    except LockedError:
        raise BundleError(
            f"Another process has been writing to {folder} for {LOCK_SECONDS:.0f} seconds; nothing "
            "was changed. Give the same command again when it has ended."
        ) from None
    except OSError as problem:
        raise OutputError(
            f"{folder} cannot be written: {problem.strerror or problem}. Nothing was changed; "
            "copy the bundle to a folder of yours or give another one."
        ) from problem


def _unchanged(bundle: Bundle) -> Bundle:
    """Return what lies at a bundle's path now, if it has the weights of the open one."""
    now = read_bundle(bundle.path, bundle.device)
    if now.fingerprint != bundle.fingerprint:
        raise BundleError(
            f"{bundle.path} was trained anew while this was computed with its old weights; nothing "
            "was stored. Give the same command again."
        )
    return now


def _entry(name: str, content: bytes, carries_hash: bool) -> dict[str, Any]:
    """Return what ``bundle.json`` says about a file."""
    sha256 = hashlib.sha256(content).hexdigest()
    entry: dict[str, Any] = {"sha256": sha256, "bytes": len(content)}
    if carries_hash:
        stem, dot, suffixes = name.partition(".")
        entry["file"] = f"{stem}.{sha256[:12]}{dot}{suffixes}"
    return entry


def _create(folder: Path, data: dict[str, Any], contents: Mapping[str, bytes]) -> None:
    """Write a new bundle beside its place, and move the whole folder there."""
    data["files"] = {n: _entry(n, content, carries_hash=False) for n, content in contents.items()}
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    try:
        partial.mkdir()
        for name, content in contents.items():
            write_whole(partial / name, content)
        _write_main(partial, data)
        if folder.exists():
            folder.rmdir()  # empty, or the bundle could not go there
        partial.replace(folder)
    except BaseException:  # Ctrl-C too
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _replace(folder: Path, data: dict[str, Any], contents: Mapping[str, bytes]) -> None:
    """Write a bundle over another one, whose files stay until the new one is complete."""
    old = _listed(folder)
    data["files"] = {n: _entry(n, content, carries_hash=True) for n, content in contents.items()}
    for name, content in contents.items():
        write_whole(folder / stored_name(name, data["files"][name]), content)
    _write_main(folder, data)
    _remove_unlisted(folder, old, data)


def _listed(folder: Path) -> Mapping[str, Any]:
    """Return ``bundle.json`` of a folder; nothing if it is damaged, and is to be replaced."""
    try:
        return read_bundle(folder).data
    except BundleError:
        return {}


def _write_main(folder: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(data, indent=0, separators=(",", ":")) + "\n"
    write_whole(folder / MAIN_FILE, text.encode())


def _entries(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``bundle.json`` says about all its files, by name."""
    return {**data.get("attached", {}), **data.get("files", {})}


def _remove_unlisted(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Remove the files that only the old bundle lists, and what writers left that were killed."""
    names = _entries(old).keys() | _entries(new).keys()
    left = {stored_name(name, entry) for name, entry in _entries(old).items()}
    for path in folder.iterdir():
        match = _WITH_HASH.fullmatch(path.name)
        if (match and match["stem"] + match["suffixes"] in names) or _PARTIAL.fullmatch(path.name):
            left.add(path.name)
    kept = {stored_name(name, entry) for name, entry in _entries(new).items()}
    for name in left - kept - {MAIN_FILE}:
        if Path(name).name == name:
            with suppress(OSError):  # in use on Windows; the next writer removes it
                (folder / name).unlink()
