"""Where a user's own bundles and vetting files lie."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from .errors import HomeError


def user_data_folder(name: str) -> Path:
    """Return a folder for a user's own data; it need not exist.

    Parameters
    ----------
    name : str
        What is kept there, such as ``bundles``.

    Raises
    ------
    HomeError
        If the user has no home directory, as in some containers.
    """
    try:
        return Path(platformdirs.user_data_dir("spectrabridge")) / name
    except RuntimeError as problem:
        raise no_home() from problem


def require_home() -> None:
    """Raise a HomeError if the user has no home directory: astropy cannot be imported then."""
    try:
        Path.home()
    except RuntimeError as problem:
        raise no_home() from problem


def no_home() -> HomeError:
    """Return the error that says what to do."""
    return HomeError(
        "Expected a home directory, for settings and your own bundles; there is none for this "
        "user and HOME is not set. Set HOME to a folder that you may write to."
    )
