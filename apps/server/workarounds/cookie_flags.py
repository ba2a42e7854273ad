"""Cookies of Panel's sign-in are sent without SameSite and Secure.

Without this: a form on another site is sent with the cookies of who has signed in here, and over
https a later request in the clear sends them too. Panel sets its cookies without these flags and
offers no setting for them, and tornado adds cookies to an answer after the transforms that could
mend them.

Versions: Panel 1.9.4 and tornado 6.6 and before.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from tornado.web import RequestHandler


def flag_cookies() -> None:
    """Have handlers set cookies that scripts cannot read, nor other sites send.

    Over https they are sent with that only. What a handler says itself is kept.
    """
    plain = RequestHandler.set_cookie
    if hasattr(plain, "__wrapped__"):
        return

    @wraps(plain)
    def set_cookie(self: RequestHandler, name: str, value: str | bytes, *more: Any, **flags: Any):  # type: ignore[no-untyped-def]
        flags.setdefault("httponly", True)
        flags.setdefault("samesite", "Lax")
        flags.setdefault("secure", self.request.protocol == "https")
        return plain(self, name, value, *more, **flags)

    RequestHandler.set_cookie = set_cookie  # type: ignore[method-assign]
