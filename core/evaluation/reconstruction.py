"""How well the networks return a spectrum, directly and after a trip to the other domain."""

from __future__ import annotations

from typing import Any

from .round_trips import Passages


def reconstruction_errors(passages: Passages) -> dict[str, Any]:
    """Return reconstruction and cycle errors of both domains on held-out stars.

    Parameters
    ----------
    passages : Passages
        Stars on every route.

    Returns
    -------
    dict
        For ``synthetic_reconstruction`` (synthetic to latents and back),
        ``observed_reconstruction``, ``synthetic_cycle`` (synthetic to observed and back)
        and ``observed_cycle``: ``flux``, the root-mean-square error per pixel as a mean
        over members; ``noise``, the same in units of the survey's noise per pixel; and
        ``members``, the flux error of each. Observed spectra are compared as they are, so
        that their errors include the noise that reconstructions lack, as far as the
        representation holds it.
    """
    out: dict[str, Any] = {}
    for name, square in passages.errors.items():
        each = square.mean(1).sqrt()
        flux = float(each.mean())
        out[name] = {
            "flux": flux,
            "noise": flux / passages.noise if passages.noise > 0 else None,
            "members": each.tolist(),
        }
    return out
