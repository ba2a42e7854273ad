"""Headers of answers, cookies and nonces."""

from types import SimpleNamespace

import pytest
from tornado.httputil import HTTPHeaders

from spectrabridge.apps.server.headers import SecureAnswer, safe_cookie


def answer(page: bytes, kind: str = "text/html; charset=utf-8", protocol: str = "http"):
    headers = HTTPHeaders({"Content-Type": kind, "Content-Length": str(len(page)), "Server": "x"})
    headers.add("Set-Cookie", "user=a; Path=/")
    headers.add("Set-Cookie", "id_token=b; HttpOnly; Path=/")
    transform = SecureAnswer(SimpleNamespace(protocol=protocol))
    return transform.transform_first_chunk(200, headers, page, True)


def test_scripts_of_a_page_carry_the_nonce_of_its_policy_and_others_do_not_run():
    _, headers, page = answer(b"<script>a</script><script src='x'></script><p onclick='b'>")
    policy = headers["Content-Security-Policy"]
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert page.count(f'<script nonce="{nonce}"'.encode()) == 2
    assert int(headers["Content-Length"]) == len(page)
    assert "script-src-attr 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("script-src ")[1].split(";")[0]
    assert answer(b"")[1]["Content-Security-Policy"] != policy


def test_types_are_kept_and_nobody_frames():
    _, headers, body = answer(b"<script>", "application/json")
    assert body == b"<script>"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "Server" not in headers


@pytest.mark.parametrize(("protocol", "secure"), [("http", False), ("https", True)])
def test_cookies_stay_here(protocol, secure):
    _, headers, _ = answer(b"", protocol=protocol)
    cookies = headers.get_list("Set-Cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert cookie.count("HttpOnly") == cookie.count("SameSite=Lax") == 1
        assert ("Secure" in cookie) is secure


def test_a_cookie_keeps_what_it_says_of_itself():
    assert safe_cookie("a=b; SameSite=Strict; httponly", https=False) == (
        "a=b; SameSite=Strict; httponly"
    )
