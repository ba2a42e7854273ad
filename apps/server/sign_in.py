"""Who may enter a served explorer: passwords, or an OAuth provider, by Panel's means."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import importlib.util
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...core.errors import SpectrabridgeError

if TYPE_CHECKING:
    from .metrics import Metrics

log = logging.getLogger("spectrabridge.server")

PROVIDERS = (
    "auth0",
    "azure",
    "azurev2",
    "bitbucket",
    "generic",
    "github",
    "gitlab",
    "google",
    "okta",
)
"""OAuth providers that Panel knows and that need no password on this server."""

WRONG_PASSWORD_SECONDS = 0.5
"""Time that a wrong password waits for its answer, in seconds."""

MAX_WRONG_PASSWORDS = 10
"""Wrong passwords for one user from one address, after which it has to wait."""

MAX_WRONG_FROM_ADDRESS = 40
"""Wrong passwords from one address, whoever the users."""

LOCKED_SECONDS = 900
"""How long wrong passwords count, in seconds."""

MAX_COUNTED = 20_000
"""Users and addresses that are counted; the oldest are forgotten first."""

TEMPLATES = Path(__file__).parent

_SECRETS = {
    "PANEL_OAUTH_KEY": "the key (client id) that the provider gave you",
    "PANEL_OAUTH_SECRET": "the secret that the provider gave you",
    "PANEL_COOKIE_SECRET": "any long random text; `panel secret` prints one",
    "PANEL_OAUTH_ENCRYPTION": "32 random bytes in base64; `panel oauth-secret` prints some",
}
"""Variables of the environment that OAuth takes, and what they hold."""


@dataclass(frozen=True)
class SignIn:
    """How visitors prove who they are.

    Parameters
    ----------
    passwords : mapping, optional
        Passwords by user; the user ``*`` stands for anybody.
    provider : str, optional
        An OAuth provider, instead of passwords; its secrets come from the environment, see
        :func:`read_oauth`.
    redirect_uri : str, optional
        Address that the provider sends visitors back to, if it is not the explorer's.
    users : tuple of str
        Who may enter of those whom the provider knows; all if empty.
    """

    passwords: Mapping[str, str] | None = None
    provider: str | None = None
    redirect_uri: str | None = None
    users: tuple[str, ...] = ()

    def options(self, metrics: Metrics) -> dict[str, Any]:
        """Return options for ``panel.serve``; attempts to sign in are counted in `metrics`."""
        import panel as pn

        secret = os.environ.get("PANEL_COOKIE_SECRET") or secrets.token_hex(32)
        pn.config.auth_template = str(TEMPLATES / "refused.html")
        if self.passwords is not None:
            return {
                "auth_provider": _password_provider(self.passwords, metrics),
                "cookie_secret": secret,
            }
        from cryptography.fernet import Fernet

        pn.state.encryption = Fernet(os.environ["PANEL_OAUTH_ENCRYPTION"].encode())
        if self.users:
            allowed = frozenset(self.users)
            pn.config.authorize_callback = lambda info: pn.state.user in allowed
        return {
            "cookie_secret": secret,
            "logout_template": str(TEMPLATES / "signed_out.html"),
            "oauth_provider": self.provider,
            "oauth_key": os.environ["PANEL_OAUTH_KEY"],
            "oauth_secret": os.environ["PANEL_OAUTH_SECRET"],
            "oauth_encryption_key": os.environ["PANEL_OAUTH_ENCRYPTION"],
            "oauth_redirect_uri": self.redirect_uri,
            "oauth_error_template": str(TEMPLATES / "refused.html"),
        }


def read_passwords(source: str) -> dict[str, str]:
    """Return passwords by user.

    Parameters
    ----------
    source : str
        A file with one ``user:password`` a line, or with one password for everybody; or
        ``env:NAME``, one password for everybody in the variable NAME of the environment.

    Raises
    ------
    SpectrabridgeError
        If there is no password, or a line cannot be read.
    """
    if source.startswith("env:"):
        password = os.environ.get(source[4:], "")
        if not password:
            raise SpectrabridgeError(
                f"--basic-auth {source}: expected a password in the variable {source[4:]} of the "
                "environment; found none."
            )
        return {"*": password}
    path = Path(source)
    if not path.is_file():
        raise SpectrabridgeError(
            f"--basic-auth takes a file of passwords, or env:NAME; found no file {source!r}. A "
            "password itself is not taken: everybody on this machine could read it."
        )
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if len(lines) == 1 and ":" not in lines[0]:
        return {"*": lines[0]}
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        user, colon, password = line.partition(":")
        if not (user and colon and password) or user == "*":
            raise SpectrabridgeError(f"{path}, entry {number}: expected user:password.")
        found[user] = password
    if not found:
        raise SpectrabridgeError(f"{path}: expected lines of user:password; found none.")
    return found


def read_oauth(
    provider: str, redirect_uri: str | None = None, users: tuple[str, ...] = ()
) -> SignIn:
    """Return the sign-in by an OAuth provider, when all that it needs is there.

    Raises
    ------
    SpectrabridgeError
        If something is missing or wrong; the message names all of it.
    """
    wrong = [f"{k} ({what})" for k, what in _SECRETS.items() if not os.environ.get(k)]
    key = os.environ.get("PANEL_OAUTH_ENCRYPTION", "")
    if key:
        try:
            size = len(base64.b64decode(key, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError):
            size = 0
        if size != 32:
            wrong.append("PANEL_OAUTH_ENCRYPTION as 32 bytes in base64; it is something else")
    if wrong:
        raise SpectrabridgeError(
            f"--oauth-provider {provider} needs in the environment: {'; '.join(wrong)}."
        )
    if importlib.util.find_spec("cryptography") is None:
        raise SpectrabridgeError(
            '--oauth-provider needs the package cryptography: pip install "spectrabridge[groups]".'
        )
    return SignIn(provider=provider, redirect_uri=redirect_uri, users=users)


def matches(passwords: Mapping[str, str], user: str, password: str) -> bool:
    """Tell whether a password is right; takes as long for a wrong one."""
    expected = passwords.get(user, passwords.get("*", ""))
    same = hmac.compare_digest(password.encode(), expected.encode())
    return same and bool(expected)


class WrongPasswords:
    """Counts wrong passwords by user and address, and by address.

    Parameters
    ----------
    clock : callable
        Returns seconds that never go back.

    Examples
    --------
    >>> wrong = WrongPasswords()
    >>> for _ in range(MAX_WRONG_PASSWORDS):
    ...     wrong.add("maria", "198.51.100.7")
    >>> wrong.locked("maria", "198.51.100.7"), wrong.locked("maria", "198.51.100.8")
    (True, False)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str | None, str], list[float]] = OrderedDict()

    def locked(self, user: str, address: str) -> bool:
        """Tell whether a user has to wait, who asks from an address."""
        return (
            self._recent((user, address)) >= MAX_WRONG_PASSWORDS
            or self._recent((None, address)) >= MAX_WRONG_FROM_ADDRESS
        )

    def add(self, user: str, address: str) -> None:
        """Count a wrong password."""
        for key in ((user, address), (None, address)):
            times = self._counts.setdefault(key, [])
            times.append(self._clock())
            del times[:-MAX_WRONG_FROM_ADDRESS]
            self._counts.move_to_end(key)
        while len(self._counts) > MAX_COUNTED:
            self._counts.popitem(last=False)

    def forget(self, user: str, address: str) -> None:
        """Count anew for a user who has signed in from an address."""
        self._counts.pop((user, address), None)

    def _recent(self, key: tuple[str | None, str]) -> int:
        now = self._clock()
        return sum(now - when < LOCKED_SECONDS for when in self._counts.get(key, ()))


def _password_provider(passwords: Mapping[str, str], metrics: Metrics) -> Any:
    """Return Panel's provider for passwords, with pages and a check of our own."""
    # Panel's server is imported for the explorer anyhow, but not for --help.
    from bokeh.server.util import check_allowlist
    from panel.auth import BasicAuthProvider, BasicLoginHandler
    from tornado.web import HTTPError

    wrong = WrongPasswords()

    class PasswordPage(BasicLoginHandler):  # type: ignore[misc]
        """The page that asks for a password."""

        def _validate(self, user: str, password: str) -> bool:
            return matches(passwords, user, password)

        def _check_origin(self) -> None:
            """Take no form that stands on a page of somebody else's."""
            origin = self.request.headers.get("Origin")
            if origin is None:
                return
            host = urlsplit(origin).netloc.lower()
            if host != self.request.host.lower() and not check_allowlist(
                host, list(getattr(self.application, "websocket_origins", ()))
            ):
                raise HTTPError(403, reason="A form of another site")

        async def post(self) -> None:
            """Let in who knows the password; who does not waits, in the end a quarter hour."""
            self._check_origin()
            user = self.get_argument("username", "")[:200]
            address = self.request.remote_ip or ""
            if wrong.locked(user, address):
                self._tell("locked", user, address)
                raise HTTPError(429, reason="Too many wrong passwords")
            if self._validate(user, self.get_argument("password", "")):
                wrong.forget(user, address)
                self._tell("right", user, address)
            else:
                # Counted before the wait: others that come meanwhile are not let through.
                wrong.add(user, address)
                self._tell("wrong", user, address)
                await asyncio.sleep(WRONG_PASSWORD_SECONDS)
            super().post()

        def _tell(self, result: str, user: str, address: str) -> None:
            metrics.sign_ins.labels(result).inc()
            log.log(
                logging.INFO if result == "right" else logging.WARNING,
                "sign-in of %r from %s: %s",
                user[:80],
                address,
                result,
            )

        def data_received(self, chunk: bytes) -> None:
            """Nothing is sent in pieces here."""

    class Passwords(BasicAuthProvider):  # type: ignore[misc]
        """Cookies for those who know a password."""

        @property
        def login_handler(self) -> type[BasicLoginHandler]:
            return type(
                "PasswordPage",
                (PasswordPage,),
                {
                    "_login_endpoint": self._login_endpoint,
                    "_login_template": self._login_template,
                },
            )

    return Passwords(
        login_template=str(TEMPLATES / "sign_in.html"),
        logout_template=str(TEMPLATES / "signed_out.html"),
    )
