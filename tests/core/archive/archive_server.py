"""A small HTTP server on this machine that serves like SDSS's archive, and fails on demand."""

from __future__ import annotations

import io
import ssl
import threading
import time
from collections import defaultdict
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

import numpy as np
from astropy.io import fits

WRITTEN = "Mon, 06 Dec 2021 12:00:00 GMT"


def fits_bytes(seed: int = 0, n_pixels: int = 20_000) -> bytes:
    """A FITS file of two images, different for every seed; four bytes per pixel and image."""
    rng = np.random.default_rng(seed)
    hdus = [fits.PrimaryHDU()]
    hdus += [fits.ImageHDU(rng.random((2, n_pixels // 2), dtype=np.float32)) for _ in range(2)]
    out = io.BytesIO()
    fits.HDUList(hdus).writeto(out)
    return out.getvalue()


class ArchiveServer:
    """Serves `files` (path below the root: bytes) with byte ranges.

    `script` holds, by path, what to do with the next requests, one word each; after that, and
    for other paths, files are served as they should be:

    - ``503``, ``503:SECONDS`` (with Retry-After), ``404``, ``403``: that status
    - ``truncate``: half of the bytes that Content-Length announces, then the end
    - ``stall``: half of the bytes, then nothing while the connection stays open
    - ``silent``: no answer at all
    - ``html``: a redirect to a web page with status 200
    - ``away``: a redirect to plain http on another host
    - ``drip``: the bytes in small blocks, with pauses
    - ``unsized``: without Content-Length, half of the bytes
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.script: dict[str, list[str]] = defaultdict(list)
        self.ranges = True
        self.modified = WRITTEN
        self.pause = 0.02
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._dripping = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _problem: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def speak_tls(self, certificate: Path, key: Path) -> None:
        """Serve https from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._http.socket = context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False
        )

    def close(self) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()

    def _handler(outer: ArchiveServer) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                # Ends the handler when the client has gone.
                with suppress(OSError):
                    self.answer()

            def answer(self) -> None:
                path = unquote(self.path).lstrip("/")
                with outer._lock:
                    outer.requests.append((path, dict(self.headers)))
                    outer.times.append(time.monotonic())
                    words = outer.script.get(path)
                    word = words.pop(0) if words else ""
                if word[:3].isdigit():
                    code, _, wait = word.partition(":")
                    self.send_response(int(code))
                    if wait:
                        self.send_header("Retry-After", wait)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif word in ("html", "away"):
                    self.send_response(302)
                    target = "/page.html" if word == "html" else "http://archive.invalid/a.fits"
                    self.send_header("Location", target)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif word == "silent":
                    outer._over.wait(5)
                elif path == "page.html":
                    page = b"<!DOCTYPE html><title>Maintenance</title>"
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html; charset=utf-8")
                    self.send_header("Content-Length", str(len(page)))
                    self.end_headers()
                    self.wfile.write(page)
                elif path in outer.files:
                    self.serve(outer.files[path], word)
                else:
                    self.send_error(404)

            def serve(self, content: bytes, word: str) -> None:
                start = 0
                asked = self.headers.get("Range", "")
                if asked and outer.ranges:
                    start = int(asked.removeprefix("bytes=").rstrip("-"))
                    if start >= len(content):
                        self.send_response(416)
                        self.send_header("Content-Range", f"bytes */{len(content)}")
                        self.send_header("Content-Length", "0")
                        self.end_headers()
                        return
                    self.send_response(206)
                    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
                    self.send_header("Content-Range", span)
                else:
                    self.send_response(200)
                body = content[start:]
                if outer.modified:
                    self.send_header("Last-Modified", outer.modified)
                if word != "unsized":
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if word in ("truncate", "stall", "unsized"):
                    self.wfile.write(body[: len(body) // 2])
                    if word == "stall":
                        self.wfile.flush()
                        outer._over.wait(5)
                elif word == "drip":
                    with outer._lock:
                        outer._dripping += 1
                        outer.most_at_once = max(outer.most_at_once, outer._dripping)
                    last = max(0, len(body) - 4096)
                    for i in range(0, last, 4096):
                        self.wfile.write(body[i : min(i + 4096, last)])
                        time.sleep(outer.pause)
                    # Before the last block, since the client may come again right after it.
                    with outer._lock:
                        outer._dripping -= 1
                    self.wfile.write(body[last:])
                else:
                    self.wfile.write(body)

        return Handler
