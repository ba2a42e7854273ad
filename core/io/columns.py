"""What a column is: its name, its unit and what it says of air and vacuum.

One understanding for tables, npz, HDF5 and FITS files and for grids of other codes. A name is
read without case, blanks and plural: ``Flux_Errors``, ``e_flux`` and ``FLUXERR`` are one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal[
    "wavelength",
    "log_wavelength",
    "ln_wavelength",
    "flux",
    "error",
    "variance",
    "ivar",
    "snr",
    "good",
    "bad",
    "mask",
    "id",
    "continuum",
]
"""What a column may be. ``bad`` is 0 at good pixels, ``good`` is 0 at bad ones; ``mask`` alone
does not say which value is good."""

_WAVELENGTH = re.compile(
    r"(?P<log>log10|log|ln)?(?:air|vacuum|vac)?"
    r"(?:wavelength|wavelen|wlen|wave|wav|wvl|lambda|lam|wl|spectralaxis)"
    r"(?:vacuum|vac|air|nm|um|microns?|nanomet(?:er|re)s?|angstroms?|ang|aa|a|rest|obs|grid|axis)*"
)
_FLUX_PARTS = re.compile(
    r"flux(?:es)?|spectrum|spectra|spec(?!tr)|normalised|normalized|norm|density|intensit(?:y|ies)"
)
_OF_FLUX: dict[str, Role] = {
    **dict.fromkeys(("", "nu", "lambda", "lam", "jy", "mjy", "rel", "relative"), "flux"),
    **dict.fromkeys(
        (
            *("error", "err", "sigma", "sig", "uncertainty", "uncertaintie", "unc", "std"),
            *("stddev", "standarddeviation", "stdev", "noise", "rms", "e", "d", "delta", "sd"),
            *("errorbar", "errbar", "1sigma", "staterr", "uncert", "stderr", "standarderror"),
        ),
        "error",
    ),
    **dict.fromkeys(("variance", "var", "errorsquared", "err2", "sigma2"), "variance"),
    **dict.fromkeys(
        ("ivar", "inversevariance", "invvar", "inversevar", "invvariance", "inver", "invar"),
        "ivar",
    ),
    **dict.fromkeys(("snr", "sn", "s2n", "signaltonoise", "ston"), "snr"),
    **dict.fromkeys(
        (
            *("good", "goodpix", "goodpixel", "goodmask", "maskgood", "valid", "usable"),
            *("isgood", "ok"),
        ),
        "good",
    ),
    **dict.fromkeys(
        (
            *("bad", "badpix", "badpixel", "badmask", "maskbad", "isbad", "dq", "dataquality"),
            *("quality", "qual", "qualityflag", "qualflag", "flag", "bitmask", "maskbit"),
            *("andmask", "ormask", "pixelflag", "pixelmask", "pixmask", "pixflag", "dqflag"),
            *("apogeepixmask", "qualitymask", "qc"),
        ),
        "bad",
    ),
    "mask": "mask",
    **dict.fromkeys(("continuum", "cont", "pseudocontinuum"), "continuum"),
}
_OTHER: dict[str, Role] = {
    **dict.fromkeys(("count", "fnu", "flam", "flambda"), "flux"),
    **dict.fromkeys(
        (
            *("id", "star", "starid", "starname", "object", "objectid", "objid", "obj", "objname"),
            *("apogeeid", "apogee", "name", "target", "targetid", "targname", "source"),
            *("sourceid", "sdssid", "gaiaid", "twomassid", "tmassid"),
        ),
        "id",
    ),
}

_ID_KEYS = (
    *("id", "star", "star_id", "object", "objid", "apogee_id", "name", "target", "targname"),
)

_MEDIUM_KEYS = (
    *("medium", "airorvac", "air_or_vacuum", "wavelength_medium", "vacuum", "vacwave", "air"),
)


def canonical(name: str) -> str:
    """Return a name without case, blanks, signs and a unit in brackets.

    Examples
    --------
    >>> canonical("Flux_Error [erg/s]")
    'fluxerror'
    """
    text = name.strip().lower().replace("λ", "lambda").replace("σ", "sigma")
    text = re.sub(r"[\[(].*?[\])]", "", text) or text
    return re.sub(r"[^a-z0-9]+", "", text)


@lru_cache(maxsize=4096)
def role_of(name: str) -> Role | None:
    """Return what a column of some name is; None if the name says nothing that is known.

    Examples
    --------
    >>> role_of("FLUX_ERROR"), role_of("Variances"), role_of("DQ"), role_of("wave_air")
    ('error', 'variance', 'bad', 'wavelength')
    """
    text = canonical(name)
    for word in _singulars(text):
        if word in _OTHER:
            return _OTHER[word]
        found = _WAVELENGTH.fullmatch(word)
        if found:
            log = found["log"]
            return "wavelength" if not log else "ln_wavelength" if log == "ln" else "log_wavelength"
        rest = _FLUX_PARTS.sub("", word)
        role = _OF_FLUX.get(rest)
        # "e" or "jy" alone says nothing; beside "flux" it does.
        if role and (rest != word or (role != "flux" and len(rest) > 1)):
            return role
    return None


def _singulars(text: str) -> Iterator[str]:
    yield text
    for end, other in (("ies", "y"), ("es", ""), ("s", "")):
        if text.endswith(end) and len(text) > len(end) + 1:
            yield text[: -len(end)] + other


def unit_in_name(name: str) -> str:
    """Return the unit that a column's name says in brackets or at its end; else empty.

    Examples
    --------
    >>> unit_in_name("wavelength [nm]"), unit_in_name("lambda_um"), unit_in_name("wave")
    ('nm', 'um', '')
    """
    found = re.search(r"[\[(]([^\])]*)[\])]\s*$", name.strip())
    if found:
        return found.group(1).strip()
    found = re.search(r"[_\W](nm|um|micron|microns|angstroms?|ang|aa|a)$", name.strip().lower())
    return found.group(1) if found and role_of(name) == "wavelength" else ""


@dataclass(frozen=True)
class Column:
    """A column of a table, or an array of a file.

    Parameters
    ----------
    name : str
        As in the file.
    values : ndarray
        Floats are NaN where they are missing.
    unit : str
        As in the file; empty if it says none.
    description : str
        Whatever else the file says of it: comment, UCD, type of the axis.
    """

    name: str
    values: NDArray[Any]
    unit: str = ""
    description: str = ""


@dataclass
class Columns:
    """The columns of a file and what else it says.

    Parameters
    ----------
    columns : list of Column
        In the order of the file.
    meta : mapping
        By lower-case key.
    noun : str
        What a column is called in messages: ``column`` or ``array``.
    """

    columns: list[Column] = field(default_factory=list)
    meta: Mapping[str, Any] = field(default_factory=dict)
    noun: str = "column"

    def add(self, name: str, values: Any, unit: Any = "", description: str = "") -> None:
        """Add a column; masked values become NaN."""
        array: Any = np.ma.asarray(values)
        if array.dtype.kind == "f" or (array.dtype.kind in "iu" and np.ma.is_masked(array)):
            plain = np.asarray(array.astype(np.float64).filled(np.nan))
        else:
            plain = np.asarray(array.data)
        self.columns.append(
            Column(name.strip(), plain, str(unit or "").strip() or unit_in_name(name), description)
        )

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return [c.name for c in self.columns]

    def find(self, *roles: Role) -> Column | None:
        """Return the column with the first of some roles that there is.

        Of several with one role that with the plainest name is taken: ``flux`` before
        ``flux_norm``.
        """
        for role in roles:
            found = [c for c in self.columns if role_of(c.name) == role]
            if found:
                return min(found, key=lambda c: len(canonical(c.name)))
        return None

    def all(self, *roles: Role) -> list[Column]:
        """Return all columns with one of some roles."""
        return [c for c in self.columns if role_of(c.name) in roles]

    @property
    def has_spectrum(self) -> bool:
        """Whether there is a wavelength and a flux."""
        wavelength = self.find("wavelength", "log_wavelength", "ln_wavelength")
        return wavelength is not None and self.find("flux") is not None


def has_spectrum(names: Iterable[str]) -> bool:
    """Tell whether columns of some names hold a wavelength and a flux."""
    roles = {role_of(n) for n in names}
    return "flux" in roles and bool(roles & {"wavelength", "log_wavelength", "ln_wavelength"})


def star_of(meta: Mapping[str, Any]) -> str:
    """Return the name of the star that metadata give; empty if they give none."""
    from .names import text_of

    return next((text_of(meta[k]) for k in _ID_KEYS if meta.get(k)), "")


def stated_media(column: Column, meta: Mapping[str, Any]) -> dict[str, str]:
    """Return what each place of a file says of the medium: place to ``vacuum`` or ``air``.

    Places are the column's name, unit and description (where ``em.wl;obs.atmos`` is the IVOA's
    UCD1+ of air wavelengths, and ``AWAV`` and ``WAVE`` are those of Greisen et al. 2006, A&A 446,
    747, table 1), and keys of the header.

    Examples
    --------
    >>> stated_media(Column("WAVE", np.ones(2), description="em.wl;obs.atmos"), {})
    {'the description of WAVE': 'air'}
    """
    out: dict[str, str] = {}
    name = canonical(column.name)
    for place, text in (("the name", name), ("the unit", column.unit.lower())):
        if "vac" in text:
            out[f"{place} of {column.name}"] = "vacuum"
        elif "air" in text:
            out[f"{place} of {column.name}"] = "air"
    described = medium_in(column.description)
    if described:
        out[f"the description of {column.name}"] = described
    of_axis = str(meta.get("ctype1", "")).upper()
    if of_axis.startswith("AWAV"):
        out["CTYPE1"] = "air"
    for key in _MEDIUM_KEYS:
        value = meta.get(key)
        if value is None:
            continue
        text = str(value).strip().lower()
        yes, no = text in ("true", "1", "t", "yes"), text in ("false", "0", "f", "no")
        if key in ("vacuum", "vacwave", "air") and (yes or no):
            out[key.upper()] = "air" if (key == "air") == yes else "vacuum"
        elif text.startswith("vac"):
            out[key.upper()] = "vacuum"
        elif text.startswith("air"):
            out[key.upper()] = "air"
    for comment in meta.get("comments", ()) or ():
        text = str(comment)
        if re.search(r"wave|lambda|angstrom|\bnm\b|λ", text, re.IGNORECASE) and medium_in(text):
            out["a comment"] = medium_in(text)
    # WAVE is vacuum by the standard, but is written for any wavelength.
    if not out and (re.search(r"ctype wave\b", column.description.lower()) or of_axis == "WAVE"):
        out["the type of its axis"] = "vacuum"
    return out


def medium_in(text: str) -> str:
    """Return the medium that a description says, ``vacuum`` or ``air``; empty if it says none.

    Examples
    --------
    >>> medium_in("wavelength in air"), medium_in("AWAV-LOG"), medium_in("air or vacuum")
    ('air', 'air', '')
    """
    low = text.lower()
    air = bool(re.search(r"\bair\b|obs\.atmos|\bawav\b", low))
    vacuum = bool(re.search(r"\bvac(uum)?\b", low))
    return "" if air == vacuum else "air" if air else "vacuum"
