"""The file that an interrupted training goes on from: written in one step, checked when read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..atomic_file import replacing
from ..errors import TrainingError
from ..files import open_regular, understood
from ..files.typed_json import parsed, require_types, said_of
from .settings import AdaptationTraining

CHECKPOINT_SCHEMA = 1

START_ANEW = "Delete it to start anew."
"""What to do about a damaged checkpoint."""

_STATE: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "schema": int,
        "training": dict[str, Any],
        "iteration": int,
        "seconds": float,
        "history": tuple[dict[str, Any], ...],
        "next_in_pool": int,
    },
    {
        "best_values": tuple[float | None, ...],
        "values": tuple[Any, ...],
        "best_scores": tuple[float | None, ...],
    },
)


def write_checkpoint(
    path: str | Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
) -> None:
    """Write tensors and a JSON state; a file that is there is replaced in one step."""
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    text = json.dumps({"schema": CHECKPOINT_SCHEMA, **state})
    with replacing(path) as partial:
        save_file(plain, partial, metadata={"state": text})


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and state of a checkpoint.

    Raises
    ------
    TrainingError
        If the file cannot be read.
    """
    what = "a checkpoint"
    open_regular(path, what, TrainingError).close()  # safetensors would wait for a pipe
    with understood(path, what, TrainingError, START_ANEW), safe_open(str(path), "pt") as file:
        text = (file.metadata() or {}).get("state", "")
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    state = parsed(text, f"The state in {path}", "that of a training", TrainingError, START_ANEW)
    with said_of(f"The state in {path}", TrainingError, START_ANEW):
        require_types(state, *_STATE)
        if state["schema"] > CHECKPOINT_SCHEMA:
            raise TrainingError(
                f"{path} has layout version {state['schema']}; this spectrabridge reads "
                f"{CHECKPOINT_SCHEMA}. Update spectrabridge."
            )
        for i, figures in enumerate(state["history"]):
            for name, value in figures.items():
                _require_number(value, f"history[{i}].{name[:40]}")
        for i, value in enumerate(state.get("values", [])):
            _require_number(value, f"values[{i}]")
    return tensors, state


def _require_number(value: object, where: str) -> None:
    """Raise a ValueError unless it is a number; figures of a bad training may be infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where}: expected a number")


def take_like(tensors: dict[str, Tensor], name: str, like: Tensor) -> Tensor:
    """Take a tensor out that replaces another one; raise a ValueError unless it has its shape."""
    found = tensors.pop(name)
    if found.shape != like.shape:
        raise ValueError(f"{name} has shape {tuple(found.shape)}, not {tuple(like.shape)}")
    return found.to(like.device)


def take_part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Take the tensors called ``name.*`` out and return them without the name."""
    start = name + "."
    return {k.removeprefix(start): tensors.pop(k) for k in list(tensors) if k.startswith(start)}


def tensors_of_optimiser(name: str, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what an optimiser remembers of every parameter: ``name.<number>.<what>``."""
    return {
        f"{name}.{i}.{k}": v
        for i, state in optimiser.state_dict()["state"].items()
        for k, v in state.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back what :func:`tensors_of_optimiser` took, without the name."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        i, what = key.split(".", 1)
        states.setdefault(int(i), {})[what] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": states})


def finite_or_none(values: Tensor) -> list[float | None]:
    """Return numbers for JSON, which has no infinity: None stands for it."""
    return [v if math.isfinite(v) else None for v in values.tolist()]


def with_infinities(values: Iterable[float | None]) -> Tensor:
    """Return the numbers that :func:`finite_or_none` was given."""
    return torch.tensor([math.inf if v is None else float(v) for v in values])


def require_same_settings(
    path: str | Path, then: Mapping[str, Any], now: AdaptationTraining
) -> None:
    """Refuse a checkpoint of a training with other settings.

    Settings that are newer than the checkpoint have their defaults, those that are gone
    do not count.

    Raises
    ------
    TrainingError
        If a setting differs.
    """
    ours = json.loads(json.dumps(asdict(now)))  # through JSON, which knows no tuples
    theirs = json.loads(json.dumps(asdict(AdaptationTraining()))) | dict(then)
    differ = [k for k in ours if theirs[k] != ours[k]]
    if differ:
        raise TrainingError(
            f"The checkpoint {path} was made with other settings ({', '.join(differ)}). "
            "Give the same settings, or delete it to start anew."
        )


def require_same_spectra(
    path: str | Path, then: Mapping[str, Tensor], now: Mapping[str, Tensor]
) -> None:
    """Refuse a checkpoint of a training on other spectra; both as :func:`traces` gives them.

    Raises
    ------
    TrainingError
        If the spectra differ.
    """
    for name, ours in now.items():
        theirs = then[name]
        if theirs.shape != ours.shape or not torch.allclose(theirs, ours, rtol=1e-3, atol=1e-3):
            raise TrainingError(
                f"The checkpoint {path} was made from other spectra. Give the same emulator "
                "and observations, or delete it to start anew."
            )


def traces(observed: Tensor, pool: Tensor, ivar: Tensor | None, noise: float) -> dict[str, Tensor]:
    """Return numbers that tell whether a checkpoint belongs to these spectra.

    Every spectrum is projected on one random direction. A hash would not do: the same
    emulated flux differs in its last bits with the number of threads.
    """
    generator = torch.Generator().manual_seed(7)
    direction = torch.randn(observed.shape[1], generator=generator).to(observed.device)
    out = {"observed": observed @ direction, "pool": pool @ direction.to(pool.device)}
    if ivar is not None:
        out["ivar"] = (ivar > 0).to(observed) @ direction
    # As a spectrum in sigma, so that the tolerance means the same for all of them.
    return {k: v.cpu() / observed.shape[1] ** 0.5 for k, v in out.items()} | {
        "noise": torch.tensor([100 * noise])
    }
