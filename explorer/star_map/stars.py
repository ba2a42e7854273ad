"""Stars of a map in words, spectra and tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.adaptation.spectral_basis import SpectralBasis
from ...core.bundle import Model
from ...core.embedding import PANELS, Embedding
from ...core.errors import SpectrabridgeError
from ...core.fitting.stars import Star
from ...core.io.table_writer import table_bytes
from ...core.spectra import Spectra
from ..state.label_text import decimals, number, short_unit
from ..state.view_state import MAPPED
from ..widgets.data_table import Column, Row

MAIN_LABELS = ("teff", "logg", "Fe")
"""Labels that stand for a star where there is little room, where a model has them."""

MAX_TABLE_ROWS = 200
"""Rows of a selection in the table; the export has all."""

MAX_AVERAGED_STARS = 64
"""Synthetic stars of a selection whose adapted spectra are averaged."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Curves:
    """Spectra to draw, shape ``(n_pixels,)`` each; None for those there are not.

    Parameters
    ----------
    title : str
        What they are of.
    observed, adapted, emulated : ndarray or None
        Flux.
    spread : ndarray or None
        Standard deviation of what `observed` is the mean of.
    note : str
        What else should be known.
    """

    title: str
    observed: Array | None = None
    adapted: Array | None = None
    emulated: Array | None = None
    spread: Array | None = None
    note: str = ""


def known_labels(embedding: Embedding, row: int) -> dict[str, float] | None:
    """Return the labels of a star, rounded as they are shown; None unless all are known."""
    values = embedding.stars.labels[row]
    if not np.isfinite(values).all():
        return None
    return {
        label.name: round(float(v), decimals(label))
        for label, v in zip(embedding.stars.label_set, values, strict=True)
    }


def observed_flux(model: Model, embedding: Embedding, row: int) -> Array | None:
    """Return the flux of an observed star, made from its coefficients; None for others."""
    i = embedding.stars.observed_row(row)
    if i is None:
        return None
    with torch.inference_mode():
        coefficients = torch.tensor(embedding.stars.coefficients[i : i + 1])
        return np.asarray(model.adapter.obs.decode(coefficients)[0].numpy())


def star_curves(model: Model, embedding: Embedding, row: int) -> Curves:
    """Return the observed spectrum of a star and the model's at its labels, where known."""
    labels = known_labels(embedding, row)
    emulated = adapted = None
    if labels is not None:
        values = np.array([list(labels.values())])
        with torch.inference_mode():
            emulated = np.asarray(model.emulate(values), np.float32)[0]
            adapted = np.asarray(model.adapt(values), np.float32)[0]
    note = "" if labels is not None else "labels unknown"
    title = embedding.stars.ids[row]
    return Curves(title, observed_flux(model, embedding, row), adapted, emulated, note=note)


def selection_curves(model: Model, embedding: Embedding, rows: NDArray[np.int64]) -> Curves:
    """Return mean and spread of the observed stars of a selection, and the adapted mean."""
    stars = embedding.stars
    seen = rows[rows >= stars.n_each] - stars.n_each
    made = rows[rows < stars.n_each]
    title = f"mean of {len(rows):,} stars"
    observed = spread = adapted = None
    if len(seen):
        observed, spread = _mean_and_spread(model, stars.coefficients[seen])
    note = ""
    if len(made):
        some = made[np.linspace(0, len(made) - 1, min(MAX_AVERAGED_STARS, len(made))).astype(int)]
        with torch.inference_mode():
            adapted = np.asarray(model.adapt(stars.synthetic_labels[some]), np.float32).mean(0)
        if len(some) < len(made):
            note = f"adapted: mean of {len(some)} of {len(made):,} synthetic stars"
    return Curves(title, observed, adapted, None, spread, note)


def _mean_and_spread(model: Model, coefficients: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of flux; decoding is linear, so this is exact."""
    obs = model.adapter.obs
    mean = torch.tensor(coefficients.mean(axis=0))
    with torch.inference_mode():
        flux = np.asarray(obs.decode(mean[None])[0].numpy())
        if isinstance(obs, SpectralBasis):
            cov = np.cov(coefficients, rowvar=False, ddof=0).astype(np.float32)
            values, axes = np.linalg.eigh(np.atleast_2d(cov))
            shapes = torch.tensor((axes * np.sqrt(np.maximum(values, 0))).T.astype(np.float32))
            spread = obs.decode_slopes(shapes).square().sum(0).sqrt()
        else:
            spread = torch.tensor(coefficients.std(axis=0)) * obs.scale
    return flux, np.asarray(spread.numpy(), np.float32)


def observed_star(model: Model, embedding: Embedding, row: int) -> Star | None:
    """Return an observed star to be laid over the model on other pages; None for others."""
    flux = observed_flux(model, embedding, row)
    if flux is None:
        return None
    stars = embedding.stars
    name, snr = stars.ids[row], float(stars.all_snr[row])
    sigma = 1 / snr if np.isfinite(snr) and snr > 0 else stars.noise
    spectra = Spectra(
        model.grid,
        flux[None],
        np.full((1, len(flux)), sigma**-2),
        (name,),
        provenance={"continuum": {"routine": "decoded by the adapter of the bundle"}},
    )
    note = "Made from its components, in which noise is gone as far as they tell it."
    title = f"from the map, S/N {1 / sigma:.0f}"
    return Star(name, MAPPED, spectra, (title,), notes=(note,))


def star_words(embedding: Embedding, row: int) -> str:
    """Return a star's name and main labels in a line."""
    stars = embedding.stars
    parts = [stars.ids[row]]
    for name in MAIN_LABELS:
        if name in stars.label_set:
            label = stars.label_set[name]
            text = number(float(stars.labels[row, stars.label_set.index(name)]), decimals(label))
            if text:
                unit = short_unit(label)
                parts.append(f"{label.title} {text}{' ' + unit if unit == 'K' else ''}")
    snr, chi2 = float(stars.all_snr[row]), float(embedding.chi2[row])
    if np.isfinite(snr):
        parts.append(f"S/N {snr:.0f}")
    if np.isfinite(chi2):
        parts.append(f"misfit {chi2:.2f}")
    return " \u00b7 ".join(parts)


def find(embedding: Embedding, text: str) -> list[int]:
    """Return rows of stars by name: the exact one, else those that hold the text."""
    wanted = text.strip().lower()
    if not wanted:
        return []
    exact, holding = [], []
    for i, name in enumerate(embedding.stars.ids):
        lower = name.lower()
        if lower == wanted:
            exact.append(i)
        elif wanted in lower:
            holding.append(i)
    return exact or holding


# ----------------------------------------------------------------------------- tables


def selection_columns(embedding: Embedding) -> list[Column]:
    """Return the columns of the table of selected stars."""
    labels = embedding.stars.label_set

    def column(title: str, about: str, numeric: bool = True) -> Column:
        return Column(title=title, group="", number=numeric, about=about, colour="")

    out = [column("star", "Name of the star", False), column("domain", "Its domain", False)]
    for name in MAIN_LABELS:
        if name in labels:
            label = labels[name]
            unit = f" ({label.unit})" if label.unit == "K" else ""
            out.append(column(label.title + unit, label.description))
    if np.isfinite(embedding.stars.snr).any():
        out.append(column("S/N", "Signal-to-noise ratio per pixel"))
    out.append(column("misfit", "Chi2 of the networks' reconstruction, over coefficients"))
    return out


def selection_rows(embedding: Embedding, rows: Iterable[int]) -> list[Row]:
    """Return rows of the table of selected stars."""
    stars = embedding.stars
    labels = stars.label_set
    main = [(labels.index(n), decimals(labels[n])) for n in MAIN_LABELS if n in labels]
    has_snr = bool(np.isfinite(stars.snr).any())
    out = []
    for row in rows:
        cells: list[list[object]] = [
            [stars.ids[row], stars.ids[row], ""],
            ["observed" if stars.domain[row] else "synthetic", int(stars.domain[row]), ""],
        ]
        figures = [(float(stars.labels[row, i]), digits) for i, digits in main]
        if has_snr:
            figures.append((float(stars.all_snr[row]), 0))
        figures.append((float(embedding.chi2[row]), 2))
        for value, digits in figures:
            cells.append([number(value, digits), value if np.isfinite(value) else None, ""])
        out.append(Row(key=str(row), cells=cells, mark=""))
    return out


def selection_table(embedding: Embedding, rows: NDArray[np.int64]) -> Any:
    """Return all that a map knows of some stars, an astropy table with units."""
    from astropy.table import Table

    from ...core.fitting.result import set_units

    stars = embedding.stars
    out = Table()
    out["id"] = [stars.ids[r] for r in rows]
    out["domain"] = np.where(stars.domain[rows] == 1, "observed", "synthetic")
    for i, name in enumerate(stars.label_set.names):
        out[name] = stars.labels[rows, i]
    set_units(out, stars.label_set)
    out["snr"] = stars.all_snr[rows]
    out["misfit"] = embedding.chi2[rows]
    for key in PANELS:
        out[f"{key}_x"], out[f"{key}_y"] = embedding.panels[key][rows].T
    out.meta = {"bundle": embedding.info["bundle"], "creator": "spectrabridge"}
    return out


def selection_bytes(embedding: Embedding, rows: NDArray[np.int64], name: str) -> bytes:
    """Return the table of a selection as the content of a file; `name` is one of FORMATS."""
    return table_bytes(selection_table(embedding, rows), name)


def sent_words(embedding: Embedding, rows: NDArray[np.int64]) -> str:
    """Send a selection to the programs on this machine by SAMP; return what became of it."""
    from ...core.vetting import samp

    table = selection_table(embedding, rows)
    try:
        answers = samp.send_table(table, f"stars of {embedding.info['bundle']}")
    except SpectrabridgeError as problem:
        return str(problem)
    stars = "1 star" if len(rows) == 1 else f"{len(rows):,} stars"
    return " ".join(
        f"{a.name}: {a.problem}." if a.problem else f"{a.name} has {stars}." for a in answers
    )
