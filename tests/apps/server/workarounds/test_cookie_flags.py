"""What a browser is told about cookies that handlers set."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.testing import bind_unused_port
from tornado.web import Application, OutputTransform, RequestHandler

from spectrabridge.apps.server.workarounds.cookie_flags import flag_cookies


class Page(RequestHandler):
    """Sets cookies as Panel does, and one that says more of itself."""

    def get(self) -> None:
        self.set_signed_cookie("user", "maria", expires_days=1)
        self.set_cookie("own", "x", samesite="Strict", httponly=False)

    def data_received(self, chunk: bytes) -> None: ...


class Seen(OutputTransform):
    """Notes the cookies that a transform can see."""

    cookies: list[str] = []  # noqa: RUF012

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        Seen.cookies = headers.get_list("Set-Cookie")
        return status_code, headers, chunk


@pytest.fixture
def plain() -> Iterator[None]:
    """Tornado as it is, whatever other tests have done."""
    now = RequestHandler.set_cookie
    RequestHandler.set_cookie = getattr(now, "__wrapped__", now)  # type: ignore[method-assign]
    yield
    RequestHandler.set_cookie = now  # type: ignore[method-assign]


def asked(protocol: str) -> list[str]:
    async def run() -> list[str]:
        application = Application([("/", Page)], cookie_secret="s" * 32, transforms=[Seen])
        listening, port = bind_unused_port()
        server = HTTPServer(application, xheaders=True)
        server.add_socket(listening)
        request: Any = HTTPRequest(
            f"http://127.0.0.1:{port}/", headers={"X-Scheme": protocol}, request_timeout=60
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
        finally:
            server.stop()
        return answer.headers.get_list("Set-Cookie")

    return asyncio.run(run())


@pytest.mark.usefixtures("plain")
def test_tornado_alone_sends_them_bare_and_after_the_transforms() -> None:
    user = next(c for c in asked("https") if c.startswith("user="))
    assert "SameSite" not in user and "Secure" not in user
    assert Seen.cookies == [], "a transform could mend them now"


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(("protocol", "secure"), [("http", False), ("https", True)])
def test_they_have_their_flags_once(protocol: str, secure: bool) -> None:
    flag_cookies()
    flag_cookies()
    user, own = sorted(asked(protocol), reverse=True)
    assert user.count("HttpOnly") == user.count("SameSite=Lax") == 1
    assert ("Secure" in user) is secure
    assert "SameSite=Strict" in own and "HttpOnly" not in own
