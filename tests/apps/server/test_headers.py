"""Headers of answers, cookies and nonces."""

from types import SimpleNamespace

from tornado.httputil import HTTPHeaders

from spectrabridge.apps.server.headers import SecureAnswer


def answer(page: bytes, kind: str = "text/html; charset=utf-8"):
    headers = HTTPHeaders({"Content-Type": kind, "Content-Length": str(len(page)), "Server": "x"})
    transform = SecureAnswer(SimpleNamespace(protocol="http"))
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
