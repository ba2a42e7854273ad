"""Writing of bundles: a folder with its manifest, and what is attached to one later."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..emulator.emulator import Emulator
from ..emulator.hidden_lines import Experiment
from ..errors import BundleError
from ..version import __version__
from .bundle import _MAIN, SCHEMA, Bundle, read_bundle
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
    if folder.exists() and any(folder.iterdir()) and not (folder / _MAIN).exists():
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
    """Write a bundle folder; the files of a bundle there are replaced once all is written.

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
        If the folder holds something else.
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
        text = json.dumps(experiment.to_json(), indent=0)
        contents["features.json"] = text.encode()
    if truth is not None:
        data["truth"] = truth.description()
        contents["truth.safetensors"] = safetensors.torch.save(compact(truth.state_dict()))
    if sample is not None:
        contents["sample.safetensors"] = safetensors.torch.save(_compact_sample(sample))
    data["provenance"] = dict(provenance or {}) | {"versions": versions()}
    data["metrics"] = {}
    data["files"] = {
        file: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for file, content in contents.items()
    }
    contents[_MAIN] = (json.dumps(data, indent=0, separators=(",", ":")) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    # Written beside, then moved in one by one, bundle.json last: whoever reads in between
    # finds a hash that does not fit, never a mixture. Files of others stay.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as partial:
        for file, content in contents.items():
            (Path(partial) / file).write_bytes(content)
        for file in contents:
            (Path(partial) / file).replace(folder / file)
    return read_bundle(folder)


def store_metrics(bundle: Bundle, metrics: Mapping[str, Any]) -> Bundle:
    """Write the figures of an evaluation into ``bundle.json`` and return the new bundle.

    Raises
    ------
    BundleError
        If the bundle is a zip file.
    """
    return _with(bundle, {"metrics": _rounded(dict(metrics))})


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
        If the bundle is a zip file, or the name is one of its own files.
    """
    if Path(name).name != name or name in (_MAIN, *bundle.data["files"]):
        raise BundleError(f"Nothing can be attached to {bundle.path} as {name!r}.")
    require_folder(bundle)
    partial = bundle.path / (name + ".partial")
    partial.write_bytes(content)
    partial.replace(bundle.path / name)
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return _with(bundle, {"attached": {**bundle.data["attached"], name: entry}})


def require_folder(bundle: Bundle) -> None:
    """Raise a BundleError unless files can be kept in a bundle."""
    if not bundle.path.is_dir():
        raise BundleError(f"{bundle.path} is a zip file; unpack it to store figures in it.")


def _with(bundle: Bundle, changes: Mapping[str, Any]) -> Bundle:
    """Write ``bundle.json`` with some entries replaced."""
    require_folder(bundle)
    data = {**bundle.data, **changes}
    partial = bundle.path / (_MAIN + ".partial")
    partial.write_text(json.dumps(data, indent=0, separators=(",", ":")) + "\n", encoding="utf-8")
    partial.replace(bundle.path / _MAIN)
    return read_bundle(bundle.path, bundle.device)
