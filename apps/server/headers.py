"""Headers of every answer: what a page may load, who may frame it, and that types are kept."""

from __future__ import annotations

import re
import secrets

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Headers that are the same in all answers."""


def content_policy(nonce: str) -> str:
    """Return the policy of a page whose own scripts carry a nonce.

    No script runs that stands in an attribute, or in a text that was put into the page. BokehJS
    compiles the scripts of figures ('unsafe-eval'), and Panel imports the code of components as
    blobs.
    """
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval' blob:",
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline' blob:",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob: ws: wss:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        ]
    )


class SecureAnswer(OutputTransform):
    """Adds the headers to an answer, and a nonce to the scripts of a page."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._nonce = secrets.token_urlsafe(16)
        self._is_page = False

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the headers; a page that comes in one piece gets its nonces."""
        for name, value in FIXED.items():
            headers[name] = value
        headers["Content-Security-Policy"] = content_policy(self._nonce)
        headers.pop("Server", None)
        self._is_page = headers.get("Content-Type", "").startswith("text/html") and finishing
        if self._is_page and chunk:
            chunk = with_nonce(chunk, self._nonce)
            if "Content-Length" in headers:
                headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk


def with_nonce(page: bytes, nonce: str) -> bytes:
    """Return a page with a nonce in each of its script elements.

    Examples
    --------
    >>> with_nonce(b"<script>go()</script>", "n")
    b'<script nonce="n">go()</script>'
    """
    return re.sub(rb"<script(?=[\s>])", f'<script nonce="{nonce}"'.encode(), page)
