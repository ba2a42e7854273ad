"""Who may enter a served explorer: passwords, or an OAuth provider, by Panel's means."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import importlib.util
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import SpectrabridgeError

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

PASSWORD_DELAY = 0.5
"""Seconds that a wrong password waits for its answer, against guessing."""

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

    def options(self) -> dict[str, Any]:
        """Return options for ``panel.serve``."""
        import panel as pn

        secret = os.environ.get("PANEL_COOKIE_SECRET") or secrets.token_hex(32)
        pn.config.auth_template = str(TEMPLATES / "refused.html")
        if self.passwords is not None:
            return {
                "auth_provider": _password_provider(self.passwords),
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


def _password_provider(passwords: Mapping[str, str]) -> Any:
    """Return Panel's provider for passwords, with pages and a check of our own."""
    # Panel's server is imported for the explorer anyhow, but not for --help.
    from panel.auth import BasicAuthProvider, BasicLoginHandler

    class Handler(BasicLoginHandler):  # type: ignore[misc]
        """The page that asks for a password."""

        def _validate(self, user: str, password: str) -> bool:
            return matches(passwords, user, password)

        async def post(self) -> None:
            """Let in who knows the password; who does not waits a little."""
            if not self._validate(
                self.get_argument("username", ""), self.get_argument("password", "")
            ):
                await asyncio.sleep(PASSWORD_DELAY)
            super().post()

    class Provider(BasicAuthProvider):  # type: ignore[misc]
        """Cookies for those who know a password."""

        @property
        def login_handler(self) -> type[Handler]:
            Handler._login_endpoint = self._login_endpoint
            Handler._login_template = self._login_template
            return Handler

    return Provider(
        login_template=str(TEMPLATES / "sign_in.html"),
        logout_template=str(TEMPLATES / "signed_out.html"),
    )
