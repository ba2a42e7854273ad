"""A view as a few lines of Python for a notebook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..state.view_state import ALL, FIRST_PAGE, ViewState

KEPT = ("page", "unit", "medium", "chip", "element", "window", "mapped", "feature", "with_fe")
"""What else of a state is kept, where it is not as at the start."""


def snippet(
    state: ViewState, bundle: str, by_name: bool = True, directions: int = 0, example: bool = False
) -> str:
    """Return Python that computes the spectra on show and opens the same view.

    Parameters
    ----------
    state : ViewState
        What is shown.
    bundle : str
        Name of the bundle.
    by_name : bool
        Whether it can be opened by its name; if not, a comment says so.
    directions : int
        How many directions of split latents there are.
    example : bool
        Whether the star that comes with the package is laid over.
    """
    lines = ["import spectrabridge as sb"]
    if example:
        lines.append("from spectrabridge.core.io import example_apstar")
    split = [round(float(value), 2) for value in state.split][:directions]
    if any(split):
        lines.append("from spectrabridge.explorer.computed.split_directions import SplitLatents")
    lines.append("")
    if not by_name:
        lines.append("# This bundle was opened from a file: put the path of your copy here.")
    lines += [
        f"bundle = sb.open_bundle({_text(bundle)})",
        "model = bundle.model",
        "labels = {",
        *_rows(state.labels),
        "}",
        "values = model.labels.array(labels)",
        "wavelength = model.grid.wavelength  # angstrom, vacuum, rest frame",
        "emulated = model.emulate(values)[0]",
    ]
    if any(split):
        lines += [
            f"split = SplitLatents(bundle).latents({split!r})",
            "adapted, spread = (a[0] for a in model.adapt(values, split[None], return_std=True))",
        ]
    else:
        lines.append("adapted, spread = (a[0] for a in model.adapt(values, return_std=True))")
    if state.element in state.label_set.elements:
        lines += [
            f"column = model.labels.index({_text(state.element)})  # flux per dex of "
            f"[{state.element}/H]",
            'd_emulated = model.jacobian(values, of="emulated")[:, column]',
            'd_adapted = model.jacobian(values, of="adapted")[:, column]',
        ]
    extra = {"labels": "labels"} | {key: _text(v) for key, v in _kept(state).items()}
    if any(split):
        extra["split"] = repr(split)
    if example:
        extra["files"] = "[example_apstar()]"
    lines += ["", "view = sb.explore(", f"    {_text(bundle)},"]
    lines += [f"    {key}={value}," for key, value in extra.items()]
    lines += [")", "view", ""]
    return "\n".join(lines)


def _text(value: Any) -> str:
    """Return a value as Python, texts in double quotes."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _rows(labels: Mapping[str, float], each: int = 5) -> list[str]:
    """Return a mapping as lines of a literal, a few entries in each."""
    entries = [f"{_text(name)}: {round(float(value), 6)!r}" for name, value in labels.items()]
    return ["    " + ", ".join(part) + "," for part in _parts(entries, each)]


def _parts(entries: Sequence[str], each: int) -> list[Sequence[str]]:
    return [entries[i : i + each] for i in range(0, len(entries), each)]


def _kept(state: ViewState) -> dict[str, Any]:
    usual = {"page": FIRST_PAGE, "unit": "angstrom", "medium": "vacuum", "with_fe": True}
    usual |= {"chip": ALL, "element": ALL, "window": None, "mapped": "", "feature": ""}
    kept = {key: getattr(state, key) for key in KEPT}
    if state.page != "lines":
        kept.pop("feature")
    return {key: value for key, value in kept.items() if value != usual[key]}
