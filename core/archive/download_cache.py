"""astropy's download cache (``astropy.utils.data``), as downloads use it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from .fits_check import is_complete
from .remote_file import RemoteFile

CACHE_NAME = "spectrabridge"
"""Name of the cache: ``astropy.utils.data`` functions find it by ``pkgname=CACHE_NAME``."""


def copy_from_cache(file: RemoteFile, path: Path) -> bool:
    """Return whether the cache has the complete file, and copy it to a path if so.

    Parameters
    ----------
    file : RemoteFile
        The file; its address is the key.
    path : Path
        Where the copy goes. A damaged file of the cache is removed from there.
    """
    from astropy.utils.data import clear_download_cache, download_file

    try:
        # Without sources astropy looks into its cache and contacts nobody.
        kept = download_file(file.url, cache=True, sources=[], pkgname=CACHE_NAME)
    except (KeyError, OSError):
        return False
    if not is_complete(Path(kept), file.name):
        clear_download_cache(file.url, pkgname=CACHE_NAME)
        return False
    shutil.copyfile(kept, path)
    return True


def keep_in_cache(file: RemoteFile, path: Path) -> None:
    """Put a copy of a file into the cache, if the cache can be written."""
    from astropy.utils.data import import_file_to_cache

    # A cache that cannot be written costs a later download, no more.
    with suppress(OSError):
        import_file_to_cache(file.url, str(path), pkgname=CACHE_NAME)
