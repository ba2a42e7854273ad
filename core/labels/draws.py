"""Random draws of stellar labels: the giant branch, and a uniform box.

Draws are torch tensors made from a ``torch.Generator``, because training asks for
a few hundred at every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import LabelError
from .label import ELEMENTS
from .label_set import APOGEE_LABELS, LabelSet

ALPHA_ELEMENTS = ("O", "Mg", "Si", "S", "Ca", "Ti")

Draw = Callable[[int, torch.Generator], Tensor]
"""A function of (number of stars, generator) that returns labels (n_stars, n_labels)."""


def require_apogee(labels: LabelSet) -> None:
    """Raise LabelError if labels are not the 25 that draws know."""
    if labels.names != APOGEE_LABELS.names:
        raise LabelError(
            "Giant-branch draws know the 25 labels of APOGEE_LABELS; found "
            f"{', '.join(labels.names)}. Give a draw function of your own."
        )


def ordinary_giant(labels: LabelSet = APOGEE_LABELS) -> dict[str, float]:
    """Return a K giant of solar composition with turbulence as APOGEE adopts for it.

    4750 K, log g 2.5, 12C/13C 15; v_turb and v_macro by the relations that
    :func:`giant_branch` scatters about.

    Examples
    --------
    >>> giant = ordinary_giant()
    >>> giant["teff"], giant["logg"], giant["Fe"]
    (4750.0, 2.5, 0.0)
    """
    values = dict.fromkeys(labels.names, 0.0)
    return values | {
        "teff": 4750.0,
        "logg": 2.5,
        "vturb": round(2.478 - 0.325 * 2.5, 2),
        "c12c13": 15.0,
        "vmacro": round(10 ** (0.741 - 0.0998 * 2.5), 2),
    }


def giant_branch(n: int, generator: torch.Generator, labels: LabelSet = APOGEE_LABELS) -> Tensor:
    """Draw stars like those of the red clump (30 %) and the red giant branch (70 %).

    Teff and log g follow the giant branch with its dependence on [Fe/H]; microturbulence
    and macroturbulence follow the relations that APOGEE adopts for giants (Holtzman et
    al. 2015, AJ 150, 148; Holtzman et al. 2018, AJ 156, 125) with scatter; alpha
    elements rise with falling [Fe/H], in some stars more than in others; dredge-up
    takes carbon and brings nitrogen; 12C/13C is uniform in its logarithm. Values are
    clipped to the trained range.

    Parameters
    ----------
    n : int
        Number of stars.
    generator : torch.Generator
        Source of randomness.
    labels : LabelSet
        Must have the names of APOGEE_LABELS; gives the ranges.

    Returns
    -------
    Tensor, shape ``(n, 25)``, float32
        Labels in physical units.

    Raises
    ------
    LabelError
        If the label set is another one, or its ranges are not those of giants.

    Examples
    --------
    >>> stars = giant_branch(200, torch.Generator().manual_seed(1))
    >>> stars.shape, bool((stars[:, 0] < 5500).all())
    (torch.Size([200, 25]), True)
    """
    require_apogee(labels)
    device = generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    low = torch.tensor(labels.low, dtype=torch.float32, device=device)
    high = torch.tensor(labels.high, dtype=torch.float32, device=device)
    at = labels.index

    # A tenth of the stars form a metal-poor tail; the rest scatter about -0.2.
    feh = -0.2 + 0.35 * normal(n) - (uniform(n) < 0.12) * (0.3 + 0.8 * uniform(n))
    feh = feh.clamp(low[at("Fe")], high[at("Fe")])
    clump = uniform(n) < 0.3
    teff = torch.where(clump, 4800 - 120 * feh + 90 * normal(n), 3800 + 1500 * uniform(n))
    branch = 2.55 + 0.0023 * (teff - 4750 + 230 * feh) + 0.2 * normal(n)
    logg = torch.where(clump, 2.45 + 0.1 * normal(n), branch)
    outside = (teff < low[0]) | (teff > high[0]) | (logg < low[1]) | (logg > high[1])
    if n >= 50 and outside.float().mean() > 0.4:
        raise LabelError(
            f"{outside.float().mean():.0%} of giant-branch stars lie outside the trained range "
            f"(T_eff {low[0]:g} to {high[0]:g} K, log g {low[1]:g} to {high[1]:g}); the grid is "
            "not one of giants. Give a draw function of your own."
        )
    logg = logg.clamp(low[at("logg")], high[at("logg")])
    vturb = 2.478 - 0.325 * logg + 0.25 * normal(n)
    vmacro = 10 ** (0.741 - 0.0998 * logg - 0.225 * feh + 0.08 * normal(n))

    over_iron = giant_mixture(feh, uniform, normal)
    span = math.log(high[at("c12c13")].item() / low[at("c12c13")].item())
    ratio = low[at("c12c13")] * torch.exp(span * uniform(n))
    out = torch.cat(
        [
            torch.stack([teff, logg, vturb], 1),
            feh[:, None] + over_iron,
            torch.stack([ratio, vmacro], 1),
        ],
        1,
    )
    return torch.minimum(torch.maximum(out, low), high)


def giant_mixture(
    feh: Tensor,
    uniform: Callable[..., Tensor],
    normal: Callable[..., Tensor],
    dredge_up: Tensor | None = None,
) -> Tensor:
    """Return [X/Fe] of stars, ``(n, n_elements)``, from [Fe/H] and two random sources.

    `dredge_up` says of which stars it has taken carbon and brought nitrogen; of all if not given.
    """
    n = len(feh)
    enhanced = 0.18 * ((feh < -0.2) & (uniform(n) < 0.4))
    poor = (0.02 - 0.15 * feh + 0.05 * normal(n) + enhanced).clamp(-0.1, 0.4)
    alpha = torch.where(feh < 0.1, poor, 0.03 * normal(n))
    over_iron = 0.07 * normal(n, len(ELEMENTS))
    for element in ALPHA_ELEMENTS:
        over_iron[:, ELEMENTS.index(element)] += alpha
    brought = 0.3 * uniform(n)
    if dredge_up is not None:
        brought = brought * dredge_up
    over_iron[:, ELEMENTS.index("C")] += 0.3 * alpha - 0.5 * brought
    over_iron[:, ELEMENTS.index("N")] += brought
    over_iron = over_iron.clamp(-0.3, 0.45)
    over_iron[:, ELEMENTS.index("Fe")] = 0
    return over_iron


def box(n: int, generator: torch.Generator, labels: LabelSet = APOGEE_LABELS) -> Tensor:
    """Draw labels uniformly over the trained range, [X/Fe] within 0.3 dex.

    The isotope ratio is uniform in its logarithm. Parameters and result are those of
    :func:`giant_branch`.

    Raises
    ------
    LabelError
        If the label set is another one.

    Examples
    --------
    >>> stars = box(200, torch.Generator().manual_seed(1))
    >>> iron, magnesium = APOGEE_LABELS.columns(["Fe", "Mg"])
    >>> bool(((stars[:, magnesium] - stars[:, iron]).abs() <= 0.3001).all())
    True
    """
    require_apogee(labels)
    device = generator.device
    low = torch.tensor(labels.low, dtype=torch.float32, device=device)
    high = torch.tensor(labels.high, dtype=torch.float32, device=device)
    u = torch.rand(n, len(labels), generator=generator, device=device)
    out = low + (high - low) * u
    iron = labels.index("Fe")
    for column in labels.element_columns():
        if column != iron:
            out[:, column] = out[:, iron] + 0.6 * u[:, column] - 0.3
    ratio = labels.index("c12c13")
    out[:, ratio] = low[ratio] * (high[ratio] / low[ratio]) ** u[:, ratio]
    return torch.minimum(torch.maximum(out, low), high)
