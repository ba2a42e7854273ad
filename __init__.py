"""spectrabridge: see what stellar models are missing."""

from .core.version import __version__

__all__ = ["__version__"]
