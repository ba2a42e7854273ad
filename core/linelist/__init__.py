"""Spectral lines: species, lists of them, and the formats in which synthesis codes read them."""

from .air_or_vacuum import MediumGuess, guess_medium
from .line_list import LineList, join
from .linemake import read_linemake
from .moog import moog_text, read_moog, write_moog
from .read import read_lines
from .shipped import SHIPPED_SOURCE, shipped_lines
from .species import Species
from .text_format import Written
from .turbospectrum import read_turbospectrum, turbospectrum_text, write_turbospectrum
from .vald import read_vald, vald_text, write_vald

__all__ = [
    "SHIPPED_SOURCE",
    "LineList",
    "MediumGuess",
    "Species",
    "Written",
    "guess_medium",
    "join",
    "moog_text",
    "read_linemake",
    "read_lines",
    "read_moog",
    "read_turbospectrum",
    "read_vald",
    "shipped_lines",
    "turbospectrum_text",
    "vald_text",
    "write_moog",
    "write_turbospectrum",
    "write_vald",
]
