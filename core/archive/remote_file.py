"""Files on a server, what becomes of each, and how an attempt at one may end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import DownloadError


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server.

    Parameters
    ----------
    url : str
        Its address; https, or http on this machine.
    name : str
        What to call it here, without a folder.
    """

    url: str
    name: str


@dataclass(frozen=True)
class Result:
    """What became of one file.

    Parameters
    ----------
    file : RemoteFile
        The file.
    path : Path
        Where it is, or would be.
    status : str
        ``fetched`` from the server, ``cached`` (copied from astropy's cache),
        ``present`` (was there already), ``failed``, or ``skipped`` (not tried).
    reason : str
        Why it failed, one sentence; empty if it did not.
    size : int
        Bytes of the complete file; 0 without one.
    """

    file: RemoteFile
    path: Path
    status: Literal["fetched", "cached", "present", "failed", "skipped"]
    reason: str = ""
    size: int = 0

    @property
    def ok(self) -> bool:
        """Whether the complete file is at `path`."""
        return self.status in ("fetched", "cached", "present")


class UnreachableError(DownloadError):
    """The server cannot be reached or does not serve; nothing more was tried.

    Parameters
    ----------
    message : str
        Which server, why, and what to do.
    results : list of Result, optional
        One per file that was asked for; those not tried are ``skipped``.
    """

    def __init__(self, message: str, results: list[Result] | None = None):
        super().__init__(message)
        self.results = results or []


class RetryError(Exception):
    """One attempt failed, the next may not; `wait` is what the server asked for."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class RefusedError(Exception):
    """A file cannot be had: another attempt would end in the same way."""


class StoppedError(Exception):
    """Another thread has asked all of them to stop."""
