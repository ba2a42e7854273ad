"""Fetch files over HTTPS: several at once, checked, and continued where they stopped.

What was fetched is kept in astropy's download cache (``astropy.utils.data``) and copied
from there when it is asked for again. The transfer itself is not left to astropy's
``download_file``: that function starts over after every interruption, while a file here
grows as ``NAME.partial`` beside its final name and goes on from its last byte (HTTP
Range, RFC 9110 section 14). A file gets its final name by one atomic rename, after its
size was compared with what the server announced and with what its own FITS headers say.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import ipaddress
import os
import queue
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from io import FileIO
from pathlib import Path
from typing import IO, Literal
from urllib.parse import urlsplit

from ..errors import DownloadError
from ..version import __version__

CACHE_NAME = "spectrabridge"
"""Name of the cache: ``astropy.utils.data`` functions find it by ``pkgname=CACHE_NAME``."""

MOST_CONNECTIONS = 4
"""Files fetched at the same time, whatever is asked for."""

LONGEST_WAIT = 120.0
"""Seconds; a server that asks for a longer pause is left alone for now."""

FAILURES_IN_A_ROW = 8
"""Files that may fail one after the other by the server's fault before the rest is left."""

FITS_BLOCK = 2880
"""Bytes; headers and data of FITS files fill whole blocks (FITS standard 4.0, 3.1)."""

_FITS = b"SIMPLE  ="
_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 16
_GAIN = 1 << 20  # bytes in one attempt that earn a file a new set of attempts
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}


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


Progress = Callable[[int, int, int], None]
"""Called with the files done, the files in all and the bytes received so far."""


class _RetryError(Exception):
    """One attempt failed, the next may not; `wait` is what the server asked for."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class _RefusedError(Exception):
    """A file cannot be had: another attempt would end in the same way."""


class _StoppedError(Exception):
    """Another thread has asked all of them to stop."""


def require_safe_url(url: str) -> None:
    """Raise a DownloadError unless an address is https, or http on this machine.

    Parameters
    ----------
    url : str
        The address of a file or a server.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise DownloadError(f"Expected an address such as https://data.sdss.org/sas; found {url}.")
    if parts.username or parts.password:
        raise DownloadError(f"Expected an address without user name and password for {host}.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_local(host)):
        raise DownloadError(
            f"Expected an address that starts with https://; found {url}. Plain http is for "
            "servers on this machine only."
        )


def check_fits(path: Path) -> None:
    """Raise a DownloadError unless a file is a complete FITS file.

    The file must start with SIMPLE, have a size in blocks of 2880 bytes and hold all the
    data that its headers announce (FITS standard 4.0, sections 3.1 and 4.4.1); only
    headers are read. A file compressed by gzip is unpacked, which checks its sum. A cut
    exactly between two HDUs cannot be seen in the file; the server's length tells it.

    Parameters
    ----------
    path : Path
        The file.
    """
    try:
        fault = _fault(path)
    except OSError as problem:
        raise DownloadError(f"{path} cannot be read: {problem.strerror}.") from problem
    if fault:
        raise DownloadError(f"{path} is no complete FITS file: {fault}. Fetch it again.")


def download(
    files: Iterable[RemoteFile],
    folder: str | Path,
    *,
    workers: int = MOST_CONNECTIONS,
    retries: int = 4,
    timeout: float = 30.0,
    backoff: float = 1.0,
    cache: bool = True,
    progress: Progress | None = None,
) -> list[Result]:
    """Fetch files into a folder; what is complete there is not fetched again.

    Ctrl-C or a kill at any moment leaves complete files and ``NAME.partial`` files; the
    same call goes on from there. Two processes may fetch into one folder.

    Parameters
    ----------
    files : iterable of RemoteFile
        What to fetch. Files called ``.fits`` or ``.fits.gz`` are checked by
        :func:`check_fits`, all by the length that the server gives.
    folder : path
        Where to; made if needed.
    workers : int, optional
        Files at a time, :data:`MOST_CONNECTIONS` at most.
    retries : int, optional
        Further attempts at a file after a server error, a cut connection or silence.
        Attempts are not counted while each brings another megabyte.
    timeout : float, optional
        Seconds without a byte after which an attempt ends.
    backoff : float, optional
        Seconds to wait before the first further attempt; doubled for each after it. A
        longer ``Retry-After`` of the server is honoured, by all workers.
    cache : bool, optional
        Look into astropy's download cache first, and keep there what was fetched.
    progress : callable, optional
        See :data:`Progress`; called in this thread, several times a second.

    Returns
    -------
    list of Result
        One per file, in order. A file that failed (not there, damaged, too many
        attempts) does not stop the others.

    Raises
    ------
    UnreachableError
        At once if the server cannot be reached, and when it stops serving; has results.
    DownloadError
        If an address or name is not fit, or the folder cannot be written.
    """
    wanted = list(dict.fromkeys(files))
    _require_names(wanted)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DownloadError(
            f"The folder {folder} cannot be made ({problem.strerror}). Choose another one."
        ) from problem
    run = _Run(folder, retries, timeout, backoff, cache)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for i in range(len(wanted)):
        waiting.put(i)
    done: queue.SimpleQueue[tuple[int, Result | BaseException]] = queue.SimpleQueue()

    def work() -> None:
        while not run.stop.is_set():
            try:
                i = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((i, run.fetch(wanted[i])))
            except _StoppedError:
                return
            except BaseException as problem:  # a thread that dies silently would hang the call
                # It ends the whole call: no thread may ask for another file meanwhile.
                run.stop.set()
                done.put((i, problem))
                return

    # Daemons, because a thread that waits for a silent server must not hold up Ctrl-C.
    n_workers = max(1, min(workers, MOST_CONNECTIONS, len(wanted)))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(n_workers)]
    for thread in threads:
        thread.start()
    results: dict[int, Result] = {}
    try:
        _collect(run, done, results, len(wanted), progress)
    except UnreachableError as problem:
        _stop(run, threads)
        while not done.empty():  # files that were finished meanwhile
            i, late = done.get()
            if isinstance(late, Result):
                results[i] = late
        problem.results = [
            results.get(i, Result(file, folder / file.name, "skipped", "not tried"))
            for i, file in enumerate(wanted)
        ]
        raise
    except BaseException:  # Ctrl-C too
        _stop(run, threads)
        raise
    return [results[i] for i in range(len(wanted))]


def _collect(
    run: _Run,
    done: queue.SimpleQueue[tuple[int, Result | BaseException]],
    results: dict[int, Result],
    n_files: int,
    progress: Progress | None,
) -> None:
    """Gather results until all are there; raise what ends the whole call."""
    in_a_row = 0
    while len(results) < n_files:
        try:
            i, result = done.get(timeout=0.1)
        except queue.Empty:
            result = None
        if isinstance(result, OSError):
            raise DownloadError(
                f"Writing to {run.folder} failed: {result.strerror or result}. Make room or "
                "choose another folder, then give the same command again."
            ) from result
        if isinstance(result, BaseException):
            raise result
        if result is not None:
            results[i] = result
            if result.status == "failed" and result.file in run.given_up:
                in_a_row += 1
            elif result.status in ("fetched", "failed"):  # the server gave an answer
                in_a_row = 0
            if in_a_row >= FAILURES_IN_A_ROW:
                raise UnreachableError(
                    f"{_host(result.file.url)} failed for {in_a_row} files one after the other; "
                    f"the last: {result.reason} Give the same command again later."
                )
        if progress is not None:
            progress(len(results), n_files, run.received)


def _stop(run: _Run, threads: list[threading.Thread]) -> None:
    run.stop.set()
    until = time.monotonic() + 1.0
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


class _Run:
    """One call of :func:`download`: settings, and what its threads share."""

    def __init__(self, folder: Path, retries: int, timeout: float, backoff: float, cache: bool):
        self.folder = folder
        self.retries = retries
        self.timeout = timeout
        self.backoff = backoff
        self.cache = cache
        self.stop = threading.Event()
        self.given_up: set[RemoteFile] = set()
        self.received = 0
        self._answered = False
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._context = ssl.create_default_context(cafile=_certificates())

    def fetch(self, file: RemoteFile) -> Result:
        """Make one file complete in the folder."""
        path = self.folder / file.name
        if _complete(path):
            return Result(file, path, "present", size=path.stat().st_size)
        partial = path.with_name(path.name + ".partial")
        try:
            with self._locked(partial) as grows:
                if _complete(path):  # by another process, while this one waited
                    partial.unlink()
                    return Result(file, path, "present", size=path.stat().st_size)
                status: Literal["fetched", "cached"] = "cached"
                if not self._from_cache(file, partial):
                    status = "fetched"
                    self._attempts(file, grows, partial)
                    self._into_cache(file, partial)
                os.fsync(grows.fileno())
                size = partial.stat().st_size
                partial.replace(path)
            return Result(file, path, status, size=size)
        except _RefusedError as problem:
            return Result(file, path, "failed", str(problem))

    @contextmanager
    def _locked(self, partial: Path) -> Iterator[FileIO]:
        """Open a partial file so that no other thread or process writes to it.

        An empty one is removed at the end: only bytes are worth keeping.
        """
        until = time.monotonic() + max(self.timeout, 1.0)
        while True:
            self._require_going()
            file = partial.open("a+b", buffering=0)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                if time.monotonic() > until:
                    raise _RefusedError(
                        f"{partial} is being written by another download; wait until it ends."
                    ) from None
                self.stop.wait(0.1)
                continue
            except OSError:
                pass  # a file system without locks: two downloads into it are the user's risk
            if _is_at(file, partial):
                break
            file.close()  # whoever had the lock has renamed the file meanwhile
        with file:
            try:
                yield file
            finally:
                if partial.exists() and not partial.stat().st_size:
                    partial.unlink()

    def _from_cache(self, file: RemoteFile, partial: Path) -> bool:
        """Copy a file from astropy's cache; return whether it was there and is complete."""
        if not self.cache:
            return False
        from astropy.utils.data import clear_download_cache, download_file

        try:
            # Without sources astropy looks into its cache and contacts nobody.
            kept = download_file(file.url, cache=True, sources=[], pkgname=CACHE_NAME)
        except (KeyError, OSError):
            return False
        if not _complete(Path(kept), file.name):
            clear_download_cache(file.url, pkgname=CACHE_NAME)
            return False
        shutil.copyfile(kept, partial)
        return True

    def _into_cache(self, file: RemoteFile, partial: Path) -> None:
        if not self.cache:
            return
        from astropy.utils.data import import_file_to_cache

        # A cache that cannot be written costs a later download, no more.
        with suppress(OSError):
            import_file_to_cache(file.url, str(partial), pkgname=CACHE_NAME)

    def _attempts(self, file: RemoteFile, grows: FileIO, partial: Path) -> None:
        """Fetch until the partial file is complete or the attempts are used up."""
        tried = 0
        while True:
            before = partial.stat().st_size
            try:
                self._attempt(file, grows, partial)
                return
            except _RetryError as problem:
                if partial.stat().st_size >= before + _GAIN:
                    tried = 0
                tried += 1
                if tried > self.retries:
                    self.given_up.add(file)
                    raise _RefusedError(
                        f"{file.url} did not arrive in {tried} attempts; the last: {problem}."
                    ) from problem
                if problem.wait > LONGEST_WAIT:
                    raise UnreachableError(
                        f"{_host(file.url)} asks for a pause of {problem.wait:.0f} seconds. Give "
                        "the same command again after it."
                    ) from problem
                if problem.wait:
                    with self._lock:
                        until = time.monotonic() + problem.wait
                        self._not_before = max(self._not_before, until)
                self.stop.wait(min(self.backoff * 2 ** (tried - 1), LONGEST_WAIT))
            except _RefusedError:
                grows.truncate(0)
                raise

    def _attempt(self, file: RemoteFile, grows: FileIO, partial: Path) -> None:
        """Ask for the rest of a file once, append what comes, and check the whole."""
        while (wait := self._not_before - time.monotonic()) > 0 and not self.stop.wait(wait):
            pass
        self._require_going()
        self._require_allowed(file.url)
        have = partial.stat().st_size
        written = partial.stat().st_mtime
        with self._open(file.url, have) as response:
            if response is None:  # the server has no byte beyond those that are here
                total: int | None = have
            else:
                total = _length(response.headers)
                if have and response.status == 206:
                    start, total = _content_range(response.headers)
                    if start != have or _modified(response.headers) > written + 1:
                        grows.truncate(0)
                        raise _RetryError("the file has changed on the server")
                elif have:  # no support for Range: everything comes again
                    grows.truncate(0)
                    have = 0
                have += self._append(response, file, grows, have)
        if total is not None and have < total:
            raise _RetryError(f"the connection ended after {have} of {total} bytes")
        fault = _fault(partial) if _is_fits(file.name) else ""
        if fault and total is None:
            raise _RetryError(fault)  # its length was not given, so it may have been cut
        if fault:
            raise _RefusedError(f"{file.url} is not usable: {fault}.")

    @contextmanager
    def _open(self, url: str, have: int) -> Iterator[HTTPResponse | None]:
        """Send one request; None stands for "that is all there is"."""
        headers = {"User-Agent": f"spectrabridge/{__version__}", "Accept": "*/*"}
        if have:
            headers["Range"] = f"bytes={have}-"
        request = urllib.request.Request(url, headers=headers)
        handlers: list[urllib.request.BaseHandler] = [
            urllib.request.HTTPSHandler(context=self._context),
            _SafeRedirects(),
        ]
        if _is_local(urlsplit(url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach it
        opener = urllib.request.build_opener(*handlers)
        try:
            response = opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as problem:
            self._answered = True
            with problem:
                if problem.code == 416 and _content_range(problem.headers)[1] == have:
                    yield None
                    return
                raise _http_problem(url, problem.code, problem.headers, self.backoff) from problem
        except urllib.error.URLError as problem:
            self._raise_unless_passing(url, problem.reason)
            raise _RetryError(_reason(problem.reason)) from problem
        except TimeoutError as problem:
            self._answered = True  # it took the connection
            raise _RetryError(f"no answer for {self.timeout:g} seconds") from problem
        except (OSError, HTTPException) as problem:
            self._answered = True
            raise _RetryError(_reason(problem)) from problem
        self._answered = True
        with response:
            yield response

    def _append(self, response: HTTPResponse, file: RemoteFile, grows: FileIO, have: int) -> int:
        """Write what the server sends to the end of a file; return the bytes."""
        n = 0
        while True:
            self._require_going()
            try:
                block = response.read1(_BLOCK)
            except TimeoutError as problem:
                raise _RetryError(f"no byte for {self.timeout:g} seconds") from problem
            except (OSError, HTTPException) as problem:
                raise _RetryError(_reason(problem)) from problem
            if not block:
                return n
            if not have and not n and _is_fits(file.name) and _starts_wrong(block[: len(_FITS)]):
                html = response.headers.get_content_type() == "text/html"
                raise _RefusedError(f"{file.url} is not usable: {_not_fits(block, html)}.")
            while block:  # unbuffered files may take less than they are given
                taken = grows.write(block)
                n += taken
                block = block[taken:]
                with self._lock:
                    self.received += taken

    def _raise_unless_passing(self, url: str, reason: object) -> None:
        """Raise an UnreachableError where a further attempt has no chance."""
        host = _host(url)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise UnreachableError(
                f"The certificate of {host} could not be verified ({reason.verify_message}). Set "
                "SSL_CERT_FILE to the certificates that your network needs."
            )
        away = isinstance(reason, socket.gaierror | ConnectionRefusedError | TimeoutError) or (
            isinstance(reason, OSError) and reason.errno in _NO_WAY
        )
        # Once the server has answered, a lost connection may come back.
        if away and not self._answered:
            raise UnreachableError(
                f"{host} could not be reached{_through(url)} ({_reason(reason)}). Connect this "
                "machine to the network and give the same command again."
            )

    def _require_allowed(self, url: str) -> None:
        from astropy.utils.data import conf

        if not conf.allow_internet:
            raise UnreachableError(
                f"{_host(url)} was not contacted: allow_internet is off in the configuration of "
                "astropy (astropy.cfg). Switch it on and give the same command again."
            )

    def _require_going(self) -> None:
        if self.stop.is_set():
            raise _StoppedError


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request, or refuse an address that is not safe."""
        try:
            require_safe_url(newurl)
        except DownloadError:
            raise _RefusedError(
                f"{req.full_url} is redirected to {newurl}, which is not https."
            ) from None
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _http_problem(url: str, code: int, headers: Message, backoff: float) -> Exception:
    """Say what an HTTP error means for the file."""
    if code == 416:
        return _RefusedError(f"{url} has another size now than the partial file. Try again.")
    if code in _BUSY:
        return _RetryError(f"HTTP {code}", _retry_after(headers))
    if code in (404, 410):
        return _RefusedError(f"The server has no file {url} (HTTP {code}).")
    return _RefusedError(f"The server refuses {url} (HTTP {code}).")


def _retry_after(headers: Message) -> float:
    """Return the seconds of a Retry-After header, which may hold a date; 0 without one."""
    text = str(headers.get("Retry-After", "")).strip()
    if text.isdigit():
        return float(text)
    return max(0.0, _date(text) - time.time())


def _modified(headers: Message) -> float:
    return _date(str(headers.get("Last-Modified", "")))


def _date(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def _length(headers: Message) -> int | None:
    text = str(headers.get("Content-Length", "")).strip()
    return int(text) if text.isdigit() else None


def _content_range(headers: Message) -> tuple[int, int | None]:
    """Return the first byte of a partial answer (-1 if not given) and the file's size."""
    unit, _, rest = str(headers.get("Content-Range", "")).strip().partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit.lower() != "bytes":
        return -1, None
    return int(first) if first.isdigit() else -1, int(total) if total.isdigit() else None


def _reason(problem: object) -> str:
    """Say in a few words why a connection failed."""
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _through(url: str) -> str:
    """Name the proxy that requests go through, without its password."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    host = parts.hostname or ""
    if not proxy or _is_local(host) or urllib.request.proxy_bypass(host):
        return ""
    return f" through the proxy {urlsplit(proxy).hostname or ''}"


def _certificates() -> str | None:
    """Return certifi's certificates where it is installed, as astropy does."""
    if os.environ.get("SSL_CERT_FILE"):
        return None
    try:
        import certifi
    except ImportError:
        return None
    return str(certifi.where())


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def _is_fits(name: str) -> bool:
    return name.endswith((".fits", ".fits.gz"))


def _complete(path: Path, name: str = "") -> bool:
    """Return whether a file is there and, if FITS, complete."""
    return path.is_file() and (not _is_fits(name or path.name) or not _fault(path))


def _fault(path: Path) -> str:
    """Say what keeps a file from being a complete FITS file; empty if nothing does."""
    with path.open("rb") as file:
        start = file.read(64)
        file.seek(0)
        if start.startswith(_GZIP):
            return _gzip_fault(file)
        if not start.startswith(_FITS):
            return _not_fits(start)
        size = os.fstat(file.fileno()).st_size
        wanted = _fits_length(file)
    if size < wanted:
        return f"it ends early, with {size} bytes of the {wanted} that its headers announce"
    if size % FITS_BLOCK:
        return f"its size, {size} bytes, is no multiple of {FITS_BLOCK}"
    return ""


def _gzip_fault(file: IO[bytes]) -> str:
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            start = packed.read(len(_FITS))
            while packed.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error):
        return "its gzip data end early or are damaged"
    return "" if start == _FITS else _not_fits(start)


def _not_fits(start: bytes, html: bool = False) -> str:
    if html or start.lstrip()[:1] == b"<":
        return "it is a web page instead of a FITS file"
    return "it does not start as a FITS file does" if start else "it is empty"


def _starts_wrong(start: bytes) -> bool:
    """Return whether the first bytes that arrived, however few, rule out a FITS file."""
    return not (start.startswith(_FITS[: len(start)]) or start.startswith(_GZIP[: len(start)]))


def _fits_length(file: IO[bytes]) -> int:
    """Return the bytes that the headers of a FITS file account for.

    Bytes per HDU: |BITPIX| / 8 x GCOUNT x (PCOUNT + NAXIS1 x ... x NAXISm), in whole
    blocks (FITS standard 4.0, equation 2).
    """
    end = 0
    size = file.seek(0, os.SEEK_END)
    while end < size:
        file.seek(end)
        if end and file.read(8) != b"XTENSION":
            break  # special records after the last HDU, which the standard allows
        file.seek(end)
        values: dict[bytes, int] = {}
        ended = False
        while not ended:
            block = file.read(FITS_BLOCK)
            end += FITS_BLOCK
            if len(block) < FITS_BLOCK:
                return end
            for i in range(0, FITS_BLOCK, 80):
                key = block[i : i + 8].rstrip()
                if key == b"END":
                    ended = True
                    break
                number = block[i + 10 : i + 30].partition(b"/")[0].strip()
                if number.lstrip(b"-").isdigit():
                    values.setdefault(key, int(number))
        n_axes = values.get(b"NAXIS", 0)
        if n_axes:
            n = 1
            for axis in range(1, n_axes + 1):
                n *= values.get(b"NAXIS%d" % axis, 0)
            n = values.get(b"GCOUNT", 1) * (values.get(b"PCOUNT", 0) + n)
            data = abs(values.get(b"BITPIX", 8)) // 8 * n
            end += -(-data // FITS_BLOCK) * FITS_BLOCK
    return end


def _require_names(files: list[RemoteFile]) -> None:
    """Raise a DownloadError unless names are plain and differ, and addresses are safe."""
    urls: dict[str, str] = {}
    for file in files:
        if not file.name or file.name.startswith(".") or "/" in file.name or "\0" in file.name:
            raise DownloadError(f"Expected a plain file name; found {file.name!r}.")
        require_safe_url(file.url)
        if file.name in urls:
            raise DownloadError(
                f"Expected one address per file; {file.name} has {urls[file.name]} and {file.url}. "
                "Fetch them into two folders."
            )
        urls[file.name] = file.url
