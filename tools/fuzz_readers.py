"""The readers that are fuzzed: small whole files of each kind, and the call that reads them."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import io
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_mutations as damage
import numpy as np
from astropy.io import fits
from astropy.table import Table

from spectrabridge.core.bundle import Bundle, read_bundle

ROOT = Path(__file__).resolve().parents[1]
BUNDLE = ROOT / "tests" / "data" / "written_by_0_1" / "bundle"
DAMAGE_NPZ = damage.damage_zip({".npy": damage.damage_npy})
DAMAGE_BUNDLE = damage.damage_zip(
    {".json": damage.damage_json, ".safetensors": damage.damage_safetensors}
)
DAMAGE_STORE = damage.damage_zip({"": damage.damage_text}, container=True)
DAMAGE_FOLDER = damage.damage_zip(
    {".json": damage.damage_json, ".safetensors": damage.damage_safetensors}, container=True
)


@dataclass(frozen=True)
class Reader:
    """A reader, and what it is given.

    Parameters
    ----------
    seeds : callable
        Return whole files: names and contents.
    read : callable
        Read a damaged file, given its path, alone in its folder.
    mutation : callable
        Damage a content.
    """

    seeds: Callable[[], list[tuple[str, bytes]]]
    read: Callable[[Path], object]
    mutation: damage.Mutation


def built_by(test: str) -> Any:
    """Return a module of the tests, for the small files that it builds."""
    path = ROOT / "tests" / "core" / f"{test}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(write: Callable[[Path], object], name: str) -> bytes:
    """Return the bytes that a function writes to a path."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, name))
        return Path(folder, name).read_bytes()


def table_bytes(table: Table, kind: str) -> bytes:
    """Return a table in a format of astropy."""
    out: Any = io.BytesIO() if kind == "fits" else io.StringIO()
    if kind == "votable":
        return written(lambda path: table.write(path, format="votable"), "t.vot")
    table.write(out, format=kind)
    content = out.getvalue()
    return content if isinstance(content, bytes) else content.encode()


def npz(**arrays: Any) -> bytes:
    """Return an npz file of arrays."""
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def hdf5(**datasets: Any) -> bytes:
    """Return an HDF5 file of datasets."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for name, values in datasets.items():
            file[name.replace("__", " ")] = values
        if "labels" in datasets:
            file["labels"].attrs["names"] = ["teff", "logg", "Fe"]
    return out.getvalue()


# ---------------------------------------------------------------------- whole files

WAVELENGTH = np.linspace(15150.0, 16900.0, 300)
FINE = np.linspace(15090.0, 17010.0, 600)
MARCS = """p4500_g+2.0_m0.0_t02_st_z+0.00_a+0.00
  4500.      Teff [K].         Last iteration; yyyymmdd=20080101
  5.6700E+07 Flux [erg/cm2/s]
  1.0000E+02 Surface gravity [cm/s2]
  2.0        Microturbulence parameter [km/s]
  0.0        No mass for plane-parallel models
 +0.00 +0.00 Metallicity [Fe/H] and [alpha/Fe]
  1.0000E+00 1 cm radius for plane-parallel models
   5 Number of depth points
Model structure
 k lgTauR  lgTau5    Depth     T        Pe          Pg         Prad       Pturb
  1 -5.00 -4.9 -1.0E+08  2900.0  1.0E-04  1.0E+01  1.0E+00  0.0E+00
  2 -4.80 -4.8 -1.0E+08  2950.0  1.2E-04  1.3E+01  1.0E+00  0.0E+00
  3 -4.60 -4.7 -1.0E+08  3000.0  1.5E-04  1.7E+01  1.0E+00  0.0E+00
  4 -4.40 -4.6 -1.0E+08  3050.0  1.9E-04  2.1E+01  1.0E+00  0.0E+00
  5 -4.20 -4.5 -1.0E+08  3100.0  2.3E-04  2.6E+01  1.0E+00  0.0E+00
 k lgTauR    KappaRoss   Density   Mu      Vconv   Fconv/F      RHOX
  1 -5.00  1.0E-04  5.0E-11 1.26  0.0E+00 0.00  1.0E-01
  2 -4.80  1.1E-04  6.0E-11 1.26  0.0E+00 0.00  1.3E-01
  3 -4.60  1.2E-04  7.0E-11 1.26  0.0E+00 0.00  1.7E-01
  4 -4.40  1.3E-04  8.0E-11 1.26  0.0E+00 0.00  2.1E-01
  5 -4.20  1.4E-04  9.0E-11 1.26  0.0E+00 0.00  2.6E-01
"""
ATLAS = """TEFF   4500.  GRAVITY 2.00000 LTE
TITLE x
ABUNDANCE SCALE   1.00000 ABUNDANCE CHANGE 1 0.92 2 0.08
READ DECK6  5 RHOX,T,P,XNE,ABROSS
 1.0E-01 2900.0 1.0E+01 1.0E+09 1.0E-04
 1.3E-01 2950.0 1.3E+01 1.2E+09 1.0E-04
 1.7E-01 3000.0 1.7E+01 1.4E+09 1.0E-04
 2.1E-01 3050.0 2.1E+01 1.6E+09 1.0E-04
 2.6E-01 3100.0 2.6E+01 1.9E+09 1.0E-04
"""
KRZ = """MODEL [0.0] VTURB 2
T EFF=4500. GRAV= 2.00 MODEL TYPE= 0 WLSTD= 5000
 0.911 0.089
 1.0E-01,2900.0,1.0E+09,1.0E+13,5.0E-11,
 1.3E-01,2950.0,1.2E+09,1.3E+13,6.0E-11,
 1.7E-01,3000.0,1.4E+09,1.7E+13,7.0E-11,
 2.1E-01,3050.0,1.6E+09,2.1E+13,8.0E-11,
 2.6E-01,3100.0,1.9E+09,2.6E+13,9.0E-11,
"""
LINEMAKE = """15200.123     26.0    5.61  -1.23   7.0
15200.5  607.01214  1.2 -2.1   5.9
 15201.5  8.0  10.7 -1.9
"""
SPECTRUM_FILE = "p4500_g+2.0_m0.0_t01_st_z{}_a+0.10.spec"


def star_table() -> Table:
    """Return a spectrum as a table with errors and a mask."""
    flux = 1 - 0.2 * np.exp(-(((WAVELENGTH - 15700) / 5) ** 2))
    columns = {"wavelength": WAVELENGTH, "flux": flux, "error": np.full(300, 0.01)}
    return Table(columns | {"mask": np.zeros(300, int)}, meta={"medium": "vacuum"})


def label_table(n: int = 2) -> Table:
    """Return labels of two files, as grids of spectra have them."""
    return Table(
        {
            "file": [SPECTRUM_FILE.format(z) for z in ("-0.50", "+0.00")][:n],
            "teff": [4500.0, 4600.0][:n],
            "logg": [2.0, 2.2][:n],
            "fe_h": [-0.5, 0.0][:n],
        }
    )


def apstar() -> list[tuple[str, bytes]]:
    """Return an apStar file, plain and compressed."""
    module = built_by("io/test_apstar")
    arrays = module.arrays(1)
    content = written(lambda path: module.write(path, *arrays, {"VHELIO": -12.5}), "a.fits")
    return [("a.fits", content), ("a.fits.gz", gzip.compress(content, 1))]


def fits_images() -> list[tuple[str, bytes]]:
    """Return a spectrum as a FITS image with errors and flags, in even steps and in logarithms."""
    module = built_by("io/test_fits_image")
    even = {"CTYPE1": "AWAV", "CUNIT1": "nm", "CRVAL1": 1510.0, "CDELT1": 0.02, "OBJECT": "star"}
    log = {"DC-FLAG": 1, "CTYPE1": "LINEAR", "CRVAL1": 4.17898, "CD1_1": 5.5e-6}
    beside = {"ERRS": np.full(module.N, 0.01, "f4"), "QUAL": np.zeros(module.N, "i2")}
    return [
        ("even.fits", module.image(module.STEPS, even, **beside)),
        ("log.fits", module.image(module.STEPS, log)),
    ]


def tables() -> list[tuple[str, bytes]]:
    """Return a spectrum as text tables."""
    kinds = {"t.ecsv": "ascii.ecsv", "t.csv": "ascii.csv", "t.txt": "ascii.basic"}
    return [(name, table_bytes(star_table(), kind)) for name, kind in kinds.items()]


def line_lists(kind: str) -> list[tuple[str, bytes]]:
    """Return a few lines of each species as a line list of a code."""
    from spectrabridge.core.linelist import (
        moog_text,
        shipped_lines,
        turbospectrum_text,
        vald_text,
    )

    lines = shipped_lines()
    keep = np.zeros(len(lines), bool)
    for name in lines.species_names:
        keep[np.flatnonzero(lines.species == name)[:3]] = True
    some = lines.select(keep & (lines.species != "H 1"))
    write = {"vald": vald_text, "moog": moog_text, "turbospectrum": turbospectrum_text}[kind]
    return [(f"l.{kind}", write(some).text.encode())]


def spectra_file() -> list[tuple[str, bytes]]:
    """Return an HDF5 file of spectra as spectrabridge writes it."""
    spectra = built_by("io/test_spectra_store").spectra(3)
    return [("s.h5", written(spectra.save, "s.h5"))]


def spectra_store() -> list[tuple[str, bytes]]:
    """Return a zarr store of spectra, packed: what is damaged is one of its files."""
    module = built_by("io/test_spectra_store")
    spectra = module.spectra(3)
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        module.SpectraStore.create(Path(folder, "s.zarr"), spectra, chunk=4).append(spectra)
        with zipfile.ZipFile(out, "w") as file:
            for path in sorted(Path(folder, "s.zarr").rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(folder).as_posix())
    return [("s.zarr.zip", out.getvalue())]


def vetting_file() -> list[tuple[str, bytes]]:
    """Return the vetting file that 0.1 wrote."""
    return kept("vetting.sqlite")()


def bundle_zip() -> list[tuple[str, bytes]]:
    """Return a bundle as a zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for path in sorted(BUNDLE.iterdir()):
            file.write(path, path.name)
    return [("b.zip", out.getvalue())]


@cache
def small_bundle() -> Bundle:
    """Return the small bundle that 0.1 wrote, opened."""
    return read_bundle(BUNDLE)


def emulator_zip() -> list[tuple[str, bytes]]:
    """Return the folder of an emulator, packed."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(out, "w") as file:
        small_bundle().model.complete_emulator.save(Path(folder, "e"))
        for path in sorted(Path(folder, "e").iterdir()):
            file.write(path, path.name)
    return [("e.zip", out.getvalue())]


# ---------------------------------------------------------------------- calls


def read_dropped(path: Path) -> None:
    """Read a star as a page does that a file was dropped on."""
    from spectrabridge.core.io.star_file import read_star

    read_star(path.read_bytes(), path.name)


def read_set(path: Path) -> None:
    """Read a star from a file on the disk, and rows of a set of spectra."""
    from spectrabridge.core.io.spectra_store import open_set
    from spectrabridge.core.io.star_file import read_star

    read_star(path)
    with open_set(path) as spectra:
        spectra[0 : min(2, len(spectra))]


def unpacked_into(path: Path) -> Path:
    """Unpack a damaged archive of ours beside it; members keep to their folder."""
    folder = path.with_suffix("")
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            if ".." not in name and not name.startswith("/"):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.is_dir():
                    target.write_bytes(file.read(name))
    return folder


def read_store(path: Path) -> None:
    """Read a zarr store."""
    folder = unpacked_into(path)
    read_set(folder / "s.zarr" if (folder / "s.zarr").exists() else folder)


def read_grid_of(format: str, **constants: float) -> Callable[[Path], object]:
    """Return a call that imports a grid of one file."""

    def read(path: Path) -> None:
        from spectrabridge.core.grid_import import ImportSettings, import_grid

        import_grid(path, format, ImportSettings(own_pixels=True, constants=constants))

    return read


def read_text_grid(path: Path) -> None:
    """Import a folder of two spectra as text, one of them damaged."""
    from spectrabridge.core.grid_import import ImportSettings, import_grid

    path.with_name(SPECTRUM_FILE.format("+0.00")).write_bytes(text_spectrum())
    import_grid(path.parent, "turbospectrum", ImportSettings(own_pixels=True))


def read_whole_bundle(path: Path) -> None:
    """Open a bundle and compute with everything in it."""
    from spectrabridge.core.lines.attached import candidates_of

    bundle = read_bundle(path)
    bundle.model.adapt(bundle.model.reference)
    _ = bundle.sample, bundle.experiment, bundle.metrics, candidates_of(bundle)


def read_bundle_json(path: Path) -> None:
    """Open a bundle whose bundle.json is damaged."""
    folder = path.parent / "b"
    shutil.copytree(BUNDLE, folder)
    path.replace(folder / "bundle.json")
    read_whole_bundle(folder)


def read_emulator(path: Path) -> None:
    """Load the folder of an emulator."""
    from spectrabridge.core.emulator import Emulator

    Emulator.load(unpacked_into(path))


def read_candidates(path: Path) -> None:
    """Read a table of candidates, and what is derived from its rows."""
    from spectrabridge.core.lines import Candidates

    Candidates.loads(path.read_bytes()).table()


def read_vetting(path: Path) -> None:
    """Open a vetting file and ask for all that is in it."""
    from spectrabridge.core.lines import Candidates
    from spectrabridge.core.vetting import open_vetting

    candidates = Candidates.loads((BUNDLE / "candidates.json.gz").read_bytes())
    with open_vetting(path, candidates, read_only=True) as vetting:
        list(vetting.everything())
        vetting.decisions()


def read_map(path: Path) -> None:
    """Read a map of stars."""
    from spectrabridge.core.bundle import open_bundle
    from spectrabridge.core.embedding.storage import read_embedding

    read_embedding(path.read_bytes(), open_bundle("mock-lines"))


def read_link(path: Path) -> None:
    """Read the address of a view."""
    from spectrabridge.explorer.share.url import parse

    parse(path.read_bytes().decode("utf-8", "replace"))


def text_spectrum() -> bytes:
    """Return a spectrum as Turbospectrum writes it."""
    flux = 1 - 0.3 * np.exp(-(((FINE - 16000) / 8) ** 2))
    rows = zip(FINE, flux, flux, strict=True)
    return "\n".join(" ".join(f"{v:.6E}" for v in row) for row in rows).encode()


def payne_grid() -> list[tuple[str, bytes]]:
    """Return a grid as The Payne's scripts write it."""
    flux = np.array([1 - d * np.exp(-(((FINE - 16000) / 8) ** 2)) for d in (0.2, 0.3)])
    labels = np.array([[4500, 2.0, 0.0], [4600, 2.2, 0.1]])
    names = np.array(["teff", "logg", "Fe"])
    return [("g.npz", npz(flux=flux, labels=labels, label_names=names, wavelength=FINE))]


def column_grids() -> list[tuple[str, bytes]]:
    """Return a grid in columns: HDF5, ECSV, FITS."""
    flux = np.array([1 - d * np.exp(-(((FINE - 16000) / 8) ** 2)) for d in (0.2, 0.3)])
    table = label_table()[["teff", "logg", "fe_h"]]
    table["flux"] = flux[:, ::6]
    table.meta.update({"wavelength": FINE[::6].tolist(), "wavelength_unit": "angstrom vacuum"})
    grid = hdf5(wavelength=FINE, flux=flux, labels=np.array([[4500, 2.0, -0.2], [4600, 2.2, 0.0]]))
    return [("g.h5", grid), ("g.ecsv", table_bytes(table, "ascii.ecsv"))]


def cube() -> list[tuple[str, bytes]]:
    """Return a FITS cube of spectra on two axes of labels."""
    hdu = fits.PrimaryHDU(np.ones((2, 2, 400), "f4"))
    axes = [("LOG10(WAVELENGTH)", 4.179, 1.3e-4), ("TEFF", 4000.0, 250.0), ("LOGG", 1.0, 0.5)]
    for i, (name, first, step) in enumerate(axes, 1):
        hdu.header[f"CTYPE{i}"] = name
        hdu.header[f"CRVAL{i}"] = first
        hdu.header[f"CDELT{i}"] = step
    return [("c.fits", written(hdu.writeto, "c.fits"))]


def damage_by_content(rng: random.Random, content: bytes) -> bytes:
    """Damage FITS, HDF5 and gzip files as such, and all else as text."""
    if content.startswith(b"SIMPLE"):
        return damage.damage_fits(rng, content)
    if content.startswith(b"\x89HDF"):
        return damage.damage_hdf5(rng, content)
    if content.startswith(b"\x1f\x8b"):
        return damage.damage_gzip(damage_by_content)(rng, content)
    return damage.damage_text(rng, content)


def call(module: str, function: str) -> Callable[[Path], object]:
    """Return a function of the package, imported when it is first used."""
    return lambda path: getattr(importlib.import_module(f"spectrabridge.core.{module}"), function)(
        path
    )


def text(name: str, content: str) -> Callable[[], list[tuple[str, bytes]]]:
    """Return seeds of one text file."""
    return lambda: [(name, content.encode())]


def kept(pattern: str) -> Callable[[], list[tuple[str, bytes]]]:
    """Return files of what 0.1 wrote as seeds."""
    return lambda: [(p.name, p.read_bytes()) for p in sorted(BUNDLE.parent.glob(pattern))]


def shipped(name: str) -> Callable[[], list[tuple[str, bytes]]]:
    """Return a file of core/ as a seed."""
    return lambda: [(Path(name).name, (ROOT / "core" / name).read_bytes())]


def allstar() -> list[tuple[str, bytes]]:
    """Return a catalogue as FITS, CSV and ECSV."""
    module = built_by("io/test_allstar")
    rows = {"APOGEE_ID": ["2M1", "2M2"], "TEFF": [4700.0, 4500.0], "LOGG": [2.5, 2.0]}
    table = Table(rows | {"FE_H": [0.1, np.nan], "SNR": [100.0, 50.0]})
    return [
        ("allStar.fits", written(lambda path: module.write(path, module.dr17()), "a.fits")),
        ("c.csv", table_bytes(table, "ascii.csv")),
        ("c.ecsv", table_bytes(table, "ascii.ecsv")),
    ]


def csn() -> list[tuple[str, bytes]]:
    """Return a file of spectra as Cycle-StarNet's scripts write it."""
    module = built_by("io/test_csn")
    module.SIZES = {"train": 2, "valid": 1}
    return [("c.h5", hdf5(**{k.replace(" ", "__"): v for k, v in module.content().items()}))]


def star_npz() -> list[tuple[str, bytes]]:
    """Return spectra as npz files: on APOGEE's pixels, and with wavelengths."""
    pixels = np.ones((2, 7214), "f4")
    on_chips = npz(spectra=pixels, spec_err=pixels / 100, ids=np.array(["a", "b"]))
    flux = np.ones((1, 300))
    return [
        ("p.npz", on_chips),
        ("w.npz", npz(flux=flux, wavelength=WAVELENGTH, ivar=flux, mask=np.zeros((1, 300), int))),
    ]


def training_grid() -> list[tuple[str, bytes]]:
    """Return a synthetic grid of the data pack's layout."""
    content = built_by("io/test_grid").content(2)
    return [("g.npz", npz(**content))]


def session_tables() -> list[tuple[str, bytes]]:
    """Return decisions of another session as tables."""
    table = Table({"wavelength": [15200.2, 15300.5], "status": ["accepted", "rejected"]})
    table["comment"] = ["é <b>", ""]
    table.meta.update({"medium": "vacuum", "vetter": "ana"})
    return [
        ("d.ecsv", table_bytes(table, "ascii.ecsv")),
        ("d.vot", table_bytes(table, "votable")),
    ]


def file_labels() -> list[tuple[str, bytes]]:
    """Return labels of the files of a grid."""
    kinds = {"l.ecsv": "ascii.ecsv", "l.csv": "ascii.csv", "l.fits": "fits", "l.vot": "votable"}
    return [(name, table_bytes(label_table(), kind)) for name, kind in kinds.items()]


def read_file_labels(path: Path) -> None:
    """Read the labels of the files of a grid."""
    from spectrabridge.core.grid_import.file_labels import labels_of_files

    files = [path.with_name(str(name)) for name in label_table()["file"]]
    labels_of_files(files, path.parent, path)


def read_decisions(path: Path) -> None:
    """Read decisions of another session."""
    from spectrabridge.core.vetting.previous_session import read_session

    read_session(path, unit="angstrom", medium="vacuum", vetter="ana")


def read_catalogue(path: Path) -> None:
    """Choose stars of a catalogue, as fetch-apogee does."""
    from spectrabridge.core.archive.catalogue import find_stars

    find_stars(path, query="teff<5000")


def fits_only(seeds: Callable[[], list[tuple[str, bytes]]]) -> Callable[[], list[Any]]:
    """Return the seeds that are FITS files."""
    return lambda: [seed for seed in seeds() if seed[0].endswith(".fits")]


def star_of(test: str, *arrays: str) -> Callable[[], list[tuple[str, bytes]]]:
    """Return a FITS file that a test's `content` builds, of what its `arrays` gives."""

    def seeds() -> list[tuple[str, bytes]]:
        module = built_by(test)
        given = [getattr(module, name)() for name in arrays]
        return [("s.fits", module.content(*given))]

    return seeds


def fits_tables() -> list[tuple[str, bytes]]:
    """Return a spectrum as FITS tables."""
    return [("t.fits", table_bytes(star_table(), "fits"))]


FITS, TEXT, ST = damage.damage_fits, damage.damage_text, damage.damage_safetensors
JSON_GZ = damage.damage_gzip(damage.damage_json)

READERS: dict[str, Reader] = {
    "apStar": Reader(apstar, read_dropped, damage_by_content),
    "apVisit": Reader(star_of("io/test_apvisit", "arrays"), read_dropped, FITS),
    "aspcapStar": Reader(star_of("io/test_aspcapstar"), read_dropped, FITS),
    "spectrum, FITS table": Reader(fits_tables, read_dropped, FITS),
    "spectrum, FITS image": Reader(fits_images, read_dropped, FITS),
    "spectrum, text table": Reader(tables, read_dropped, TEXT),
    "spectra, npz": Reader(star_npz, read_dropped, DAMAGE_NPZ),
    "spectra, HDF5, dropped": Reader(spectra_file, read_dropped, damage.damage_hdf5),
    "spectra, HDF5, rows": Reader(spectra_file, read_set, damage.damage_hdf5),
    "spectra, zarr": Reader(spectra_store, read_store, DAMAGE_STORE),
    "csn HDF5": Reader(csn, call("io.csn", "read_csn"), damage.damage_hdf5),
    "allStar": Reader(allstar, call("io.allstar", "read_allstar"), damage_by_content),
    "allStar, query": Reader(fits_only(allstar), read_catalogue, FITS),
    "training grid": Reader(training_grid, call("io.grid", "read_grid"), DAMAGE_NPZ),
    "grid, payne": Reader(payne_grid, read_grid_of("payne"), DAMAGE_NPZ),
    "grid, columns": Reader(column_grids, read_grid_of("columns"), damage_by_content),
    "grid, FITS cube": Reader(cube, read_grid_of("fits-cube", Fe=0.0), FITS),
    "grid, text folder": Reader(
        lambda: [(SPECTRUM_FILE.format("-0.50"), text_spectrum())], read_text_grid, TEXT
    ),
    "grid, labels of files": Reader(file_labels, read_file_labels, damage_by_content),
    "line list, VALD": Reader(
        lambda: line_lists("vald"), call("linelist.read", "read_lines"), TEXT
    ),
    "line list, MOOG": Reader(
        lambda: line_lists("moog"), call("linelist.read", "read_lines"), TEXT
    ),
    "line list, Turbospectrum": Reader(
        lambda: line_lists("turbospectrum"), call("linelist.read", "read_lines"), TEXT
    ),
    "line list, linemake": Reader(
        text("l.txt", LINEMAKE), call("linelist.read", "read_lines"), TEXT
    ),
    "atmosphere, MARCS": Reader(
        text("a.mod", MARCS), call("atmosphere.files", "read_atmosphere"), TEXT
    ),
    "atmosphere, ATLAS": Reader(
        text("a.dat", ATLAS), call("atmosphere.files", "read_atmosphere"), TEXT
    ),
    "atmosphere, krz": Reader(
        text("a.krz", KRZ), call("atmosphere.files", "read_atmosphere"), TEXT
    ),
    "bundle.json": Reader(kept("bundle/bundle.json"), read_bundle_json, damage.damage_json),
    "bundle, zip": Reader(bundle_zip, read_whole_bundle, DAMAGE_BUNDLE),
    "emulator folder": Reader(emulator_zip, read_emulator, DAMAGE_FOLDER),
    "candidates": Reader(kept("bundle/candidates.json.gz"), read_candidates, JSON_GZ),
    "checkpoint": Reader(
        kept("training.checkpoint.safetensors"),
        call("adaptation.checkpoint", "read_checkpoint"),
        ST,
    ),
    "embedding": Reader(shipped("bundles/mock-lines/embedding.safetensors"), read_map, ST),
    "vetting file": Reader(vetting_file, read_vetting, damage.damage_bytes),
    "decisions, table": Reader(session_tables, read_decisions, TEXT),
    "link": Reader(kept("link.txt"), read_link, damage.damage_bytes),
}
"""Every reader of files that people bring, by its name in the table."""
