"""Requests over HTTPS: how they are sent, and what failures of them mean."""

from __future__ import annotations

import ssl
import urllib.request
from email.message import Message
from typing import IO
from urllib.parse import urlsplit

from ..errors import DownloadError
from ..version import __version__
from .address import is_local, require_safe_url
from .http_headers import retry_after
from .remote_file import RefusedError, RetryError

_BUSY_STATUS = {408, 425, 429, 500, 502, 503, 504}


def request_from(url: str, first_byte: int) -> urllib.request.Request:
    """Return the request for a file from one of its bytes on."""
    headers = {"User-Agent": f"spectrabridge/{__version__}", "Accept": "*/*"}
    if first_byte:
        headers["Range"] = f"bytes={first_byte}-"
    return urllib.request.Request(url, headers=headers)


def opener_for(url: str, context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """Return what sends requests to a server, with safe redirects and verified certificates."""
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=context),
        _SafeRedirects(),
    ]
    if is_local(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach it
    return urllib.request.build_opener(*handlers)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but not from https to http."""

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
            raise RefusedError(
                f"{req.full_url} is redirected to {newurl}, which is not https."
            ) from None
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def http_problem(url: str, code: int, headers: Message) -> Exception:
    """Return the exception that says what an HTTP error means for the file."""
    if code == 416:
        return RefusedError(f"{url} has another size now than the partial file. Try again.")
    if code in _BUSY_STATUS:
        return RetryError(f"HTTP {code}", retry_after(headers))
    if code in (404, 410):
        return RefusedError(f"The server has no file {url} (HTTP {code}).")
    return RefusedError(f"The server refuses {url} (HTTP {code}).")


def reason_of(problem: object) -> str:
    """Return in a few words why a connection failed."""
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__
