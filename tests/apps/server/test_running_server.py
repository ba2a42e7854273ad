"""A server with passwords, as strangers meet it: what is closed, counted, bounded and said."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

import spectrabridge.explorer
from spectrabridge.apps.server.messages import MAX_FRAGMENT_BYTES
from spectrabridge.apps.server.routes import MAX_BODY_BYTES
from spectrabridge.apps.server.sign_in import MAX_WRONG_PASSWORDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PASSWORD = "hydrogen"
MAX_SESSIONS = 3


@dataclass
class Running:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    cookie: str = ""

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask for a path; return status, headers in lower case, and content."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            found: dict[str, str] = {}
            for key, value in answer.getheaders():
                # A header that comes twice is on several lines here.
                found[key.lower()] = "\n".join(filter(None, [found.get(key.lower()), value]))
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def sign_in(self, user: str, password: str, **headers: str) -> tuple[int, dict[str, str]]:
        form = urlencode({"username": user, "password": password}).encode()
        kind = {"Content_Type": "application/x-www-form-urlencoded"}
        status, found, _ = self.ask("/login", "POST", form, **kind, **headers)
        return status, found

    def health(self) -> dict[str, Any]:
        status, _, content = self.ask("/health")
        assert status == 200
        found: dict[str, Any] = json.loads(content)
        return found

    def page(self) -> tuple[int, str]:
        """Open a page as somebody who has signed in; return its status and its token."""
        status, _, content = self.ask("/", Cookie=self.cookie)
        tokens = re.findall(rb'"token":\s*"([^"]+)"', content)
        return status, tokens[0].decode() if tokens else ""

    def connect(self, token: str, cookie: str = "", origin: str = "") -> WebSocketClientConnection:
        """Open a websocket; to be awaited."""
        request = HTTPRequest(f"ws://127.0.0.1:{self.port}/ws", request_timeout=60)
        request.headers.add("Origin", origin or f"http://127.0.0.1:{self.port}")
        if cookie:
            request.headers.add("Cookie", cookie)
        return websocket_connect(request, subprotocols=["bokeh", token])  # type: ignore[return-value]


def wait(for_what: Callable[[], bool]) -> None:
    """Wait until something is so; the time-out of the test ends what never is."""
    while not for_what():
        time.sleep(0.05)


@contextlib.contextmanager
def started(folder: Path, *words: str) -> Iterator[Running]:
    """Start a server of mock-lines in a folder, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = "from spectrabridge.apps.cli import main; main()"
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "serve", "mock-lines", "--port", str(port), *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(os.environ),
        )
    server = Running(process, port, log)

    def answers() -> bool:
        assert process.poll() is None, log.read_text("utf-8")
        try:
            return bool(server.health())
        except OSError:
            return False

    wait(answers)
    try:
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("running")
    people = folder / "people"
    people.write_text(f"maria:{PASSWORD}\ncecilia:helium\n", "utf-8")
    words = ["--basic-auth", str(people), "--max-sessions", str(MAX_SESSIONS)]
    with started(folder, *words) as server:
        status, found = server.sign_in("maria", PASSWORD)
        assert status == 302
        server.cookie = "; ".join(line.split(";")[0] for line in found["set-cookie"].splitlines())
        yield server


async def ends(connection: WebSocketClientConnection) -> int | None:
    """Wait until the server ends a connection; return the code that it gives."""
    while await connection.read_message() is not None:
        pass
    return connection.close_code


@pytest.mark.parametrize(
    "path",
    [
        "/components/unittest.__main__/a/b/c",
        "/components/antigravity/x/y/z",
        "/components/panel.auth/Auth/__file__/x",
        "/autoload.js?bokeh-autoload-element=1",
        "/metadata",
        "/explorer",
        "/liveness",
        "/rest/x",
        "/static/../../etc/passwd",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
    ],
)
@pytest.mark.parametrize("signed_in", [False, True])
def test_what_no_page_needs_is_not_there(running: Running, path: str, signed_in: bool) -> None:
    cookie = {"Cookie": running.cookie} if signed_in else {}
    status, headers, content = running.ask(path, **cookie)
    assert status in (302, 403, 404), content[:200]
    if status == 302:
        assert "login" in headers["location"]
    assert b"root:" not in content
    assert running.process.poll() is None


def test_without_a_password_there_is_a_form_and_nothing_else(running: Running) -> None:
    status, headers, _ = running.ask("/")
    assert status == 302 and "/login" in headers["location"]
    before = running.health()["sessions"]
    for token in ("", "nonsense", forged(signed=False)):
        with pytest.raises(HTTPClientError):
            asyncio.run(wrapped(running, token))
    assert running.health()["sessions"] == before


async def wrapped(running: Running, token: str, cookie: str = "") -> int | None:
    """Connect, and return how the server ends it."""
    return await ends(await running.connect(token, cookie))


def forged(signed: bool = True) -> str:
    """A token that this server has not made."""
    key = b"x" * 32
    id_ = generate_session_id(secret_key=key, signed=signed)
    payload = {"headers": {}, "cookies": {}, "arguments": {}}
    return generate_jwt_token(
        id_, secret_key=key, signed=signed, expiration=3000, extra_payload=payload
    )


@pytest.mark.parametrize("signed", [True, False])
def test_tokens_that_the_server_did_not_make_open_no_session(
    running: Running, signed: bool
) -> None:
    before = running.health()["sessions"]
    # The server may refuse the websocket, or open it and end it before it says anything.
    with contextlib.suppress(HTTPClientError):
        asyncio.run(wrapped(running, forged(signed), running.cookie))
    assert running.health()["sessions"] == before


def test_a_page_of_another_site_is_not_answered(running: Running) -> None:
    status, token = running.page()
    assert status == 200 and token
    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(from_elsewhere(running, token))
    status, _ = running.sign_in("maria", PASSWORD, Origin="https://evil.example")
    assert status == 403


async def from_elsewhere(running: Running, token: str) -> None:
    await running.connect(token, running.cookie, "https://evil.example")


@pytest.mark.parametrize("name", ["bokeh-session-id", "bokeh-token"])
def test_a_link_cannot_choose_the_session(running: Running, name: str) -> None:
    status, _, _ = running.ask(f"/?{name}=chosen", Cookie=running.cookie)
    assert status == 403


def test_sessions_are_limited_for_pages_and_websockets(running: Running) -> None:
    wait(lambda: running.health()["sessions"] == 0)
    tokens = []
    for _ in range(MAX_SESSIONS):
        status, token = running.page()
        assert status == 200
        tokens.append(token)
    assert running.health()["status"] == "full"
    status, token = running.page()
    assert status == 503 and not token
    # A token of a session that is there is answered, one that is not known is not.
    first = asyncio.run(greeted(running, tokens[0]))
    assert json.loads(first)["msgtype"] == "ACK"
    with pytest.raises(HTTPClientError, match="503"):
        asyncio.run(wrapped(running, forged(), running.cookie))
    wait(lambda: running.health()["status"] == "ok")


async def greeted(running: Running, token: str) -> str:
    connection = await running.connect(token, running.cookie)
    header = await connection.read_message()
    connection.close()
    assert isinstance(header, str)
    return header


HEADER = json.dumps({"msgid": "1", "msgtype": "PATCH-DOC"})


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([json.dumps({"msgid": "1", "msgtype": "PUSH-DOC"})], 1008),
        (["[" * 100_000], 1008),
        (["no JSON"], 1008),
        ([json.dumps({"msgid": "1", "msgtype": "PATCH-DOC", "num_buffers": 10**9})], 1008),
        ([HEADER, "{}", "x" * 100], 1008),
        ([HEADER, "{}", '{"events": ' + "[" * 5000 + "]" * 5000 + "}"], 1008),
        (["x" * (MAX_FRAGMENT_BYTES + 1)], 1009),
    ],
)
def test_messages_that_no_page_sends_end_their_connection(
    running: Running, parts: list[str], code: int
) -> None:
    wait(lambda: running.health()["status"] != "full")
    _, token = running.page()
    found = asyncio.run(said(running, token, parts))
    # A connection may be gone before its code has come.
    assert found in (code, None)
    assert running.health()["status"]
    assert running.process.poll() is None


async def said(running: Running, token: str, parts: list[str]) -> int | None:
    connection = await running.connect(token, running.cookie)
    await connection.read_message()
    with contextlib.suppress(WebSocketClosedError, StreamClosedError):
        for part in parts:
            await connection.write_message(part)
    return await ends(connection)


def test_bodies_are_bounded(running: Running) -> None:
    form = b"username=maria&password=" + b"x" * (2 * MAX_BODY_BYTES)
    try:
        status, _, _ = running.ask(
            "/login", "POST", form, Content_Type="application/x-www-form-urlencoded"
        )
        assert status in (400, 413)
    except (ConnectionError, http.client.RemoteDisconnected):
        pass  # it hangs up while the rest is sent
    assert running.health()["memory_mb"] < 1000


def test_guessing_is_counted_by_user_and_address_and_logged(running: Running) -> None:
    seen = [running.sign_in("cecilia", f"guess {i}")[0] for i in range(MAX_WRONG_PASSWORDS + 2)]
    assert seen[-2:] == [429, 429]
    assert running.sign_in("cecilia", "helium")[0] == 429, "not even the right one"
    assert running.sign_in("maria", PASSWORD)[0] == 302, "others are not locked out"
    log = running.log.read_text("utf-8")
    assert "sign-in of 'cecilia' from" in log and "locked" in log
    assert "guess" not in log and PASSWORD not in log
    _, _, metrics = running.ask("/metrics")
    assert b"maria" not in metrics and b"cecilia" not in metrics


def test_a_name_of_many_lines_is_one_line_of_the_log(running: Running) -> None:
    running.sign_in("eve\n2026-01-01 INFO sign-in of 'admin'", "x" * 10)
    lines = running.log.read_text("utf-8").splitlines()
    assert not [line for line in lines if line.startswith("2026-01-01 INFO sign-in")]
    assert max(map(len, lines)) < 2000


@pytest.mark.parametrize("path", ["/login", "/health", "/metrics", "/", "/nowhere"])
def test_every_answer_has_the_headers(running: Running, path: str) -> None:
    _, headers, content = running.ask(path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    policy = headers["content-security-policy"]
    assert "script-src-attr 'none'" in policy and "object-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "server" not in headers
    assert not re.search(rb"<[^>]+\son\w+\s*=", content), "no handlers in attributes"


def test_cookies_cannot_be_read_by_scripts_nor_sent_by_other_sites(running: Running) -> None:
    _, headers = running.sign_in("maria", PASSWORD)
    given = [line for line in headers["set-cookie"].splitlines() if '=""' not in line]
    assert given
    for cookie in given:
        assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    # Cookies are signed: one changed by a letter opens nothing, nor does one made up.
    wrong = [f"{part[:-1]}{'A' if part[-1] != 'A' else 'B'}" for part in running.cookie.split("; ")]
    made_up = f"user={base64.b64encode(b'maria').decode()}; is_guest=1"
    for cookie in ("; ".join(wrong), made_up):
        status, found, _ = running.ask("/", Cookie=cookie)
        assert status == 302 and "/login" in found["location"]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_each_of_several_processes_has_the_styles_of_every_component(tmp_path: Path) -> None:
    explorer = Path(spectrabridge.explorer.__file__).parent
    sheets = []
    for script in sorted(explorer.rglob("*.py")):
        for name in re.findall(r"class (\w+)\(.*BrowserComponent\)", script.read_text("utf-8")):
            if "notebook" not in script.parts and script.with_suffix(".css").is_file():
                module = ".".join(script.relative_to(explorer).with_suffix("").parts)
                sheets.append(
                    f"/components/spectrabridge.explorer.{module}/{name}/_stylesheets/"
                    f"{script.stem}.css"
                )
    assert len(sheets) > 10
    # No page was built in either process, and connections go to both.
    with started(tmp_path, "--processes", "2") as server:
        answers = {(sheet, server.ask(sheet)[0]) for sheet in sheets for _ in range(8)}
    assert answers == {(sheet, 200) for sheet in sheets}
