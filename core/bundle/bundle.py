"""Bundles: what a user loads. A folder or a zip file with ``bundle.json`` and weights.

``bundle.json`` names every other file with its SHA-256, which is checked before the
file is used. Weights are safetensors and everything else is JSON: opening a bundle
from a stranger runs none of their code.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from ..adaptation.adapter import Adapter
from ..emulator.emulator import Emulator
from ..emulator.hidden_lines import Experiment, HiddenLines, hidden_pixels
from ..errors import BundleError, SpectrabridgeError
from ..files import read_limited
from ..files.npz import open_zip
from ..files.typed_json import parsed, require_types, said_of
from ..labels.label_set import LabelSet
from ..listed_files import require_entries, stored_name
from ..spectra.wavelength import WavelengthGrid
from ..user_data import user_data_folder
from ..version import __version__
from .model import Model
from .sample import Sample
from .tensor_compression import expand

SCHEMA = 1
"""Version of the layout that this code writes, and the newest that it reads."""

SHIPPED = Path(__file__).parent.parent / "bundles"
DEFAULT = "apogee-giants"
"""The bundle that the explorer opens when none is named."""

MAIN_FILE = "bundle.json"
"""The file of a bundle that names all others."""

_MAX_FILE_BYTES = 1 << 30
_MAX_MAIN_BYTES = 1 << 24

_AGAIN = "Get the bundle again."
_UNREADABLE = (OSError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What a missing file or a damaged, encrypted or exotic zip file raises."""

_MALFORMED = (
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RuntimeError,
    MemoryError,
)
"""What contents of the wrong kind raise."""


@contextmanager
def _understood(path: Path, what: str) -> Iterator[None]:
    """Turn whatever malformed contents raise into a BundleError."""
    try:
        yield
    except SpectrabridgeError as problem:
        if str(path) in str(problem):
            raise
        raise BundleError(f"{path}: {what} cannot be understood. {problem}") from problem
    except _MALFORMED as problem:
        raise BundleError(
            f"{path}: {what} cannot be understood ({type(problem).__name__}: "
            f"{str(problem).splitlines()[0] if str(problem) else 'no reason given'}). Get the "
            "bundle again."
        ) from problem


def user_bundles() -> Path:
    """Return the folder in which a user's own bundles are found by name."""
    return user_data_folder("bundles")


# ---------------------------------------------------------------------- reading


class _Files:
    """The files of a bundle, in a folder or a zip file; names are plain, never paths."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._prefix = ""
        if path.is_dir():
            return
        what = f"a bundle, a folder or a zip file with {MAIN_FILE}"
        self._zip = open_zip(path, str(path), what, error=BundleError)
        mains = [
            n for n in self._zip.namelist() if n.split("/")[-1] == MAIN_FILE and n.count("/") < 2
        ]
        self._prefix = mains[0][: -len(MAIN_FILE)] if mains else ""

    def _info(self, name: str) -> zipfile.ZipInfo:
        assert self._zip is not None
        return self._zip.getinfo(self._prefix + name)

    def _size(self, name: str) -> int:
        if self._zip is None:
            return (self.path / name).stat().st_size
        return self._info(name).file_size

    def read(self, name: str) -> bytes:
        if Path(name).name != name or name in ("", ".", ".."):
            raise BundleError(f"{self.path}: file names in a bundle are plain; found {name!r}.")
        try:
            most = _MAX_MAIN_BYTES if name == MAIN_FILE else _MAX_FILE_BYTES
            if self._size(name) > most:
                raise BundleError(
                    f"{self.path}: {name} claims {self._size(name)} bytes; at most {most} are read."
                )
            if self._zip is None:
                what = "a file of a bundle"
                place = self.path / name
                return read_limited(place, str(place), what, max_bytes=most, error=BundleError)[0]
            return self._zip.read(self._info(name))
        except _UNREADABLE as problem:
            raise BundleError(
                f"{self.path}: {name} is missing or cannot be read. Get the bundle again, whole."
            ) from problem


@dataclass(frozen=True)
class Bundle:
    """A bundle whose ``bundle.json`` has been read; weights are read when asked for.

    Parameters
    ----------
    path : Path
        Folder or zip file.
    data : dict
        Contents of ``bundle.json``.
    device : str
        Where the model computes.
    """

    path: Path
    data: Mapping[str, Any]
    device: str = "cpu"
    _files: _Files = field(repr=False, compare=False, default=None)  # type: ignore[assignment]

    @property
    def name(self) -> str:
        """Short name."""
        return str(self.data["name"])

    @property
    def title(self) -> str:
        """One line for a person."""
        return str(self.data["title"])

    @property
    def description(self) -> str:
        """What the two domains are and what the bundle is good for."""
        return str(self.data["description"])

    @property
    def provenance(self) -> dict[str, Any]:
        """How the bundle was made: command, seeds, data, versions, time."""
        return dict(self.data.get("provenance", {}))

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures of the evaluation, as stored when the bundle was made."""
        return dict(self.data.get("metrics", {}))

    @property
    def fingerprint(self) -> str:
        """Sixteen characters that change whenever a weight or the layout changes."""
        beside = ("metrics", "provenance", "attached")
        core = {k: v for k, v in self.data.items() if k not in beside}
        # Under which name a file is stored is no part of what it is.
        core["files"] = {
            name: {k: v for k, v in entry.items() if k != "file"}
            for name, entry in self.data["files"].items()
        }
        return hashlib.sha256(json.dumps(core, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def labels(self) -> LabelSet:
        """Labels of the model."""
        with _understood(self.path, "the label set"):
            return LabelSet.from_json(self.data["labels"])

    @cached_property
    def grid(self) -> WavelengthGrid:
        """Pixels of the model."""
        with _understood(self.path, "the wavelength grid"):
            return WavelengthGrid.from_json(self.data["grid"])

    @cached_property
    def experiment(self) -> Experiment | None:
        """The features and which of them are hidden, for a masked-line bundle."""
        if "experiment" not in self.data:
            return None
        with _understood(self.path, "the list of features"):
            name = str(self.data["experiment"])
            where = f"{self.path}: {name}"
            content = parsed(self.read(name), where, "a list of features", BundleError, _AGAIN)
            experiment = Experiment.from_json(content)
            for f in experiment.features:
                if not 0 <= f.start < f.stop <= self.grid.n_pixels:
                    raise ValueError(f"a feature covers pixels {f.start} to {f.stop}")
            return experiment

    @cached_property
    def model(self) -> Model:
        """The emulator and the adaptation, chained."""
        with _understood(self.path, "the model"):
            emulator = Emulator.rebuild(
                self.data["emulator"], self.labels, self.grid, self.tensors("emulator.safetensors")
            )
            adapter = Adapter.rebuild(
                self.data["adaptation"], self.tensors("adaptation.safetensors")
            )
            reference = self.labels.array(self.data["reference"])
            if self.experiment is None:
                return Model(emulator, adapter, reference, self._truth(), self.device)
            hidden = hidden_pixels(self.experiment.features, self.grid.n_pixels)
            synthetic = HiddenLines(emulator, hidden)
            return Model(synthetic, adapter, reference, truth=emulator, device=self.device)

    def _truth(self) -> Emulator | None:
        if "truth" not in self.data:
            return None
        tensors = self.tensors("truth.safetensors")
        return Emulator.rebuild(self.data["truth"], self.labels, self.grid, tensors)

    @property
    def has_sample(self) -> bool:
        """Whether it keeps held-out stars, told without reading them."""
        return "sample.safetensors" in self.data["files"]

    @cached_property
    def sample(self) -> Sample | None:
        """Held-out stars by which the bundle can be judged, if it keeps some."""
        if not self.has_sample:
            return None
        with _understood(self.path, "the sample of stars"):
            sample = Sample.rebuild(self.tensors("sample.safetensors"), len(self.labels))
        found, expected = sample.observed.shape[1], self.model.adapter.obs.n_coefficients
        if found != expected:
            raise BundleError(
                f"{self.path}: the observed stars of the sample have {found} coefficients; the "
                f"adaptation has {expected}. Get the bundle again."
            )
        return sample

    def read(self, name: str) -> bytes:
        """Return a file's bytes after checking its hash.

        Raises
        ------
        BundleError
            If the file is not listed, missing, or not the one that was packed.
        """
        listed = {**self.data["attached"], **self.data["files"]}
        if name not in listed:
            raise BundleError(f"{self.path}: {MAIN_FILE} lists no file {name}.")
        expected = listed[name]["sha256"]
        content = self._files.read(stored_name(name, listed[name]))
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise BundleError(
                f"{self.path}: {name} is not the file that was packed (expected SHA-256 "
                f"{expected[:12]}..., found {found[:12]}...). It is damaged or was changed; get "
                "the bundle again."
            )
        return content

    def attached(self, name: str) -> bytes | None:
        """Return a file computed with the bundle and kept in it, or None if there is none.

        See :func:`.writing.attach`. If it was computed anew since the bundle was opened, the
        new one is returned.
        """
        if name not in self.data["attached"]:
            return None
        try:
            return self.read(name)
        except BundleError:
            if not self.path.is_dir():
                raise
            now = read_bundle(self.path)
            if now.data["attached"].get(name) in (None, self.data["attached"][name]):
                raise
            return now.attached(name) if now.fingerprint == self.fingerprint else None

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of a safetensors file of the bundle."""
        content = self.read(name)
        try:
            stored = safetensors.torch.load(content)
        except Exception as problem:  # safetensors raises several kinds
            raise BundleError(f"{self.path}: {name} is not a safetensors file.") from problem
        return expand(stored)

    @property
    def size(self) -> int:
        """Bytes of all files, ``bundle.json`` left out."""
        listed = (*self.data["files"].values(), *self.data["attached"].values())
        return sum(int(f["bytes"]) for f in listed)


_MAIN_TYPES: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "name": str,
        "title": str,
        "description": str,
        "labels": tuple[Any, ...],
        "grid": dict[str, Any],
        "reference": dict[str, float],
        "files": dict[str, Any],
        "emulator": dict[str, Any],
        "adaptation": dict[str, Any],
    },
    {
        "provenance": dict[str, Any],
        "metrics": dict[str, Any],
        "attached": dict[str, Any],
        "experiment": str,
        "truth": dict[str, Any],
    },
)
"""What ``bundle.json`` holds, and may hold; what is in it is looked at where it is used."""

_REQUIRED = ("schema", "name", "title", "description", "labels", "grid", "reference", "files")


def read_bundle(path: str | Path, device: str = "cpu") -> Bundle:
    """Open a bundle at a path, without reading its weights yet.

    Raises
    ------
    BundleError
        If the path is no bundle, or was made by a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise BundleError(f"There is no bundle at {path}.")
    files = _Files(path)
    data = parsed(files.read(MAIN_FILE), f"{path}: {MAIN_FILE}", "a bundle's", BundleError, _AGAIN)
    if not isinstance(data, dict) or "schema" not in data:
        raise BundleError(f"{path}: {MAIN_FILE} has no schema number; it is no bundle.")
    schema = data["schema"]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise BundleError(f"{path}: the schema number must be 1 or more; found {schema!r}.")
    if schema > SCHEMA:
        raise BundleError(
            f"{path} has bundle layout {data['schema']}; this spectrabridge {__version__} reads up "
            f"to {SCHEMA}. Update spectrabridge."
        )
    missing = [k for k in (*_REQUIRED, "emulator", "adaptation") if k not in data]
    if missing:
        raise BundleError(f"{path}: {MAIN_FILE} lacks {', '.join(missing)}.")
    with said_of(f"{path}: {MAIN_FILE}", BundleError, _AGAIN):
        require_types(data, *_MAIN_TYPES)
        for key in ("provenance", "metrics", "attached"):
            data[key] = dict(data.get(key, {}))
        for key in ("files", "attached"):
            require_entries(data[key], key)
    return Bundle(path, data, device, files)


def find_bundle(name: str | Path) -> Path:
    """Return where a bundle lies: a shipped name, one of the user's, or a path.

    Raises
    ------
    BundleError
        If there is none; the message lists those there are.
    """
    text = str(name)
    path = Path(name).expanduser()
    if Path(text).name == text:
        for folder in (SHIPPED, user_bundles()):
            known_by_name = folder / text
            if not (known_by_name / MAIN_FILE).exists():
                continue
            if (path / MAIN_FILE).exists() and not path.samefile(known_by_name):
                raise BundleError(
                    f"{text!r} is the name of a known bundle and of a folder here. Give "
                    f"./{text} for the folder, or go elsewhere for the other."
                )
            return known_by_name
    if path.exists():
        return path
    known = ", ".join(b.name for b in list_bundles()) or "none"
    raise BundleError(f"There is no bundle {text!r}. Known by name: {known}; or give a path.")


def open_bundle(name: str | Path | None = None, device: str = "cpu") -> Bundle:
    """Open a bundle by name or path; without a name, the default one.

    Parameters
    ----------
    name : str or path, optional
        A shipped bundle, one in :func:`user_bundles`, a folder or a zip file.
    device : str
        Where its model computes: ``cpu`` or ``cuda``.

    Raises
    ------
    BundleError
        If there is no such bundle or it cannot be used.
    """
    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise BundleError(
            f"Expected device 'cpu', or 'cuda' on a machine that has it; found {device!r}."
        )
    return read_bundle(find_bundle(name or DEFAULT), device)


def list_bundles() -> list[Bundle]:
    """Return the shipped bundles and the user's own, by name; damaged ones are left out."""
    found: dict[str, Bundle] = {}
    for folder in (user_bundles(), SHIPPED):
        for main in sorted(folder.glob(f"*/{MAIN_FILE}")):
            try:
                bundle = read_bundle(main.parent)
            except SpectrabridgeError:
                continue
            found[main.parent.name] = bundle
    return [found[name] for name in sorted(found)]


def verify_bundle(path: str | Path) -> list[str]:
    """Check every file of a bundle and that its model can be built and used.

    Returns
    -------
    list of str
        Problems in words; empty if all is well.
    """
    try:
        bundle = read_bundle(find_bundle(path))
    except SpectrabridgeError as problem:
        return [str(problem)]
    problems = []
    for name in (*bundle.data["files"], *bundle.data["attached"]):
        try:
            bundle.read(name)
        except SpectrabridgeError as problem:
            problems.append(str(problem))
    if not problems:
        try:
            flux = bundle.model.adapt(bundle.model.reference)
            if not np.isfinite(flux).all():
                problems.append(f"{path}: the adapted reference spectrum is not finite.")
        except SpectrabridgeError as problem:
            problems.append(str(problem))
    return problems
