"""The log of a server: a line for each record, as text or as JSON, and none without end."""

from __future__ import annotations

import json
import logging
import sys
import time

MAX_MESSAGE_CHARACTERS = 500
"""Longest message of a record; what visitors send may be in it."""

MAX_TRACEBACK_CHARACTERS = 8000
"""Longest traceback; its end is what is kept."""


def one_line(text: str, most: int = MAX_MESSAGE_CHARACTERS) -> str:
    r"""Return a text in one line, without control characters, and not longer than `most`.

    Examples
    --------
    >>> one_line("a file called x\nERROR forged")
    'a file called x\\nERROR forged'
    """
    cut = text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut)


class LineFormatter(logging.Formatter):
    """Time, level, name and message in a line; a traceback follows in lines that are indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        line = f"{when} {record.levelname} {record.name}: {one_line(record.getMessage())}"
        trace = traceback_of(self, record)
        return line + "".join(f"\n    {one_line(each)}" for each in trace.splitlines())


class JsonFormatter(logging.Formatter):
    """A JSON object in a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        told = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": one_line(record.getMessage()),
            "process": record.process,
        }
        trace = traceback_of(self, record)
        return json.dumps(told | ({"traceback": trace} if trace else {}), ensure_ascii=False)


def traceback_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Return the traceback of a record, its end if it is long; empty if there is none."""
    trace = formatter.formatException(record.exc_info) if record.exc_info else ""
    return trace[-MAX_TRACEBACK_CHARACTERS:]


def write_log(as_json: bool = False) -> None:
    """Write what is logged to standard error from now on, warnings and sign-ins at least."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in ("bokeh", "panel", "tornado", "spectrabridge"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.WARNING)
        logger.propagate = True
    logging.getLogger("spectrabridge").setLevel(logging.INFO)
