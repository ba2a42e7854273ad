"""The view in the query of a URL: written from what is shown, read with nothing trusted.

A link holds names, numbers and choices, never paths: a bundle is one of those that can be
chosen on the page. What is not understood is left out and said in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote

import numpy as np
from numpy.typing import NDArray

from ...core.labels import Label, LabelSet
from ...core.spectra import WavelengthGrid
from ..figures.wavelength_axis import MIN_WINDOW_ANGSTROM, UNIT_SYMBOLS
from ..sidebar.instrument_panel import MAX_DEVIATIONS
from ..state.label_text import bounds, decimals
from ..state.view_state import ALL, FIRST_PAGE, MAPPED, ViewState

Arguments = Mapping[str, Sequence[bytes | str]]
"""The arguments of a request: every value of every key, as bytes or as text."""

EXAMPLE = "example"
"""What stands for the star that comes with the package."""

ON_MAP = "map"
"""What stands for the spectrum of the star that is chosen on the map."""

NO_STAR = "none"
"""What stands for no star, where the server has opened some."""

MAX_VALUE_CHARACTERS = 2000
"""Characters of one value; a longer one is not looked at."""

MAX_NAMED_PROBLEMS = 4
"""Things that were not understood that are named; of the others only the number is told."""

_KEYS = frozenset(
    {"bundle", "page", "labels", "follow", "window", "unit", "medium", "chip", "element"}
    | {"feature", "mapped", "star", "row", "split", "theme", "tour"}
)
_KEYS_OF_OTHERS = ("bokeh-", "utm_", "fbclid", "gclid")
"""What others put into links; nobody need hear of it."""

_NUMBER = re.compile(r"[+-]?(\d{1,7}(\.\d{0,9})?|\.\d{1,9})", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f<>]{1,120}")


def parse(query: str) -> dict[str, list[str]]:
    """Return the arguments of a query string, with or without its question mark."""
    return parse_qs(query.removeprefix("?"), keep_blank_values=True, errors="replace")


def make_legible(arguments: dict[str, Any]) -> None:
    """Replace, in place, values that are no text in UTF-8 by some that are."""
    for key, values in arguments.items():
        arguments[key] = [
            v.decode("utf-8", "replace").encode() if isinstance(v, bytes) else v for v in values
        ]


# ------------------------------------------------------------------------------- writing


def write(state: ViewState, bundle: str, star: str = "", tour: bool = True) -> str:
    """Return the query that stands for a view, without a question mark.

    Parameters
    ----------
    state : ViewState
        What is shown. What is as at the start is left out.
    bundle : str
        Name of the bundle.
    star : str
        What stands for the observed star that is laid over, such as :data:`EXAMPLE`; empty
        if a link cannot hold it.
    tour : bool
        False keeps the tour from being shown to somebody who has never been here.
    """
    parts: dict[str, str] = {"bundle": bundle}
    if state.page != FIRST_PAGE:
        parts["page"] = state.page
    moved = [
        f"{label.name}:{_short(state.labels[label.name], label)}"
        for label, start in zip(state.label_set, state.reference, strict=True)
        if _short(state.labels[label.name], label) != _short(float(start), label)
    ]
    if star not in ("", NO_STAR, ON_MAP) and not moved:
        # Else the sliders would go to the labels of the star's fit.
        label = state.label_set.labels[0]
        moved = [f"{label.name}:{_short(state.labels[label.name], label)}"]
    if moved:
        parts["labels"] = ",".join(moved)
    if not state.with_fe:
        parts["follow"] = "no"
    if state.window is not None:
        parts["window"] = ",".join(f"{end:.2f}".rstrip("0").rstrip(".") for end in state.window)
    for key, usual in (("unit", "angstrom"), ("medium", "vacuum"), ("chip", ALL), ("element", ALL)):
        value = str(getattr(state, key))
        if value != usual:
            parts[key] = value
    if state.page == "lines" and state.feature:
        parts["feature"] = state.feature
    if state.mapped and (state.page == "map" or star == ON_MAP):
        parts["mapped"] = state.mapped
    if star:
        parts["star"] = star
        if state.row:
            parts["row"] = str(state.row)
    if any(round(value, 2) for value in state.split):
        parts["split"] = ",".join(f"{value:.2f}" for value in state.split)
    if state.dark:
        parts["theme"] = "dark"
    if not tour:
        parts["tour"] = "no"
    return "&".join(f"{key}={quote(value, safe=',:')}" for key, value in parts.items())


def _short(value: float, label: Label) -> str:
    """Return a label as it stands in a link: two decimals more than are shown, at most."""
    text = f"{value:.{decimals(label) + 2}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


# ------------------------------------------------------------------------------- reading


class _Reader:
    """Values of arguments, and sentences about what is wrong with them."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.said: list[str] = []

    def text(self, key: str) -> str | None:
        """Return the first value of a key, or None if there is none."""
        values = self.arguments.get(key)
        if not values:
            return None
        first = values[0]
        text = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
        if len(text) > MAX_VALUE_CHARACTERS:
            self.said.append(f"{key} is longer than {MAX_VALUE_CHARACTERS} characters.")
            return None
        return text.strip() or None

    def choice(self, key: str, known: Iterable[str]) -> str | None:
        """Return a value that is among those known."""
        text, known = self.text(key), list(known)
        if text is None or text in known:
            return text
        self.said.append(f"There is no {key} {seen(text)}; known are {', '.join(known)}.")
        return None

    def numbers(self, key: str) -> list[float] | None:
        """Return numbers between commas."""
        text = self.text(key)
        if text is None:
            return None
        found = [number(part) for part in text.split(",")]
        if len(found) > 100 or any(value is None for value in found):
            self.said.append(f"Expected numbers for {key}; found {seen(text)}.")
            return None
        return [value for value in found if value is not None]


def number(text: str) -> float | None:
    """Return a plain decimal number, or None for anything else."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def seen(text: str) -> str:
    """Return text of a stranger for a sentence: short, in quotes, nothing but plain letters."""
    plain = re.sub(r"[^\w.,:+\-/ ]", "?", text, flags=re.ASCII)
    return f'"{plain}"' if len(plain) <= 40 else f'"{plain[:37]}..."'


def bundle_asked(arguments: Arguments, bundles: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """Return what bundle a link asks for.

    Parameters
    ----------
    arguments : mapping
        Arguments of the request.
    bundles : mapping
        Keys of the bundles that can be chosen, by name.

    Returns
    -------
    key : str or None
        One of those given; None if the link names no bundle that is there.
    sentences : list of str
        What was not understood.
    """
    reader = _Reader(arguments)
    name = reader.choice("bundle", bundles)
    return (None if name is None else bundles[name]), reader.said


def read(
    arguments: Arguments,
    labels: LabelSet,
    reference: Mapping[str, float],
    grid: WavelengthGrid,
    pages: Iterable[str],
    n_directions: int = 0,
) -> tuple[dict[str, Any], list[str]]:
    """Return what a link asks to show.

    Parameters
    ----------
    arguments : mapping
        Arguments of the request.
    labels : LabelSet
        Labels of the model.
    reference : mapping
        Values of the labels that the link does not name.
    grid : WavelengthGrid
        Pixels of the model.
    pages : iterable of str
        Keys of the pages that there are.
    n_directions : int
        How many directions of split latents can be set.

    Returns
    -------
    settings : dict
        Start values of parameters of :class:`ViewState`; ``star`` as in the link.
    sentences : list of str
        What was not understood.
    """
    reader = _Reader(arguments)
    chips = [chip.name for chip in grid.chips]
    found: dict[str, Any] = {
        "page": reader.choice("page", pages),
        "unit": reader.choice("unit", UNIT_SYMBOLS),
        "medium": reader.choice("medium", ("vacuum", "air")),
        "chip": reader.choice("chip", (ALL, *chips)),
        "element": reader.choice("element", (ALL, *labels.elements)),
        "labels": _labels(reader, labels, reference),
        "window": _window(reader, grid.wavelength),
        "split": _split(reader, n_directions),
        "feature": _name(reader, "feature"),
        "mapped": _name(reader, "mapped"),
        "star": _name(reader, "star"),
        "row": _row(reader),
    }
    follow = reader.choice("follow", ("yes", "no"))
    found["with_fe"] = None if follow is None else follow == "yes"
    theme = reader.choice("theme", ("light", "dark", "default"))
    found["dark"] = None if theme is None else theme == "dark"
    reader.choice("tour", ("yes", "no"))
    for key in arguments:
        if key.strip("% ") and key not in _KEYS and not key.startswith(_KEYS_OF_OTHERS):
            reader.said.append(f"Nothing here is called {seen(key)}.")
    return {key: value for key, value in found.items() if value is not None}, reader.said


def _labels(
    reader: _Reader, labels: LabelSet, reference: Mapping[str, float]
) -> dict[str, float] | None:
    text = reader.text("labels")
    if text is None:
        return None
    # The state starts from rounded values, too.
    values = {k.name: round(float(reference[k.name]), decimals(k)) for k in labels}
    for part in text.split(","):
        name, _, amount = part.partition(":")
        name = name.strip()
        if name not in labels:
            reader.said.append(f"This model has no label {seen(name)}.")
            continue
        value, (low, high) = number(amount), bounds(labels, name)
        title, unit = labels[name].title, labels[name].unit
        if value is None:
            reader.said.append(f"Expected a number for {title}; found {seen(amount)}.")
        elif not low <= value <= high:
            # As the boxes say it.
            of = f" {unit}" if unit in ("K", "km s-1") else ""
            reader.said.append(
                f"{title} must be between {low:g} and {high:g}{of}; found {value:g}."
            )
        else:
            values[name] = value
    return values


def _window(reader: _Reader, wavelength: NDArray[np.float64]) -> tuple[float, float] | None:
    ends = reader.numbers("window")
    if ends is None:
        return None
    whole = float(wavelength[0]), float(wavelength[-1])
    if len(ends) == 2:
        low, high = max(min(ends), whole[0]), min(max(ends), whole[1])
        if high - low >= MIN_WINDOW_ANGSTROM:
            return (min(ends), max(ends)) if (low, high) == tuple(sorted(ends)) else (low, high)
    reader.said.append(
        f"Expected two wavelengths between {whole[0]:.0f} and {whole[1]:.0f} angstrom for window; "
        f"found {seen(','.join(f'{end:g}' for end in ends))}."
    )
    return None


def _split(reader: _Reader, n_directions: int) -> list[float] | None:
    values = reader.numbers("split")
    if values is None:
        return None
    if len(values) > n_directions or any(abs(value) > MAX_DEVIATIONS for value in values):
        reader.said.append(
            f"Expected at most {n_directions} numbers between {-MAX_DEVIATIONS:g} and "
            f"{MAX_DEVIATIONS:g} for split."
            if n_directions
            else "This model has no split latents to set."
        )
        return None
    return values + [0.0] * (n_directions - len(values))


def _name(reader: _Reader, key: str) -> str | None:
    text = reader.text(key)
    if text is None or _NAME.fullmatch(text):
        return text
    reader.said.append(f"There is no {key} {seen(text)}.")
    return None


def _row(reader: _Reader) -> int | None:
    text = reader.text("row")
    if text is None or re.fullmatch(r"\d{1,6}", text, re.ASCII):
        return None if text is None else int(text)
    reader.said.append(f"Expected the number of a spectrum for row; found {seen(text)}.")
    return None


# ---------------------------------------------------------------------------- the message


def told(sentences: Sequence[str]) -> str:
    """Return one message about what was not understood in a link; empty if all was."""
    if not sentences:
        return ""
    more = len(sentences) - MAX_NAMED_PROBLEMS
    rest = f" And {more} more." if more > 0 else ""
    return f"Not all of the link was understood. {' '.join(sentences[:MAX_NAMED_PROBLEMS])}{rest}"


def star_of(state: ViewState, example: str) -> str:
    """Return what stands in a link for the observed star that is laid over.

    Parameters
    ----------
    state : ViewState
        Names the star.
    example : str
        Key of the star that comes with the package.
    """
    if state.star == MAPPED:
        return ON_MAP if state.mapped else ""
    if state.star and state.star == example:
        return EXAMPLE
    # Of a file that somebody dropped only the name: who opens the link is told to drop it, too.
    return state.star if _NAME.fullmatch(state.star) else ""
