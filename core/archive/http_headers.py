"""What the headers of an HTTP answer say: length, range, dates and pauses."""

from __future__ import annotations

import time
from email.message import Message
from email.utils import parsedate_to_datetime


def retry_after(headers: Message) -> float:
    """Return the seconds of a Retry-After header, which may hold a date; 0 without one."""
    text = str(headers.get("Retry-After", "")).strip()
    if text.isdecimal():
        return float(text)
    return max(0.0, _date(text) - time.time())


def modified(headers: Message) -> float:
    """Return the seconds since 1970 of a Last-Modified header; 0 without one."""
    return _date(str(headers.get("Last-Modified", "")))


def length(headers: Message) -> int | None:
    """Return the bytes that the answer announces, if it does."""
    text = str(headers.get("Content-Length", "")).strip()
    return int(text) if text.isdecimal() else None


def content_range(headers: Message) -> tuple[int, int | None]:
    """Return the first byte of a partial answer (-1 if not given) and the file's size."""
    unit, _, rest = str(headers.get("Content-Range", "")).strip().partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit.lower() != "bytes":
        return -1, None
    return int(first) if first.isdecimal() else -1, int(total) if total.isdecimal() else None


def _date(text: str) -> float:
    """Return the seconds since 1970 of a date in a header; 0 if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0
