"""`spectrabridge serve`: what it takes, what it refuses, and in what words."""

from __future__ import annotations

import base64
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from spectrabridge.apps.cli import main
from spectrabridge.apps.server import desktop_window, server, sign_in
from spectrabridge.apps.server.sessions import Sessions, memory_mb
from spectrabridge.core.errors import SpectrabridgeError
from spectrabridge.explorer.widgets.file_drop import FileDrop


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would have been served, instead of serving it."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(server, "serve", lambda **given: seen.update(given))
    return seen


def run(*words: str | Path, env: dict[str, str | None] | None = None) -> Result:
    return CliRunner().invoke(main, ["serve", *map(str, words)], env=env)


SECRETS: dict[str, str | None] = {
    "PANEL_OAUTH_KEY": "key",
    "PANEL_OAUTH_SECRET": "secret",
    "PANEL_COOKIE_SECRET": "cookies",
    "PANEL_OAUTH_ENCRYPTION": base64.urlsafe_b64encode(bytes(32)).decode(),
}


def test_options_reach_the_server(served: dict[str, Any]) -> None:
    words = ["--allow-origin", "https://stars.example.org", "--allow-origin", "localhost:8080"]
    words += ["--prefix", "stars/", "--max-sessions", "20", "--idle-timeout", "30"]
    result = run(*words, "--max-upload", "50", "--behind-proxy", "--port", "0")
    assert result.exit_code == 0, result.stderr
    group = served["group"]
    assert group.origins == ("stars.example.org:443", "localhost:8080")
    assert (group.prefix, group.max_sessions, group.idle_timeout) == ("/stars", 20, 30)
    assert (group.max_upload, group.behind_proxy, group.processes) == (50, True, 1)
    assert group.sign_in is None
    assert served["port"] == 0
    assert not served["window"]


def test_a_window_takes_a_free_port_unless_told(served: dict[str, Any]) -> None:
    run("--window")
    assert (served["port"], served["window"]) == (0, True)
    run("--window", "--port", "5007")
    assert served["port"] == 5007
    run()
    assert served["port"] == 5006


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--window", "--processes", "2"], "--window cannot be had together"),
        (["--basic-auth", "secret"], "found no file 'secret'"),
        (["--basic-auth", "env:NO_SUCH_VARIABLE"], "found none"),
        (["--oauth-provider", "myspace"], "myspace"),
        (["--allow-user", "maria"], "need --oauth-provider"),
        (["--prefix", "/a", "--root-path", "/b"], "choose one"),
        (["--prefix", "a b"], "Expected a path such as /stars; found 'a b'"),
        (["--allow-origin", "http://x/y"], "Expected an origin"),
        (["--max-sessions", "0"], "--max-sessions"),
        (["--idle-timeout", "0"], "--idle-timeout"),
        (["--max-upload", "0"], "--max-upload"),
        (["--processes", "0"], "--processes"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    words: list[str], sentence: str, served: dict[str, Any]
) -> None:
    result = run(*words, env=dict.fromkeys(SECRETS))
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
    assert served == {}


def test_oauth_says_at_once_all_that_it_lacks(served: dict[str, Any]) -> None:
    result = run("--oauth-provider", "github", env=dict.fromkeys(SECRETS))
    assert result.exit_code == 2
    for name in SECRETS:
        assert name in result.stderr
    result = run("--oauth-provider", "github", env=SECRETS | {"PANEL_OAUTH_ENCRYPTION": "short"})
    assert result.exit_code == 2
    assert "32 bytes" in result.stderr
    assert "PANEL_OAUTH_KEY" not in result.stderr
    assert served == {}


def test_oauth_is_handed_over_with_who_may_enter(
    served: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sign_in.importlib.util.find_spec
    monkeypatch.setattr(
        sign_in.importlib.util, "find_spec", lambda n, p=None: n == "cryptography" or found(n, p)
    )
    words = ["--oauth-provider", "github", "--allow-user", "maria", "--allow-user", "cecilia"]
    assert run(*words, env=SECRETS).exit_code == 0
    given = served["group"].sign_in
    assert (given.provider, given.users, given.passwords) == ("github", ("maria", "cecilia"), None)
    monkeypatch.setattr(sign_in.importlib.util, "find_spec", lambda name, package=None: None)
    result = run(*words, env=SECRETS)
    assert result.exit_code == 2
    assert "pip install" in result.stderr


def test_passwords_are_read_and_compared(tmp_path: Path) -> None:
    file = tmp_path / "people"
    file.write_text("# the group\nmaria:win:lock\n\ncecilia:hydrogen\n", "utf-8")
    found = sign_in.read_passwords(str(file))
    assert found == {"maria": "win:lock", "cecilia": "hydrogen"}
    assert sign_in.matches(found, "maria", "win:lock")
    for user, password in [("maria", "hydrogen"), ("annie", ""), ("", ""), ("*", "")]:
        assert not sign_in.matches(found, user, password)
    file.write_text("hydrogen\n", "utf-8")
    everybody = sign_in.read_passwords(str(file))
    assert sign_in.matches(everybody, "anyone", "hydrogen")
    assert not sign_in.matches(everybody, "anyone", "helium")
    for wrong in ("maria:a\ncecilia\n", "", "maria:\nx:y\n", "*:all\nx:y\n"):
        file.write_text(wrong, "utf-8")
        with pytest.raises(SpectrabridgeError, match="expected"):
            sign_in.read_passwords(str(file))


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARS", "hydrogen")
    assert sign_in.read_passwords("env:STARS") == {"*": "hydrogen"}


class _Webview(types.SimpleNamespace):
    """Stands in for pywebview."""

    def __init__(self, problem: str = "") -> None:
        class WebViewError(Exception):
            pass

        self.opened: list[tuple[str, str]] = []
        self.settings: dict[str, bool] = {}
        self.errors = types.SimpleNamespace(WebViewException=WebViewError)
        self.problem = problem

    def create_window(self, title: str, url: str, **more: object) -> None:
        self.opened.append((title, url))

    def start(self, **more: object) -> None:
        if self.problem:
            raise self.errors.WebViewException(self.problem)


def test_without_pywebview_a_sentence_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "webview", None)
    result = run("--window")
    assert result.exit_code == 1
    assert 'pip install "spectrabridge[desktop]"' in result.stderr
    assert "Traceback" not in result.stderr


def test_without_a_display_a_sentence_tells_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webview", _Webview("You must have either QT or GTK"))
    with pytest.raises(SpectrabridgeError, match=r"No window can be shown here \(You must"):
        desktop_window.show("http://localhost:1")


def test_the_server_stops_when_the_window_is_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import json
    import threading
    import urllib.request

    fake = _Webview()
    answers: list[dict[str, Any]] = []

    def start(**more: object) -> None:
        ((_, url),) = fake.opened
        with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:
            answers.append(json.load(answer))

    fake.start = start  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "webview", fake)
    server.serve(port=0, window=True)
    assert answers[0]["status"] == "ok"
    assert answers[0]["bundle"] == "apogee-giants"
    assert fake.settings["ALLOW_DOWNLOADS"]
    assert not [t for t in threading.enumerate() if t.name == "server"]
    assert "Close its window to stop." in capsys.readouterr().out


def test_sessions_are_counted_over_processes() -> None:
    sessions = Sessions("b", processes=3, limit=4)
    sessions._counts[:] = [0, 2, 1]
    assert (sessions.count, sessions.full) == (3, False)
    sessions.arriving = 1  # a page that is being built has its place
    assert sessions.full
    sessions.arriving = 0
    sessions._counts[1] = 3
    assert sessions.full
    assert sessions.state()["status"] == "full"
    memory = memory_mb()
    assert memory is None or 10 < memory < 100_000


def test_what_is_too_large_is_not_kept() -> None:
    drop = FileDrop(largest=10)
    files, refused = [], []
    drop.on_file = lambda name, content: files.append((name, content))
    drop.on_refused = lambda name, sentence: refused.append(name)
    # A browser that was told to send it all the same.
    for piece in range(4):
        drop.take_message({"name": "a", "piece": piece, "pieces": 4, "data": b"1234"})
    assert (files, refused) == ([], ["a"])
    assert drop._arriving == {}
    for piece in range(2):
        drop.take_message({"name": "a", "piece": piece, "pieces": 2, "data": b"1234"})
    assert files == [("a", b"12341234")]


@pytest.mark.parametrize(
    "message",
    [
        {"name": "a"},
        {"name": "a", "piece": 0, "pieces": 1},
        {"name": "a", "piece": "0", "pieces": 1, "data": b"12"},
        {"name": "a", "piece": 0, "pieces": 1, "data": "text"},
        {"name": "a", "piece": 0, "pieces": None, "data": b"12"},
    ],
)
def test_pieces_that_are_none_are_told_and_forgotten(message: dict[str, Any]) -> None:
    drop = FileDrop()
    files, refused = [], []
    drop.on_file = lambda name, content: files.append(name)
    drop.on_refused = lambda name, sentence: refused.append(sentence)
    drop.take_message(message)
    assert files == [] and refused == ["a came in pieces that cannot be put together. Try again."]
    assert drop._arriving == {}


def test_a_file_of_many_small_pieces_is_put_together() -> None:
    drop = FileDrop()
    files: list[bytes] = []
    drop.on_file = lambda name, content: files.append(content)
    for piece in range(5000):
        drop.take_message({"name": "a", "piece": piece, "pieces": 5000, "data": b"ab"})
    assert files == [b"ab" * 5000]
