"""Fixtures and rules that all tests share."""

from __future__ import annotations

import os

# One thread everywhere, before torch starts its own: results do not depend on the machine, and the
# timings of one test do not depend on what runs beside it.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import io
import signal
import threading
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A shell that runs the tests in the background makes them ignore Ctrl-C, and so would the programs
# that tests start and interrupt.
_main = threading.current_thread() is threading.main_thread()
if _main and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the repository, which is also the package."""
    return ROOT


@pytest.fixture(scope="session")
def tests_data() -> Path:
    """Small files that belong to the tests, with their provenance in a README."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def data_file() -> Callable[[str], Path]:
    """Give a file of the data pack by its path inside the pack; skip the test if it is absent.

    The pack is not part of the repository. It is looked for in the folder that SPECTRABRIDGE_DATA
    names, else in ``shared/data`` beside the repository.
    """
    pack = Path(os.environ.get("SPECTRABRIDGE_DATA") or ROOT.parent / "shared" / "data")

    def find(name: str) -> Path:
        path = pack / name
        if not path.exists():
            pytest.skip(f"needs {name} of the data pack, which may not be shipped with the tests")
        return path

    return find


HOSTILE_TEXTS = (
    '\u00c5ngstr\u00f6m "1".fits',
    "a tab\t, a line\nand \\n",
    "x" * 200,
    " \u661f ",
    "",
)
"""Texts of which each breaks a row in one format of tables or another."""


@pytest.fixture(scope="session")
def hostile_texts() -> tuple[str, ...]:
    """Texts that every table must bring back as they were."""
    return HOSTILE_TEXTS


@pytest.fixture(scope="session")
def read_back() -> Callable[[bytes, str], Any]:
    """Read a table of spectrabridge in one of its formats, with all texts as they were typed."""
    from astropy.table import Table

    from spectrabridge.core.io.cell_text import unescape_columns
    from spectrabridge.core.io.table_formats import FORMATS

    def read(content: bytes, name: str) -> Any:
        kind = FORMATS[name].astropy
        source: Any = content.decode() if kind.startswith("ascii") else io.BytesIO(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # VOUnits would rather have nanometres
            table = Table.read(source, format=kind)
        if name == "FITS":
            table.convert_bytestring_to_unicode()
        return unescape_columns(table, [n for n in table.colnames if table[n].dtype.kind in "UO"])

    return read


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count a skipped browser test as a failure: without a browser nothing was tested."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("browser"):
        report.outcome = "failed"
        report.longrepr = (
            "A browser test must run, not be skipped. `make test` installs a browser; "
            f"`make quick` leaves these tests out. It was skipped with: {report.longrepr}"
        )
    return report
