"""Candidate features: where adapted spectra differ from emulated ones, and why perhaps.

A candidate has a name of its own, made of the bundle's weights and of its wavelength, so
that what somebody decides about it is never attached to another one.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args, overload

import numpy as np
from astropy import units
from astropy.table import Table

from ..errors import LinesError
from ..files import unpacked
from ..files.typed_json import mapping_of, rebuilt, value_of
from ..spectra.wavelength import vacuum_to_air

Kind = Literal["missing", "too weak", "too strong", "shifted", "changes sign", "broad"]
"""What the simulator does with a feature: it lacks it, has it too weak or too strong, or has it
at another wavelength; in some stars one and in others the other; or the feature is wider than
one line: a blend, wings, or the continuum."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""What the simulator does where a candidate is."""

PAIRS: dict[str, tuple[str, ...]] = {"CN": ("C", "N"), "CO": ("C", "O"), "OH": ("O",)}
"""Molecules by name, with the elements to which their lines respond."""

UNDECIDED = ("blend", "unknown")
"""Answers that name nothing: several elements share the feature, or none accounts for it."""

SCHEMA = 1

MIN_ANGSTROM, MAX_ANGSTROM = 1.0, 1e8
"""Wavelengths that a feature can have, from X-rays to centimetres."""

MAX_PIXELS = 1 << 31
MAX_NAME = 80
"""Characters of a name in a table of candidates that is read."""

LARGEST_FILE_BYTES = 1 << 28
"""Bytes of a table of candidates that is read, at most; a small file may unpack to any size."""

_MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    OSError,
    EOFError,
    zlib.error,
)
"""What contents of another kind raise."""

MAX_ID = 300
"""Most characters of the id of a candidate."""


@dataclass(frozen=True)
class Answer:
    """One answer to what a feature belongs to.

    Parameters
    ----------
    name : str
        An element's symbol, a molecule of :data:`PAIRS`, ``blend`` or ``unknown``.
    probability : float
        Between 0 and 1; those of a candidate sum to 1.
    """

    name: str
    probability: float

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements that it names; empty for ``blend`` and ``unknown``."""
        if self.name in UNDECIDED:
            return ()
        return PAIRS.get(self.name, (self.name,))


@dataclass(frozen=True)
class NearLine:
    """A known transition near a feature.

    Parameters
    ----------
    species : str
        As in line lists: ``Fe 1``, ``CN 1``.
    wavelength : float
        Vacuum angstrom.
    loggf : float
        Oscillator strength, isotopic fraction included.
    ep : float
        Excitation energy of the lower level, eV.
    strength : float
        Predicted strength at the reference star, in dex, for ranking.
    """

    species: str
    wavelength: float
    loggf: float
    ep: float
    strength: float


@dataclass(frozen=True)
class Candidate:
    """A feature that adapted spectra have otherwise than emulated ones.

    Parameters
    ----------
    id : str
        Its name for ever: fingerprint of the bundle's weights and wavelength.
    wavelength : float
        Centre, vacuum angstrom.
    low, high : float
        Ends, vacuum angstrom.
    start, stop, peak : int
        Pixels of the bundle's grid: half-open extent, and where the difference is largest.
    kind : str
        One of :data:`KINDS`.
    emulated, adapted : float
        Depth below the continuum at the peak in the reference star.
    depth : float
        Adapted minus emulated depth there; positive where the simulator lacks absorption.
    depth_low, depth_high : float
        The 5th and 95th percentile of that over stars.
    width : float
        Difference of equivalent widths in the reference star, milliangstrom.
    significance : float
        Depth in units of the adaptation's own noise.
    answers : tuple of Answer
        What it may belong to, the likeliest first.
    near : tuple of NearLine
        Known transitions near it, the strongest first.
    shift : float, optional
        Of a shifted line: adapted minus emulated wavelength, angstrom. Tables of 0.1 lack it.
    """

    id: str
    wavelength: float
    low: float
    high: float
    start: int
    stop: int
    peak: int
    kind: Kind
    emulated: float
    adapted: float
    depth: float
    depth_low: float
    depth_high: float
    width: float
    significance: float
    answers: tuple[Answer, ...] = ()
    near: tuple[NearLine, ...] = ()
    shift: float | None = None

    @property
    def air(self) -> float:
        """Centre in standard air, angstrom."""
        return float(vacuum_to_air(self.wavelength))

    @property
    def pixels(self) -> slice:
        """Its pixels as a slice."""
        return slice(self.start, self.stop)

    def require_possible(self, where: str) -> None:
        """Raise a ValueError, which says where, if numbers cannot be those of a feature."""
        if not (MIN_ANGSTROM <= self.low <= self.wavelength <= self.high <= MAX_ANGSTROM):
            raise ValueError(f"{where}: low, wavelength and high are no range in angstrom")
        if not 0 <= self.start <= self.peak < self.stop <= MAX_PIXELS:
            raise ValueError(f"{where}: start, peak and stop are no range of pixels")
        if not 0 < len(self.id) <= MAX_ID:
            raise ValueError(f"{where}: an id has 1 to {MAX_ID} characters")
        texts = [*(a.name for a in self.answers), *(n.species for n in self.near)]
        if any(len(t) > MAX_NAME or not t.isprintable() for t in texts):
            raise ValueError(f"{where}: names are at most {MAX_NAME} printable characters")
        if any(not 0 <= a.probability <= 1 + 1e-6 for a in self.answers):
            raise ValueError(f"{where}: probabilities lie between 0 and 1")
        if any(not MIN_ANGSTROM <= n.wavelength <= MAX_ANGSTROM for n in self.near):
            raise ValueError(f"{where}: a line near it has no wavelength in angstrom")

    @property
    def best(self) -> str:
        """The likeliest answer."""
        return self.answers[0].name if self.answers else "unknown"


def candidate_id(fingerprint: str, wavelength: float) -> str:
    """Return the name of a feature of a bundle at a wavelength (vacuum angstrom).

    Examples
    --------
    >>> candidate_id("0123456789abcdef", 15200.2) == candidate_id("0123456789abcdef", 15200.2)
    True
    """
    return f"{fingerprint[:8]}-{wavelength:.2f}"


@dataclass(frozen=True)
class Candidates(Sequence[Candidate]):
    """The candidate features of a bundle, by wavelength.

    Parameters
    ----------
    bundle : str
        Name of the bundle.
    fingerprint : str
        Of its weights, see :attr:`~spectrabridge.core.bundle.Bundle.fingerprint`.
    reference : mapping
        Labels of the reference star, by short name.
    settings : mapping
        How they were found, as JSON.
    rows : tuple of Candidate
        In order of wavelength; no two have one id.

    Raises
    ------
    LinesError
        If two have the same id.
    """

    bundle: str
    fingerprint: str
    reference: Mapping[str, float]
    settings: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Candidate, ...] = ()

    def __post_init__(self) -> None:
        ids = [c.id for c in self.rows]
        if len(set(ids)) != len(ids):
            double = sorted({i for i in ids if ids.count(i) > 1})
            raise LinesError(f"Candidates must have different ids; {double[0]} occurs twice.")

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, which: int) -> Candidate: ...

    @overload
    def __getitem__(self, which: slice) -> tuple[Candidate, ...]: ...

    def __getitem__(self, which: int | slice) -> Candidate | tuple[Candidate, ...]:
        return self.rows[which]

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.rows)

    def by_id(self) -> dict[str, Candidate]:
        """Return the candidates by their names."""
        return {c.id: c for c in self.rows}

    def table(self) -> Table:
        """Return them as a table, with units, one row each."""
        rows = self.rows
        out = Table()
        out["id"] = [c.id for c in rows] or np.empty(0, "U24")
        out["wavelength"] = np.array([c.wavelength for c in rows]) * units.AA
        out["wavelength_air"] = np.array([c.air for c in rows]) * units.AA
        out["low"] = np.array([c.low for c in rows]) * units.AA
        out["high"] = np.array([c.high for c in rows]) * units.AA
        out["kind"] = np.array([c.kind for c in rows], "U12")
        for name in ("emulated", "adapted", "depth", "depth_low", "depth_high", "significance"):
            out[name] = np.array([getattr(c, name) for c in rows], float)
        out["width"] = np.array([c.width for c in rows]) * units.mAA
        shifts = [np.nan if c.shift is None else c.shift for c in rows]
        out["shift"] = np.array(shifts, float) * units.AA
        for k in range(3):
            some = [c.answers[k] if len(c.answers) > k else Answer("", np.nan) for c in rows]
            out[f"answer_{k + 1}"] = np.array([a.name for a in some], "U8")
            out[f"probability_{k + 1}"] = np.array([a.probability for a in some], float)
        first = [c.near[0] if c.near else None for c in rows]
        out["near_species"] = np.array([n.species if n else "" for n in first], "U8")
        for name, unit in (("wavelength", units.AA), ("loggf", None), ("ep", units.eV)):
            column = np.array([getattr(n, name) if n else np.nan for n in first], float)
            out[f"near_{name}"] = column if unit is None else column * unit
        for name, about in _ABOUT.items():
            out[name].info.description = about
        out.meta.update(
            bundle=self.bundle,
            fingerprint=self.fingerprint,
            medium="vacuum",
            reference=json.dumps(dict(self.reference)),
        )
        return out

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {
            "schema": SCHEMA,
            "bundle": self.bundle,
            "fingerprint": self.fingerprint,
            "reference": dict(self.reference),
            "settings": dict(self.settings),
            "candidates": [asdict(c) for c in self.rows],
        }

    def dumps(self) -> bytes:
        """Return them as the bytes of a JSON file, compressed by gzip."""
        text = json.dumps(self.to_json(), separators=(",", ":")) + "\n"
        # Without a time, so that the same candidates are the same bytes.
        return gzip.compress(text.encode(), 9, mtime=0)

    @classmethod
    def loads(cls, content: bytes) -> Candidates:
        """Rebuild candidates written by :meth:`dumps`, compressed or not.

        Raises
        ------
        LinesError
            If the content is something else.
        """
        try:
            content = unpacked(
                content,
                "The table of candidates",
                "a table of candidates",
                max_bytes=LARGEST_FILE_BYTES,
                error=LinesError,
            )
            data = mapping_of(json.loads(content))
            schema = value_of(int, data.pop("schema", None), "schema")
            if schema > SCHEMA:
                raise LinesError("The table of candidates is of a newer spectrabridge; update it.")
            data["rows"] = data.pop("candidates", None)
            found = rebuilt(cls, data)
            for i, candidate in enumerate(found.rows):
                candidate.require_possible(f"candidates[{i}]")
            return found
        except _MALFORMED as problem:
            raise LinesError(f"This is no table of candidates ({problem}).") from problem


_ABOUT = {
    "wavelength": "centre, vacuum",
    "wavelength_air": "centre, standard air",
    "kind": "what the simulator does: missing, too weak, too strong, shifted, changes sign, broad",
    "emulated": "depth below the continuum, emulated, reference star",
    "adapted": "depth below the continuum, adapted, reference star",
    "depth": "adapted minus emulated depth",
    "depth_low": "5th percentile of depth over stars",
    "depth_high": "95th percentile of depth over stars",
    "significance": "depth in units of the adaptation's own noise",
    "width": "difference of equivalent widths, adapted minus emulated",
    "shift": "adapted minus emulated wavelength of a shifted line",
}
