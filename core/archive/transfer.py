"""The transfer of one file: attempts, each of which goes on where the one before stopped.

The transfer is not left to astropy's ``download_file``: that function starts over after
every interruption, while a file here grows as ``NAME.partial`` beside its final name and
goes on from its last byte (HTTP Range, RFC 9110 section 14).
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from io import FileIO
from pathlib import Path
from typing import Literal

from .address import certificates, host_of, through_proxy
from .download_cache import copy_from_cache, keep_in_cache
from .fits_check import fits_fault, is_complete, is_fits, starts_wrong, wrong_start
from .http_headers import content_range, length, modified
from .http_request import http_problem, opener_for, reason_of, request_from
from .partial_file import append_to, finish, locked
from .remote_file import (
    RefusedError,
    RemoteFile,
    Result,
    RetryError,
    StoppedError,
    UnreachableError,
)

MAX_PAUSE_SECONDS = 120.0
"""A server that asks for a longer pause is left alone for now."""

_READ_BYTES = 1 << 16
_BYTES_FOR_NEW_ATTEMPTS = 1 << 20  # in one attempt: a file that grows earns a new set of them
_UNREACHABLE_ERRNOS = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
}


@dataclass
class Transfers:
    """The transfers of one call: settings, and what their threads share.

    Parameters
    ----------
    folder : Path
        Where files go.
    retries : int
        Further attempts at a file.
    timeout : float
        Seconds without a byte after which an attempt ends.
    backoff : float
        Seconds before the first further attempt.
    cache : bool
        Whether astropy's download cache is asked and filled.
    """

    folder: Path
    retries: int
    timeout: float
    backoff: float
    cache: bool
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to end all transfers; what has arrived stays."""
    given_up: set[RemoteFile] = field(default_factory=set)
    """Files whose attempts were used up, so that the server may be at fault."""
    received: int = 0
    """Bytes from the server so far."""

    def __post_init__(self) -> None:
        self._answered = False
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._context = ssl.create_default_context(cafile=certificates())

    def fetch(self, file: RemoteFile) -> Result:
        """Make one file complete in the folder, and return what became of it."""
        path = self.folder / file.name
        if is_complete(path):
            return Result(file, path, "present", size=path.stat().st_size)
        try:
            with locked(path, self.timeout, self.stop) as partial:
                if is_complete(path):  # by another process, while this one waited
                    partial.unlink(missing_ok=True)
                    return Result(file, path, "present", size=path.stat().st_size)
                status: Literal["fetched", "cached"] = "cached"
                if not (self.cache and copy_from_cache(file, partial)):
                    status = "fetched"
                    with append_to(partial) as grows:
                        self._attempts(file, grows, partial)
                    if self.cache:
                        keep_in_cache(file, partial)
                return Result(file, path, status, size=finish(partial, path))
        except RefusedError as problem:
            return Result(file, path, "failed", str(problem))

    def _attempts(self, file: RemoteFile, grows: FileIO, partial: Path) -> None:
        """Fetch until the partial file is complete or the attempts are used up."""
        tried = 0
        while True:
            before = partial.stat().st_size
            try:
                self._attempt(file, grows, partial)
                return
            except RetryError as problem:
                if partial.stat().st_size >= before + _BYTES_FOR_NEW_ATTEMPTS:
                    tried = 0
                tried += 1
                if tried > self.retries:
                    self.given_up.add(file)
                    raise RefusedError(
                        f"{file.url} did not arrive in {tried} attempts; the last: {problem}."
                    ) from problem
                if problem.wait > MAX_PAUSE_SECONDS:
                    raise UnreachableError(
                        f"{host_of(file.url)} asks for a pause of {problem.wait:.0f} seconds. "
                        "Give the same command again after it."
                    ) from problem
                if problem.wait:
                    with self._lock:
                        until = time.monotonic() + problem.wait
                        self._not_before = max(self._not_before, until)
                self.stop.wait(min(self.backoff * 2 ** (tried - 1), MAX_PAUSE_SECONDS))
            except RefusedError:
                grows.truncate(0)
                raise

    def _attempt(self, file: RemoteFile, grows: FileIO, partial: Path) -> None:
        """Ask for the rest of a file once, append what comes, and check the whole."""
        while (wait := self._not_before - time.monotonic()) > 0 and not self.stop.wait(wait):
            pass
        self._require_going()
        _require_allowed(file.url)
        have = partial.stat().st_size
        written = partial.stat().st_mtime
        with self._response(file.url, have) as response:
            if response is None:  # the server has no byte beyond those that are here
                total: int | None = have
            else:
                total = length(response.headers)
                if have and response.status == 206:
                    start, total = content_range(response.headers)
                    if start != have or modified(response.headers) > written + 1:
                        grows.truncate(0)
                        raise RetryError("the file has changed on the server")
                elif have:  # no support for Range: everything comes again
                    grows.truncate(0)
                    have = 0
                have += self._append(response, file, grows, have)
        if total is not None and have < total:
            raise RetryError(f"the connection ended after {have} of {total} bytes")
        fault = fits_fault(partial) if is_fits(file.name) else ""
        if fault and total is None:
            raise RetryError(fault)  # its length was not given, so it may have been cut
        if fault:
            raise RefusedError(f"{file.url} is not usable: {fault}.")

    @contextmanager
    def _response(self, url: str, have: int) -> Iterator[HTTPResponse | None]:
        """Send one request and yield the answer; None stands for "that is all there is"."""
        try:
            opener = opener_for(url, self._context)
            response = opener.open(request_from(url, have), timeout=self.timeout)
        except urllib.error.HTTPError as problem:
            self._answered = True
            with problem:
                if problem.code == 416 and content_range(problem.headers)[1] == have:
                    yield None
                    return
                raise http_problem(url, problem.code, problem.headers) from problem
        except urllib.error.URLError as problem:
            self._raise_unless_passing(url, problem.reason)
            raise RetryError(reason_of(problem.reason)) from problem
        except TimeoutError as problem:
            self._answered = True  # it took the connection
            raise RetryError(f"no answer for {self.timeout:g} seconds") from problem
        except (OSError, HTTPException) as problem:
            self._answered = True
            raise RetryError(reason_of(problem)) from problem
        self._answered = True
        with response:
            yield response

    def _append(self, response: HTTPResponse, file: RemoteFile, grows: FileIO, have: int) -> int:
        """Write what the server sends to the end of a file; return the bytes."""
        n = 0
        while True:
            self._require_going()
            try:
                block = response.read1(_READ_BYTES)
            except TimeoutError as problem:
                raise RetryError(f"no byte for {self.timeout:g} seconds") from problem
            except (OSError, HTTPException) as problem:
                raise RetryError(reason_of(problem)) from problem
            if not block:
                return n
            if not have and not n and is_fits(file.name) and starts_wrong(block):
                html = response.headers.get_content_type() == "text/html"
                raise RefusedError(f"{file.url} is not usable: {wrong_start(block, html)}.")
            while block:  # unbuffered files may take less than they are given
                taken = grows.write(block)
                n += taken
                block = block[taken:]
                with self._lock:
                    self.received += taken

    def _raise_unless_passing(self, url: str, reason: object) -> None:
        """Raise an UnreachableError where a further attempt has no chance."""
        host = host_of(url)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise UnreachableError(
                f"The certificate of {host} could not be verified ({reason.verify_message}). Set "
                "SSL_CERT_FILE to the certificates that your network needs."
            )
        away = isinstance(reason, socket.gaierror | ConnectionRefusedError | TimeoutError) or (
            isinstance(reason, OSError) and reason.errno in _UNREACHABLE_ERRNOS
        )
        # Once the server has answered, a lost connection may come back.
        if away and not self._answered:
            raise UnreachableError(
                f"{host} could not be reached{through_proxy(url)} ({reason_of(reason)}). Connect "
                "this machine to the network and give the same command again."
            )

    def _require_going(self) -> None:
        if self.stop.is_set():
            raise StoppedError


def _require_allowed(url: str) -> None:
    """Raise an UnreachableError where astropy is told to stay off the network."""
    from astropy.utils.data import conf

    if not conf.allow_internet:
        raise UnreachableError(
            f"{host_of(url)} was not contacted: allow_internet is off in the configuration of "
            "astropy (astropy.cfg). Switch it on and give the same command again."
        )
