"""Errors meant for the person at the keyboard.

Each message is one or two sentences that say what was expected, what was found
and what to do. The command line prints them as they are and exits with 1; the
explorer shows them as notifications.
"""

import re

_MAX_WORD = 500
_MAX_CHARACTERS = 2000
_KEPT_AT_END = 600
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class SpectrabridgeError(Exception):
    """Base of every error whose message is written for the user.

    Messages quote names and values out of files. What would fill a screen is cut there, and
    what would steer a terminal is replaced.

    Examples
    --------
    >>> len(str(SpectrabridgeError("Found " + "A" * 100_000 + "; expected teff.")))
    524
    """

    def __str__(self) -> str:
        text = _CONTROL.sub("\ufffd", super().__str__())
        if len(text) > _MAX_WORD:
            text = re.sub(rf"(\S{{{_MAX_WORD}}})\S+", r"\1...", text)
        if len(text) > _MAX_CHARACTERS:
            start = _MAX_CHARACTERS - _KEPT_AT_END
            text = f"{text[:start]} ... {text[-_KEPT_AT_END:]}"
        return text


class LabelError(SpectrabridgeError):
    """Label values or names do not fit the label set."""


class GridError(SpectrabridgeError):
    """Two things that must share a wavelength grid do not."""


class SpectrumError(SpectrabridgeError):
    """A spectrum, or a file that should hold one, cannot be used."""


class HomeError(SpectrabridgeError):
    """The user has no home directory."""


class OutputError(SpectrabridgeError):
    """A result cannot be written where it was asked for."""


class BundleError(SpectrabridgeError):
    """A bundle is damaged, incomplete, or made by a newer version."""


class TrainingError(SpectrabridgeError):
    """Training cannot start or go on with what it was given."""


class FitError(SpectrabridgeError):
    """A fit was asked for that cannot be done."""


class TableError(SpectrabridgeError):
    """A table cannot be written as it was asked for."""


class RunError(SpectrabridgeError):
    """A run of many tasks cannot begin or go on."""


class ArchiveError(SpectrabridgeError):
    """A file of a survey's archive cannot be named or found."""


class DownloadError(SpectrabridgeError):
    """A file could not be fetched."""


class LinesError(SpectrabridgeError):
    """Candidate features, or decisions about them, cannot be used."""


class GridImportError(SpectrabridgeError):
    """A grid of another code cannot be taken over as it is."""


class LineListError(SpectrabridgeError):
    """A line list, or a species named in one, cannot be used."""


class EmbeddingError(SpectrabridgeError):
    """A map of stars cannot be made, read or used."""


class AtmosphereError(SpectrabridgeError):
    """A model atmosphere cannot be read, or none is known for a star."""


class SynthesisError(SpectrabridgeError):
    """A spectrum or a grid of spectra cannot be synthesized."""
