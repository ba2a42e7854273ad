"""Writing of bundles: a folder with its manifest, and what is attached to one later.

Whoever reads finds the old bundle or the new one, also after a kill at any moment; see
:mod:`~spectrabridge.core.listed_files`. One process writes at a time, and begins with what
``bundle.json`` says then, so that nothing which another one stored meanwhile is lost.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
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
from ..errors import BundleError
from ..listed_files import (
    alone_in,
    create_folder,
    entry_of,
    remove_unlisted,
    replace_files,
    stored_name,
    write_main,
)
from ..version import __version__
from .bundle import MAIN_FILE, SCHEMA, Bundle, read_bundle
from .sample import Sample
from .tensor_compression import compact


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
    with alone_in(folder, BundleError):
        require_writable(folder)
        if (folder / MAIN_FILE).exists():
            replace_files(folder, MAIN_FILE, data, contents, _listed(folder))
        else:
            create_folder(folder, MAIN_FILE, data, contents)
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
    with alone_in(bundle.path, BundleError):
        now = _unchanged(bundle)
        data = {**now.data, "metrics": now.metrics | _rounded(dict(metrics))}
        write_main(bundle.path, MAIN_FILE, data)
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
    with alone_in(bundle.path, BundleError):
        now = _unchanged(bundle)
        entry = entry_of(name, content, carries_hash=True)
        write_whole(bundle.path / stored_name(name, entry), content)
        data = {**now.data, "attached": {**now.data["attached"], name: entry}}
        write_main(bundle.path, MAIN_FILE, data)
        remove_unlisted(bundle.path, MAIN_FILE, now.data, data)
    return read_bundle(bundle.path, bundle.device)


def require_folder(bundle: Bundle) -> None:
    """Raise a BundleError unless files can be kept in a bundle."""
    if not bundle.path.is_dir():
        raise BundleError(f"{bundle.path} is a zip file; unpack it to store figures in it.")


def _unchanged(bundle: Bundle) -> Bundle:
    """Return what lies at a bundle's path now, if it has the weights of the open one."""
    now = read_bundle(bundle.path, bundle.device)
    if now.fingerprint != bundle.fingerprint:
        raise BundleError(
            f"{bundle.path} was trained anew while this was computed with its old weights; nothing "
            "was stored. Give the same command again."
        )
    return now


def _listed(folder: Path) -> Mapping[str, Any]:
    """Return ``bundle.json`` of a folder; nothing if it is damaged, and is to be replaced."""
    try:
        return read_bundle(folder).data
    except BundleError:
        return {}
