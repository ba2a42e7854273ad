"""Sizes of the paper's convolutional network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from .stacked import ACTIVATIONS

MAX_CHANNELS, MAX_LAYERS, MAX_STRIDE, MAX_KERNEL_PIXELS = 4096, 8, 16, 31


MAX_PIXELS = 1_000_000
"""Bounds on sizes, so that a stranger's bundle cannot ask for all memory."""


@dataclass(frozen=True)
class ConvLayers:
    """Channels and strides of the convolutions, from spectrum to latents.

    Decoders mirror encoders. The defaults are the paper's.

    Parameters
    ----------
    domain, domain_strides : tuple of int
        First layers, one set of them per domain.
    shared, split : tuple of int
        Layers from the domain's to the shared and to the split latents.
    latent_strides : tuple of int
        Strides of both, so that all latents lie on the same positions.
    kernel : int
        Pixels that a filter sees; odd.
    normalise : bool
        Whether each channel of the latents is normalised over its positions (instance
        normalisation, on the encoders' output as the authors have it).
    critic_spectra, critic_latents : tuple of int
        Channels of the critics, with filters of `kernel` and of one position.
    critic_stride : int
        Stride of the critics' layers on spectra.
    """

    domain: tuple[int, ...] = (32, 64)
    domain_strides: tuple[int, ...] = (4, 4)
    shared: tuple[int, ...] = (128, 256, 512)
    split: tuple[int, ...] = (32, 32, 32)
    latent_strides: tuple[int, ...] = (4, 2, 2)
    kernel: int = 7
    normalise: bool = True
    critic_spectra: tuple[int, ...] = (16, 32, 64, 128, 256)
    critic_latents: tuple[int, ...] = (32, 64, 128, 256, 512)
    critic_stride: int = 4

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, list | tuple):  # lists come from JSON
                object.__setattr__(self, f.name, tuple(value))
                strides = f.name.endswith("strides")
                _require(f.name, value, MAX_STRIDE if strides else MAX_CHANNELS)
            elif f.name == "normalise":
                if not isinstance(value, bool):
                    raise ValueError(f"normalise must be true or false; found {value!r}.")
            else:
                _require(f.name, [value], MAX_KERNEL_PIXELS if f.name == "kernel" else MAX_STRIDE)
        if self.kernel % 2 == 0:
            raise ValueError(f"Expected an odd kernel; found {self.kernel}.")
        pairs = (
            ("domain", "domain_strides"),
            ("shared", "latent_strides"),
            ("split", "latent_strides"),
        )
        for channels, steps in pairs:
            if len(getattr(self, channels)) != len(getattr(self, steps)):
                raise ValueError(f"Expected as many {channels} channels as {steps}.")

    @classmethod
    def of(cls, layers: ConvLayers | Mapping[str, Any]) -> ConvLayers:
        """Return layers, or those that a mapping read from JSON describes."""
        return layers if isinstance(layers, ConvLayers) else cls(**layers)


def _require(name: str, values: Sequence[Any], most: int) -> None:
    """Raise a ValueError unless the values are whole numbers from 1 to `most`, and not many."""
    whole = all(type(v) is int and 1 <= v <= most for v in values)
    if not whole or not 1 <= len(values) <= MAX_LAYERS:
        raise ValueError(
            f"{name} must be 1 to {MAX_LAYERS} whole numbers from 1 to {most}; found {values!r}."
        )


@dataclass(frozen=True)
class ConvShape:
    """Sizes of the convolutional network.

    Parameters
    ----------
    n_pixels : int
        Pixels per spectrum, the same in both domains.
    n_shared, n_split : int
        Channels of the shared and the split latents; without the latter there is no
        split latent space.
    activation : {"leaky_relu", "silu"}
        After each layer. The paper has the first; the second gives smooth derivatives.
    layers : ConvLayers
        The rest.
    """

    n_pixels: int
    n_shared: int = 25
    n_split: int = 1
    activation: str = "leaky_relu"
    layers: ConvLayers = field(default_factory=ConvLayers)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", ConvLayers.of(self.layers))
        for name, least, most in (
            ("n_pixels", 1, MAX_PIXELS),
            ("n_shared", 1, MAX_CHANNELS),
            ("n_split", 0, MAX_CHANNELS),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ValueError(
                    f"{name} must be a whole number from {least} to {most}; found {value!r}."
                )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}; found {self.activation!r}."
            )
        if self.layers.normalise and self.n_positions < 2:
            raise ValueError(
                f"Spectra of {self.n_pixels} pixels are too short for these strides: one position "
                "is left, over which nothing can be normalised. Use smaller strides."
            )

    @property
    def lengths(self) -> tuple[int, ...]:
        """Number of positions after each layer, pixels first."""
        return lengths_after(self.n_pixels, self.layers.domain_strides + self.layers.latent_strides)

    @property
    def n_positions(self) -> int:
        """Number of positions of the latents."""
        return self.lengths[-1]


def lengths_after(n: int, strides: Sequence[int]) -> tuple[int, ...]:
    """Return the lengths of padded convolutions, starting with `n`."""
    out = [n]
    for stride in strides:
        out.append(-(-out[-1] // stride))
    return tuple(out)
