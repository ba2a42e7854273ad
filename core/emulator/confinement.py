"""Emulators in which rare elements act on their own lines only.

A first emulator, trained on all labels alike, is right where an element acts and leaks a
little elsewhere. Its responses, cut to the pixels of the element's own lines, give each
element a few components. In a second training, one network predicts everything else from
labels without these elements (of which it sees the sum of their electrons), and a small
network per element predicts the coefficients of its components. The whole is one
perceptron with zeros where an element must not act: an :class:`Emulator` like any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .element_lines import OwnLines
from .emulator import Emulator

MAX_ELEMENT_COMPONENTS = 5
"""Components of an element."""

MAX_MISSED_RESPONSE = 0.06
"""Part of an element's response, as a norm, that its components may miss."""

MIN_NEAR_OVER_FAR_RESPONSE = 1.5
"""Largest response near an element's lines over that elsewhere, as a geometric mean over the
elements: below this, none is confined, because the line list or the physics is not that of the
spectra, or the first training too poor to tell. It is 4.3 on the first grid; where lines are
elsewhere about 0.5."""

MAX_FAR_RESPONSE_FACTOR = 3.0
"""An element that acts most away from its lines, and there by this factor more than others do,
has lines that the list lacks, and is not confined."""

SQUARE_FLOOR = 1e-12
"""Added to squares of changes of log flux, so that none is 0."""

LOCAL_HIDDEN = 8
"""Width of the network of an element."""

Descend = Callable[[Callable[[Tensor], Tensor], Sequence[nn.Parameter]], None]
"""Minimises a loss, a function of rows of the training set, over parameters."""


@dataclass(frozen=True)
class Confined:
    """An element and the components of its response.

    Parameters
    ----------
    lines : OwnLines
        Where it acts.
    column : int
        Its label.
    components : Tensor, shape ``(n, n_pixels)``
        Of log flux; 0 away from its lines.
    response : Tensor, shape ``(n_stars, n)``
        What the first emulator says of each star, against a star of median abundance.
    """

    lines: OwnLines
    column: int
    components: Tensor
    response: Tensor


class ElementNetworks(nn.Module):
    """As many small perceptrons of one shape as there are elements, in one pass."""

    def __init__(self, columns: Tensor, hidden: int, layers: int, n_out: int) -> None:
        super().__init__()
        self.columns = columns
        n, n_in = columns.shape
        sizes = (n_in, *(hidden,) * layers, n_out)

        def uniform(n_from: int, *shape: int) -> nn.Parameter:
            return nn.Parameter((2 * torch.rand(n, *shape) - 1) / math.sqrt(n_from))

        pairs = list(itertools.pairwise(sizes))
        self.weights = nn.ParameterList([uniform(a, a, b) for a, b in pairs])
        self.biases = nn.ParameterList([uniform(a, 1, b) for a, b in pairs])

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(n_stars, n_elements, n_out)`` for scaled inputs ``(n_stars, n_labels)``."""
        h = x[:, self.columns].transpose(0, 1)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias, nn.functional.silu(h) if i else h, weight)
        return h.transpose(0, 1)


@torch.no_grad()
def responses(
    emulator: Emulator, x: Tensor, elements: Sequence[OwnLines], seed: int = 0
) -> list[Confined]:
    """Return the elements to confine, with the components of their response.

    Parameters
    ----------
    emulator : Emulator
        Trained on all labels alike; architecture ``basis``.
    x : Tensor, shape ``(n_stars, n_labels)``
        Scaled inputs of its training set.
    elements : sequence of OwnLines
        See :func:`spectrabridge.core.emulator.element_lines.own_lines`.
    seed : int
        Of the choice of pixels to compare with.

    Returns
    -------
    list of Confined
        Empty if the spectra do not have the lines where the list has them.
    """
    changes = [_change(emulator, x, lines) for lines in elements]
    peaks = np.array([_peaks(emulator, *pair) for pair in zip(changes, elements, strict=True)])
    if (
        not len(peaks)
        or np.exp(np.log(peaks[:, 0] / peaks[:, 1]).mean()) < MIN_NEAR_OVER_FAR_RESPONSE
    ):
        return []
    foreign = (peaks[:, 1] > peaks[:, 0]) & (
        peaks[:, 1] > MAX_FAR_RESPONSE_FACTOR * np.median(peaks[:, 1])
    )
    rng = np.random.default_rng(seed)
    out = []
    for change, lines in itertools.compress(zip(changes, elements, strict=True), ~foreign):
        inside, other = np.flatnonzero(lines.pixels), np.flatnonzero(~lines.pixels)
        other = rng.choice(other, min(len(inside), len(other)), replace=False)
        size, shapes, amplitude = _parts(change, emulator.components[:, torch.from_numpy(inside)])
        noise, _, _ = _parts(change, emulator.components[:, torch.from_numpy(other)])
        missed = (size.square().sum() - size.square().cumsum(0)).clamp_min(0).sqrt()
        n = min(
            MAX_ELEMENT_COMPONENTS,
            1 + int((missed > MAX_MISSED_RESPONSE * size.norm()).sum()),
            # The first component away from the lines is the electrons' or a common leak.
            max(1, int((size > noise[min(1, len(noise) - 1)]).sum())),
        )
        components = torch.zeros(n, emulator.grid.n_pixels)
        components[:, torch.from_numpy(inside)] = shapes[:n]
        column = emulator.labels.index(lines.element)
        out.append(Confined(lines, column, components, amplitude[:, :n]))
    return out


def _change(emulator: Emulator, x: Tensor, lines: OwnLines) -> Tensor:
    """Return what an element does to the components' coefficients, ``(n_stars, n_basis)``."""
    column = emulator.labels.index(lines.element)
    moved = x.clone()
    moved[:, column] = x[:, column].median()
    return (emulator.net(x) - emulator.net(moved)) * emulator.scale


def _peaks(emulator: Emulator, change: Tensor, lines: OwnLines) -> tuple[float, float]:
    """Return the largest rms change of a pixel near an element's lines, and of any other."""
    squares = ((change.T @ change / len(change)) @ emulator.components * emulator.components).sum(0)
    near = torch.from_numpy(lines.pixels)
    return math.sqrt(squares[near].max() + SQUARE_FLOOR), math.sqrt(
        squares[~near].max() + SQUARE_FLOOR
    )


def _parts(change: Tensor, components: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return singular values, right vectors and amplitudes of ``change @ components``."""
    q, r = torch.linalg.qr(components.T)
    left, size, right = torch.linalg.svd(change @ r.T, full_matrices=False)
    return size, right @ q.T, left * size


def without_elements(labels: int, span: Tensor, elements: Sequence[Confined]) -> Tensor:
    """Return the matrix that takes elements from scaled inputs, shape ``(n_labels, n_labels)``.

    The column of the first that gives electrons holds the sum of their electrons instead.

    Parameters
    ----------
    labels : int
        Number of labels.
    span : Tensor, shape ``(n_labels,)``
        Range of each input in its unit.
    elements : sequence of Confined
        What to take away.
    """
    out = torch.eye(labels)
    for element in elements:
        out[element.column] = 0
    donors = [element for element in elements if element.lines.electrons > 0]
    if donors:
        columns = [element.column for element in donors]
        given = torch.tensor([element.lines.electrons for element in donors]) * span[columns]
        out[columns, columns[0]] = (given / given.norm()).to(out.dtype)
    return out


def confine(
    first: Emulator,
    log_flux: Tensor,
    x: Tensor,
    elements: Sequence[Confined],
    descend: Descend,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> Emulator:
    """Return an emulator trained anew in which elements act on their own lines only.

    Parameters
    ----------
    first : Emulator
        From which `elements` come; its sizes are kept, widened by the elements' networks.
    log_flux : Tensor, shape ``(n_stars, n_pixels)``
        Of the training set.
    x : Tensor, shape ``(n_stars, n_labels)``
        Scaled inputs.
    elements : sequence of Confined
        See :func:`responses`.
    descend : callable
        Runs the training.
    seed : int
        Of the decomposition and the weights; the caller's random state is its business.
    device : str
        Where `x` is and training happens.
    """
    local = torch.cat([element.components for element in elements])
    rest = log_flux.clone()
    for element in elements:
        rest -= element.response @ element.components
    mean = rest.mean(0)
    rest -= mean
    n_common = max(first.n_basis - len(local), first.n_basis // 2)
    torch.manual_seed(seed)
    _, _, v = torch.svd_lowrank(rest, q=min(n_common + 20, len(rest)), niter=4)
    common = v[:, :n_common].T
    # Orthonormal components of both; in doubles, because some may be nearly the same.
    both = torch.cat([common, local])
    components = torch.linalg.qr(both.T.double())[0].T.to(both.dtype)
    mix = both @ components.T
    target = (log_flux - mean) @ components.T
    unit = target.std(0).max()
    spread = torch.cat(
        [(rest @ common.T).std(0), *(element.response.std(0) for element in elements)]
    ).clamp_min(1e-6)
    mix = spread[:, None] * mix

    layers, n_in = len(first.hidden), len(first.labels)
    inputs = without_elements(n_in, first.high - first.low, elements)
    iron = [first.labels.index("Fe")] if "Fe" in first.labels else []
    stellar = [i for i, label in enumerate(first.labels.labels) if not label.element]
    columns = torch.tensor([[*stellar, *iron, element.column] for element in elements])
    n_of = [len(element.components) for element in elements]
    picked = torch.cat([torch.arange(n) + i * max(n_of) for i, n in enumerate(n_of)])
    common_net = Emulator(
        first.labels, first.grid, "basis", first.hidden, n_common, first.continuum
    ).net
    networks = ElementNetworks(columns, min(LOCAL_HIDDEN, *first.hidden), layers, max(n_of))
    common_net, networks = common_net.to(device), networks.to(device)
    place = [t.to(device) for t in (inputs, picked, mix, target, unit)]
    networks.columns = columns.to(device)

    def loss(rows: Tensor) -> Tensor:
        inputs, picked, mix, target, unit = place
        part = x[rows]
        found = torch.cat([common_net(part @ inputs), networks(part).flatten(1)[:, picked]], 1)
        residual = (found @ mix - target[rows]) / unit
        return residual.square().sum(1).add(1e-8).sqrt().mean()

    descend(loss, [*common_net.parameters(), *networks.parameters()])
    out = _joined(first, common_net.cpu(), networks.cpu(), inputs, n_of, mix, target.std(0))
    with torch.no_grad():
        out.mean.copy_(mean)
        out.components.copy_(components)
        out.low.copy_(first.low)
        out.high.copy_(first.high)
    return out


@torch.no_grad()
def _joined(
    first: Emulator,
    common_net: nn.Sequential,
    networks: ElementNetworks,
    inputs: Tensor,
    n_of: Sequence[int],
    mix: Tensor,
    scale: Tensor,
) -> Emulator:
    """Return the networks as one perceptron; they do not see each other's units."""
    n_elements, width = len(n_of), networks.weights[0].shape[2]
    sizes = tuple(size + n_elements * width for size in first.hidden)
    out = Emulator(first.labels, first.grid, "basis", sizes, len(mix), first.continuum)
    theirs = [layer for layer in common_net if isinstance(layer, nn.Linear)]
    ours = [layer for layer in out.net if isinstance(layer, nn.Linear)]
    for depth, (layer, common) in enumerate(zip(ours[:-1], theirs[:-1], strict=True)):
        layer.weight.zero_()
        n_rows, n_columns = common.weight.shape
        layer.weight[:n_rows, :n_columns] = common.weight if depth else common.weight @ inputs.T
        layer.bias[:n_rows] = common.bias
        for i in range(n_elements):
            rows = slice(n_rows + i * width, n_rows + (i + 1) * width)
            layer.bias[rows] = networks.biases[depth][i, 0]
            if depth:
                before = slice(n_columns + i * width, n_columns + (i + 1) * width)
                layer.weight[rows, before] = networks.weights[depth][i].T
            else:
                layer.weight[rows, networks.columns[i]] = networks.weights[0][i].T
    n_common, hidden = theirs[-1].weight.shape
    weight, bias = torch.zeros(len(mix), sizes[-1]), torch.zeros(len(mix))
    weight[:n_common, :hidden] = theirs[-1].weight
    bias[:n_common] = theirs[-1].bias
    start = n_common
    for i, n in enumerate(n_of):
        units = slice(hidden + i * width, hidden + (i + 1) * width)
        weight[start : start + n, units] = networks.weights[-1][i].T[:n]
        bias[start : start + n] = networks.biases[-1][i, 0, :n]
        start += n
    out.scale.copy_(scale.clamp_min(1e-6))
    ours[-1].weight.copy_((mix.T @ weight) / out.scale[:, None])
    ours[-1].bias.copy_((bias @ mix) / out.scale)
    return out
