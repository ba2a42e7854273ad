"""Sets of spectra: in memory (:class:`Spectra`) and in a file (:class:`SpectraFile`).

Flux comes with inverse variance; an inverse variance of zero marks a pixel that
must not be used, whatever its flux says. Where the flux of such a pixel was not
finite it is stored as 1, so that sums over ``ivar * flux`` stay finite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..atomic_file import replacing
from ..errors import SpectrumError
from ..files import understood
from ..files.budget import MAX_ARRAY_BYTES
from ..files.typed_json import mapping_of, parsed
from ..labels.label_set import LabelSet
from .hdf5_layout import create_layout, open_layout
from .resample import resample
from .specutils_conversion import arrays_of, specutils_spectrum
from .wavelength import APOGEE_GRID, APSTAR_GRID, WavelengthGrid


@dataclass(frozen=True)
class Spectra:
    """Spectra on one grid.

    Parameters
    ----------
    grid : WavelengthGrid
        Wavelengths, vacuum angstrom, rest frame.
    flux : array_like, shape ``(n_stars, n_pixels)``
        Flux; a single spectrum may be given as ``(n_pixels,)``. Copied to float32.
    ivar : array_like, shape ``(n_stars, n_pixels)``, optional
        Inverse variance in the units of ``1 / flux**2``; 0 marks unusable pixels.
        Without it every finite pixel gets 1.
    ids : sequence of str, optional
        Names of the stars; numbered from 0 if not given.
    labels : array_like, shape ``(n_stars, n_labels)``, optional
        Label values, NaN where unknown. Needs `label_set`.
    label_set : LabelSet, optional
        What the columns of `labels` are.
    columns : mapping, optional
        Other values per star, each of shape ``(n_stars,)``: ``snr``, ``kind``, ...
    provenance : mapping, optional
        Where the spectra come from; must be JSON.

    Raises
    ------
    SpectrumError
        If shapes do not fit, or an inverse variance is negative.

    Examples
    --------
    >>> grid = WavelengthGrid([15000, 15001, 15002])
    >>> spectra = Spectra(grid, [[1.0, 0.5, np.nan]], [[100.0, 100.0, 100.0]], ids=["a star"])
    >>> spectra.good.tolist(), spectra.snr.round(1).tolist()
    ([[True, True, False]], [7.5])
    """

    grid: WavelengthGrid
    flux: NDArray[np.float32]
    ivar: NDArray[np.float32] = None  # type: ignore[assignment]
    ids: tuple[str, ...] = ()
    labels: NDArray[np.float64] | None = None
    label_set: LabelSet | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        flux = np.atleast_2d(np.array(self.flux, dtype=np.float32))
        n, p = flux.shape if flux.ndim == 2 else (0, -1)
        if p != self.grid.n_pixels:
            raise SpectrumError(
                f"Expected flux of shape (n_stars, {self.grid.n_pixels}); found "
                f"{np.shape(self.flux)}."
            )
        if self.ivar is None:
            ivar = np.ones((n, p), np.float32)
        else:
            ivar = np.atleast_2d(np.array(self.ivar, dtype=np.float32))
        if ivar.shape != (n, p):
            raise SpectrumError(
                f"Expected inverse variance of the shape of the flux, {(n, p)}; found {ivar.shape}."
            )
        if (ivar < 0).any():
            raise SpectrumError(
                "Inverse variance must not be negative; mark bad pixels with 0 instead."
            )
        bad = ~np.isfinite(flux) | ~np.isfinite(ivar)
        ivar[bad] = 0
        flux[~np.isfinite(flux)] = 1
        set_ = object.__setattr__
        set_(self, "flux", flux)
        set_(self, "ivar", ivar)
        ids = tuple(str(i) for i in self.ids) if len(self.ids) else tuple(map(str, range(n)))
        if len(ids) != n:
            raise SpectrumError(f"Expected {n} ids, one per spectrum; found {len(ids)}.")
        set_(self, "ids", ids)
        if self.labels is not None:
            if self.label_set is None:
                raise SpectrumError("Labels were given without a label set that names them.")
            labels = np.atleast_2d(np.array(self.labels, dtype=np.float64))
            if labels.shape != (n, len(self.label_set)):
                raise SpectrumError(
                    f"Expected labels of shape {(n, len(self.label_set))}; found {labels.shape}."
                )
            set_(self, "labels", labels)
        columns = {k: np.array(v) for k, v in self.columns.items()}
        for name, column in columns.items():
            if column.shape[:1] != (n,):
                raise SpectrumError(
                    f"Expected {n} values in column {name!r}; found shape {column.shape}."
                )
        set_(self, "columns", columns)
        set_(self, "provenance", dict(self.provenance))

    def __len__(self) -> int:
        return int(self.flux.shape[0])

    def __getitem__(self, rows: int | slice | Sequence[int] | NDArray[Any]) -> Spectra:
        """Return the spectra of some rows; an integer gives a set of one."""
        if isinstance(rows, int | np.integer):
            where = np.array([range(len(self))[rows]])
        else:
            where = np.arange(len(self))[rows]
        return Spectra(
            self.grid,
            self.flux[where],
            self.ivar[where],
            tuple(self.ids[i] for i in where),
            None if self.labels is None else self.labels[where],
            self.label_set,
            {k: v[where] for k, v in self.columns.items()},
            self.provenance,
        )

    @property
    def good(self) -> NDArray[np.bool_]:
        """True where a pixel may be used, shape ``(n_stars, n_pixels)``."""
        return self.ivar > 0

    @property
    def snr(self) -> NDArray[np.float64]:
        """Median signal-to-noise ratio per pixel over good pixels, NaN if there is none."""
        ratio = np.abs(self.flux.astype(np.float64)) * np.sqrt(self.ivar.astype(np.float64))
        return np.array(
            [np.median(r[g]) if g.any() else np.nan for r, g in zip(ratio, self.good, strict=True)]
        )

    def on_chips(self) -> Spectra:
        """Return the spectra on the pixels of the chips only."""
        if self.grid.chip_pixels.size == self.grid.n_pixels:
            return self
        pixels = self.grid.chip_pixels
        return Spectra(
            self.grid.on_chips(),
            self.flux[:, pixels],
            self.ivar[:, pixels],
            self.ids,
            self.labels,
            self.label_set,
            self.columns,
            self.provenance,
        )

    def save(self, path: str | Path, chunk: int = 64) -> None:
        """Write an HDF5 file that :class:`SpectraFile` and :meth:`load` read."""
        label_set = None if self.labels is None else self.label_set
        # An existing file is replaced only once the new one is whole.
        with (
            replacing(path) as partial,
            SpectraFile.create(partial, self.grid, label_set, self.provenance, chunk) as file,
        ):
            file.append(self)

    @classmethod
    def load(
        cls, source: str | Path | bytes, name: str = "", max_bytes: int = MAX_ARRAY_BYTES
    ) -> Spectra:
        """Return a whole HDF5 file of spectra, read into memory.

        Parameters
        ----------
        source : path or bytes
            The file or its content.
        name : str
            What to call it in messages; the path if empty.
        max_bytes : int
            Bytes that its arrays may have.

        Raises
        ------
        SpectrumError
            See :meth:`SpectraFile.open`.
        """
        with SpectraFile.open(source, name, max_bytes) as file:
            return file[:]

    @classmethod
    def from_specutils(cls, spectrum: Any, grid: WavelengthGrid | None = None) -> Spectra:
        """Return the spectra in a ``specutils.Spectrum`` (``Spectrum1D`` before version 2).

        Parameters
        ----------
        spectrum : specutils.Spectrum
            Flux of shape ``(n_pixels,)`` or ``(n_stars, n_pixels)``, spectral axis in any
            unit, in vacuum, uncertainty of any kind, mask True at bad pixels. A radial
            velocity or redshift that it carries is taken out of the wavelengths.
        grid : WavelengthGrid, optional
            The grid to resample to. If not given, the spectrum's own pixels, which are
            those of the apStar grid if they are equal to them.

        Returns
        -------
        Spectra
            Without an uncertainty every finite pixel has an inverse variance of 1. Ids,
            labels, columns and provenance that :meth:`to_specutils` left in ``meta`` are
            taken from there.

        Raises
        ------
        SpectrumError
            If specutils is not installed, or the flux has more than two axes.
        GridError
            If the wavelengths do not increase or decrease.
        """
        wavelength, flux, ivar = arrays_of(spectrum)
        own = next((g for g in (APSTAR_GRID, APOGEE_GRID) if g.has_pixels(wavelength)), None)
        own = own or WavelengthGrid(wavelength)
        if grid is not None and grid != own:
            flux, ivar = resample(own.wavelength, flux, ivar, grid)
            own = grid
        meta = dict(spectrum.meta or {})
        labels, label_set = meta.get("labels"), meta.get("label_set")
        provenance = {"product": "specutils", "flux_unit": str(spectrum.flux.unit)}
        return cls(
            own,
            flux,
            ivar,
            tuple(meta.get("ids", ())),
            labels if label_set else None,
            LabelSet.from_json(label_set) if label_set else None,
            meta.get("columns", {}),
            {**provenance, **meta.get("provenance", {})},
        )

    def to_specutils(self) -> Any:
        """Return a ``specutils.Spectrum`` with one row per star.

        Returns
        -------
        specutils.Spectrum
            Spectral axis in vacuum angstrom at rest, uncertainty as inverse variance, mask
            True at bad pixels. The flux has the unit that the provenance names as
            ``flux_unit``, else none. Ids, labels, columns and provenance are in ``meta``.

        Raises
        ------
        SpectrumError
            If specutils is not installed.
        """
        meta: dict[str, Any] = {
            "ids": self.ids,
            "columns": {k: v.copy() for k, v in self.columns.items()},
            "provenance": dict(self.provenance),
        }
        if self.labels is not None and self.label_set is not None:
            meta |= {"labels": self.labels.copy(), "label_set": self.label_set.to_json()}
        unit = "" if "continuum" in self.provenance else self.provenance.get("flux_unit", "")
        return specutils_spectrum(self.grid.wavelength, self.flux, self.ivar, str(unit), meta)


_WHAT = "a file written by Spectra.save"


class SpectraFile:
    """An HDF5 file of spectra, read and written in chunks of stars.

    Use :meth:`open` or :meth:`create`, best in a ``with`` block. ``file[a:b]`` reads
    those stars; :meth:`chunks` walks over all of them without holding more than one
    chunk in memory.
    """

    def __init__(self, handle: h5py.File, name: str = "") -> None:
        self._h = handle
        self._name = name or str(handle.filename)
        with understood(self._name, _WHAT):
            self.grid = WavelengthGrid.from_json(parsed(handle.attrs["grid"], self._name))
            labels = handle.attrs.get("label_set", "")
            self.label_set = LabelSet.from_json(parsed(labels, self._name)) if labels else None
            said = parsed(handle.attrs.get("provenance", "{}"), self._name)
            self.provenance: dict[str, Any] = mapping_of(said, "provenance")

    @classmethod
    def create(
        cls,
        path: str | Path,
        grid: WavelengthGrid,
        label_set: LabelSet | None = None,
        provenance: Mapping[str, Any] | None = None,
        chunk: int = 64,
    ) -> SpectraFile:
        """Start a new, empty file; an existing one is replaced.

        Parameters
        ----------
        path : path
            File to write.
        grid : WavelengthGrid
            Grid of all spectra that will be appended.
        label_set : LabelSet, optional
            Labels that the file will hold.
        provenance : mapping, optional
            Where the spectra come from; must be JSON.
        chunk : int
            Stars per HDF5 chunk.
        """
        return cls(create_layout(Path(path), grid, label_set, provenance, chunk))

    @classmethod
    def open(
        cls, source: str | Path | bytes, name: str = "", max_bytes: int | None = None
    ) -> SpectraFile:
        """Return a file, opened for reading.

        Parameters
        ----------
        source : path or bytes
            The file or its content.
        name : str
            What to call it in messages; the path if empty.
        max_bytes : int, optional
            Bytes that its arrays may have, for a file that is read whole.

        Raises
        ------
        SpectrumError
            If the file is not there, not HDF5, not laid out as :meth:`create` does, or has
            data elsewhere or too much of it.
        """
        place = source if isinstance(source, bytes) else Path(source)
        return cls(open_layout(place, name, max_bytes), name)

    def __enter__(self) -> SpectraFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._h.close()

    def __len__(self) -> int:
        return int(self._h["flux"].shape[0])

    def __getitem__(self, rows: slice) -> Spectra:
        """Read a run of stars, ``file[a:b]``; a step other than 1 is refused."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise SpectrumError(f"A file is read in runs, file[a:b]; found a step of {step}.")
        stop = max(start, stop)
        # Chunks are unpacked when read, and a damaged one surfaces as any kind of error.
        with understood(f"Spectra {start} to {stop - 1} of {self._name}", _WHAT):
            return self._read(start, stop)

    def _read(self, start: int, stop: int) -> Spectra:
        h = self._h
        return Spectra(
            self.grid,
            h["flux"][start:stop],
            h["ivar"][start:stop],
            tuple(h["ids"].asstr()[start:stop]),
            h["labels"][start:stop] if "labels" in h else None,
            self.label_set,
            {
                k: (v.asstr()[start:stop] if h5py.check_string_dtype(v.dtype) else v[start:stop])
                for k, v in h["columns"].items()
            },
            self.provenance,
        )

    def chunks(self, size: int = 512) -> Iterator[Spectra]:
        """Yield the spectra in order, at most `size` stars at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def append(self, spectra: Spectra) -> None:
        """Add spectra at the end.

        Raises
        ------
        SpectrumError, GridError
            If the spectra do not fit the file.
        """
        self.grid.require_same(spectra.grid)
        h = self._h
        if ("labels" in h) != (spectra.labels is not None) or (
            self.label_set and spectra.label_set and self.label_set.names != spectra.label_set.names
        ):
            raise SpectrumError("The spectra to append do not have the labels of the file.")
        start, stop = len(self), len(self) + len(spectra)
        if start and set(h["columns"]) != set(spectra.columns):
            raise SpectrumError(
                f"Expected columns {sorted(h['columns'])}; found {sorted(spectra.columns)}."
            )

        def put(name: str, values: ArrayLike) -> None:
            h[name].resize(stop, axis=0)
            h[name][start:stop] = values

        put("flux", spectra.flux)
        put("ivar", spectra.ivar)
        put("ids", np.array(spectra.ids, dtype=object))
        if spectra.labels is not None:
            put("labels", spectra.labels)
        for name, column in spectra.columns.items():
            text = column.dtype.kind in "UO"
            if not start:
                h["columns"].create_dataset(
                    name,
                    (0, *column.shape[1:]),
                    h5py.string_dtype() if text else column.dtype,
                    maxshape=(None, *column.shape[1:]),
                    chunks=True,
                )
            put(f"columns/{name}", column.astype(object) if text else column)
