"""What the first screen waits for."""

import subprocess
import sys

LATER = ("astropy.io.fits", "astropy.table", "asdf", "datashader", "holoviews", "numba", "pandas")
"""Loaded by the pages and files that need them: a second of imports and more."""

START = """
import sys
from spectrabridge.apps.explorer import build
build().__panel__()
print(*[name for name in sys.argv[1:] if name in sys.modules])
"""


def test_the_first_screen_loads_nothing_that_only_other_pages_need():
    done = subprocess.run(
        [sys.executable, "-c", START, *LATER], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
