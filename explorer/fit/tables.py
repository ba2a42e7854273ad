"""What the tables of the Fit page say: a row per star, and a row per label of one star."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ...core.bundle import Model
from ...core.fitting.result import LabelFits
from ...core.io.table_writer import table_bytes
from ...core.labels import LabelSet
from ..figures.theme import ADAPTED, EMULATED
from ..session.fit_words import flag_sentences, flags_of
from ..session.fitted_star import KINDS, FittedStar, collected
from ..state.label_text import decimals, number
from ..widgets.data_table import Column, Row

MAIN = ("teff", "logg", "Fe")
"""Labels that stand in the table of stars, where a model has them."""

TITLES = {"emulated": "raw", "adapted": "adapted"}
COLOURS = {"emulated": EMULATED, "adapted": ADAPTED}


def error(value: float, digits: int) -> str:
    """Return an error; small ones get as many decimals as their first digit needs."""
    if not math.isfinite(value):
        return ""
    if value <= 0:
        return "held"
    if value < 10.0**-digits:
        return f"\u00b1{value:.1g}" if value >= 1e-4 else "\u00b1<0.0001"
    return f"\u00b1{value:.{digits}f}"


def _column(
    title: str, group: str = "", number: bool = True, about: str = "", colour: str = ""
) -> Column:
    return Column(title=title, group=group, number=number, about=about, colour=colour)


def _cell(text: str, value: float | str | None = None, about: str = "") -> list[Any]:
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    return [text, value, about]


def _labelled(fits: LabelFits | None, name: str, digits: int) -> list[Any]:
    """Return a label's value with its error as a cell."""
    if fits is None:
        return _cell("")
    i = fits.label_set.index(name)
    value, width = float(fits.labels[0, i]), float(fits.errors[0, i])
    return _cell(f"{number(value, digits)} {error(width, digits)}".strip(), value)


# ----------------------------------------------------------------------------- stars


def has_survey(stars: Iterable[FittedStar], labels: LabelSet) -> bool:
    """Return whether a file gives labels of its own; else columns for them would be empty."""
    return any(math.isfinite(s.star.survey.get(n, math.nan)) for s in stars for n in labels.names)


def star_columns(labels: LabelSet, survey: bool = True) -> list[Column]:
    """Return the columns of the table of stars, with or without those of the survey."""
    out = [_column("star", number=False, about="Name of the star")]
    for name in MAIN:
        if name not in labels:
            continue
        label = labels[name]
        group = f"{label.title} ({label.unit})" if label.unit == "K" else label.title
        for kind in KINDS:
            about = f"{label.description}, {TITLES[kind]} fit, with 1-sigma error"
            out.append(_column(TITLES[kind], group, about=about, colour=COLOURS[kind]))
        if survey:
            out.append(_column("survey", group, about=f"{label.description}, as the file gives it"))
    for kind in KINDS:
        about = f"chi2 over degrees of freedom, {TITLES[kind]} fit"
        out.append(_column(TITLES[kind], "reduced \u03c7\u00b2", about=about, colour=COLOURS[kind]))
    out += [
        _column("flags", number=False, about="What is doubtful; hover over a flag for its meaning"),
        _column("velocity (km/s)", about="Velocity in the frame of the spectrum"),
        _column("file", number=False, about="Name of the file"),
    ]
    return out


def star_row(star: FittedStar, labels: LabelSet, survey: bool = True) -> Row:
    """Return the row of a star."""
    fits = star.fits
    cells = [_cell(star.star.id, star.star.id)]
    for name in MAIN:
        if name not in labels:
            continue
        digits = decimals(labels[name])
        cells += [_labelled(fits.get(kind), name, digits) for kind in KINDS]
        if survey:
            given = float(star.star.survey.get(name, math.nan))
            cells.append(_cell(number(given, digits), given))
    for kind in KINDS:
        value = float(fits[kind].reduced_chi2[0]) if kind in fits else math.nan
        cells.append(_cell(number(value, 2 if value < 10 else 1), value))
    text, about = flag_words(star), "\n".join(flag_sentences(star))
    cells.append(_cell(text, text or None, about or "nothing is doubtful"))
    best = star.best
    if best is None:
        cells.append(_cell(""))
    else:
        value, width = float(best.velocity[0]), float(best.velocity_error[0])
        cells.append(_cell(f"{number(value, 2)} {error(width, 2)}".strip(), value))
    cells.append(_cell(star.star.file, star.star.file))
    mark = {"unreadable": "bad", "failed": "bad", "fitted": ""}.get(star.stage, "quiet")
    return Row(key=star.key, cells=cells, mark=mark)


def flag_words(star: FittedStar) -> str:
    """Return the flags of a star for a narrow column."""
    return ", ".join(f.replace("_", " ") for f in flags_of(star))


def star_rows(stars: Iterable[FittedStar], labels: LabelSet, survey: bool = True) -> list[Row]:
    """Return the rows of all stars."""
    return [star_row(star, labels, survey) for star in stars]


# ---------------------------------------------------------------------------- labels


def label_columns(survey: bool = True) -> list[Column]:
    """Return the columns of the table of one star's labels."""
    out = [
        _column("label", number=False, about="Name of the label"),
        *(_column(TITLES[k], about=f"{TITLES[k]} fit", colour=COLOURS[k]) for k in KINDS),
    ]
    if survey:
        out += [
            _column("survey", about="Label that the file gives"),
            _column("\u0394/\u03c3", about="Adapted minus survey, in the error of the fit"),
        ]
    return out


def label_rows(star: FittedStar | None, labels: LabelSet, survey: bool = True) -> list[Row]:
    """Return a row for every label of a star; none for a star without fits."""
    if star is None or not star.fitted:
        return []
    out = []
    best = star.best
    for i, label in enumerate(labels.labels):
        digits = decimals(label)
        title = f"{label.title} ({label.unit})" if label.unit not in ("", "dex") else label.title
        cells = [
            _cell(label.title, float(i), f"{title}: {label.description}"),
            *(_labelled(star.fits.get(kind), label.name, digits) for kind in KINDS),
        ]
        if survey:
            given, difference = float(star.star.survey.get(label.name, math.nan)), math.nan
            if best is not None and best.errors[0, i] > 0:
                difference = float((best.labels[0, i] - given) / best.errors[0, i])
            cells += [_cell(number(given, digits), given), _cell(number(difference, 1), difference)]
        out.append(Row(key=label.name, cells=cells, mark=""))
    return out


def fits_bytes(stars: Iterable[FittedStar], model: Model, name: str, bundle: str = "") -> bytes:
    """Return the table of :meth:`.StarFits.table` as the content of a file.

    Parameters
    ----------
    stars : iterable of FittedStar
        At least one.
    model : Model
        The model that was fitted.
    name : str
        One of :data:`.FORMATS`.
    bundle : str
        Name of the bundle, kept in the table.
    """
    table = collected(stars, model).table()
    table.meta = {"bundle": bundle, "creator": "spectrabridge"}
    return table_bytes(table, name)
