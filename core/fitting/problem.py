"""What a fit makes small: residuals of a batch of stars, with a polynomial per chip and a prior."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor

from ..spectra.wavelength import WavelengthGrid


@dataclass
class Problem:
    """What is to be made small, for a batch of stars.

    Parameters
    ----------
    flux, ivar : Tensor, shape ``(n_stars, n_pixels)``
        Observed flux and inverse variance.
    value : callable
        ``value(x, rows)`` returns the model's flux ``(n, n_pixels)`` for parameters
        ``(n, n_parameters)`` of some of the stars.
    slopes : callable
        ``slopes(x, rows)`` returns its derivatives ``(n, n_parameters, n_pixels)``.
    low, high : Tensor, shape ``(n_parameters,)``
        Bounds.
    free : Tensor of bool, shape ``(n_parameters,)``
        Parameters that move.
    centre : Tensor, shape ``(n_parameters,)``
        Mean of the Gaussian prior.
    precision : Tensor, shape ``(n_parameters, n_parameters)``
        Its inverse covariance, float64; zeros where nothing is known.
    grid : WavelengthGrid
        Gives the chips.
    degree : int
        Degree of the polynomials; -1 for none.
    """

    flux: Tensor
    ivar: Tensor
    value: Callable[[Tensor, Tensor], Tensor]
    slopes: Callable[[Tensor, Tensor], Tensor]
    low: Tensor
    high: Tensor
    free: Tensor
    centre: Tensor
    precision: Tensor
    grid: WavelengthGrid
    degree: int = 4

    def __post_init__(self) -> None:
        self.weight = self.ivar.sqrt()
        self.polynomials = [
            torch.tensor(
                chebyshev.chebvander(np.linspace(-1, 1, len(chip)), max(0, self.degree)).T,
                dtype=torch.float32,
                device=self.flux.device,
            )
            for chip in self.grid.chips
        ]
        self._products = [(p[:, None] * p).flatten(0, 1).T.contiguous() for p in self.polynomials]

    def _on_chips(
        self, model: Tensor, rows: Tensor
    ) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
        """Yield a chip's pixels, polynomials, their normal matrix and ``model * ivar``.

        The prior is 1 with a standard deviation of 1: without any usable pixel on a chip
        the polynomial stays there.
        """
        if self.degree < 0:
            return
        ivar = self.ivar[rows]
        for chip, p, products in zip(
            self.grid.chips, self.polynomials, self._products, strict=True
        ):
            part = model[:, chip.pixels]
            weighed = part * ivar[:, chip.pixels]
            matrix = ((part * weighed) @ products).double().unflatten(1, (len(p), len(p)))
            prior = torch.eye(len(p), dtype=torch.float64, device=matrix.device)
            yield chip.pixels, p, matrix + prior, weighed

    def continuum(self, model: Tensor, rows: Tensor) -> Tensor:
        """Return the polynomials that fit best, on all pixels."""
        flux, out = self.flux[rows], torch.ones_like(model)
        for pixels, p, matrix, weighed in self._on_chips(model, rows):
            right = ((flux[:, pixels] * weighed) @ p.T).double()
            right[:, 0] += 1
            out[:, pixels] = torch.linalg.solve(matrix, right).float() @ p
        return out

    def residual(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the model, the continuum and the residuals in sigma ``(n, n_pixels)``."""
        model = self.value(x, rows)
        continuum = self.continuum(model, rows)
        return model, continuum, (self.flux[rows] - model * continuum) * self.weight[rows]

    def penalty(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return half the gradient of the prior's chi2, ``(n, q)``, and that chi2, ``(n,)``."""
        d = (x - self.centre).double()
        pull = d @ self.precision
        return pull, (pull * d).sum(1)

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        """Return chi2 and the prior's chi2 together, ``(n,)``, float64."""
        return self.residual(x, rows)[2].double().square().sum(1) + self.penalty(x)[1]

    def derivatives(
        self, x: Tensor, model: Tensor, continuum: Tensor, rows: Tensor
    ) -> ResidualDerivatives:
        """Return the derivatives of the residuals of some stars."""
        slopes = self.slopes(x, rows)
        slopes *= (continuum * self.weight[rows])[:, None, :]
        normal = (slopes @ slopes.transpose(1, 2)).double()
        chips = []
        weight = self.weight[rows]
        for pixels, p, matrix, _ in self._on_chips(model, rows):
            columns = (model[:, pixels] * weight[:, pixels])[:, None, :] * p
            cross = (columns @ slopes[:, :, pixels].transpose(1, 2)).double()
            share = torch.linalg.solve(matrix, cross)
            normal -= cross.transpose(1, 2) @ share
            chips.append((pixels, columns, share))
        return ResidualDerivatives(slopes, chips, normal)


@dataclass
class ResidualDerivatives:
    """Derivatives of residuals, and what the polynomials can do as well.

    The latter is taken out of products, which are small, and not of every pixel.

    Parameters
    ----------
    slopes : Tensor, shape ``(n, n_parameters, n_pixels)``
        Of the model with its continuum, in sigma.
    chips : list of (slice, Tensor, Tensor)
        Pixels, polynomials times the model, in sigma, ``(n, n_polynomials, n_pixels)``, and
        how they follow the parameters, ``(n, n_polynomials, n_parameters)``.
    normal : Tensor, shape ``(n, n_parameters, n_parameters)``
        Products of the derivatives without what polynomials do, float64.
    """

    slopes: Tensor
    chips: list[tuple[slice, Tensor, Tensor]]
    normal: Tensor

    def along(self, residual: Tensor) -> Tensor:
        """Return the product with residuals ``(n, n_pixels)``, float64."""
        # From the left: torch multiplies a matrix by one column ten times as slowly.
        r = residual[:, None, :]
        out = (r @ self.slopes.transpose(1, 2)).double()
        for pixels, columns, share in self.chips:
            out -= (r[:, :, pixels] @ columns.transpose(1, 2)).double() @ share
        return out[:, 0]
