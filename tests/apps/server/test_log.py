"""Lines of the log."""

import json
import logging
import sys

from spectrabridge.apps.server.log import (
    MAX_MESSAGE_CHARACTERS,
    MAX_TRACEBACK_CHARACTERS,
    JsonFormatter,
    LineFormatter,
)


def record(message: str, *words: object, failed: bool = False) -> logging.LogRecord:
    info = None
    if failed:
        try:
            raise ValueError("x" * 3 * MAX_TRACEBACK_CHARACTERS)
        except ValueError:
            info = sys.exc_info()
    return logging.LogRecord("spectrabridge", logging.ERROR, "f", 1, message, words, info)


def test_nobody_forges_a_line():
    hostile = "star\nERROR forged\r\x1b[31m\u2028end"
    for formatter in (LineFormatter(), JsonFormatter()):
        text = formatter.format(record("file %s", hostile))
        assert len(text.splitlines()) == 1
        assert "\x1b" not in text


def test_what_is_long_is_cut():
    for formatter in (LineFormatter(), JsonFormatter()):
        text = formatter.format(record("%r", "A" * 15_000_000))
        assert len(text) < MAX_MESSAGE_CHARACTERS + 300
        assert len(formatter.format(record("no", failed=True))) < 2 * MAX_TRACEBACK_CHARACTERS


def test_json_has_an_object_in_a_line():
    told = json.loads(JsonFormatter().format(record("two %s", "words", failed=True)))
    assert (told["level"], told["logger"], told["message"]) == (
        "error",
        "spectrabridge",
        "two words",
    )
    assert "xxx" in told["traceback"]
    assert "traceback" not in json.loads(JsonFormatter().format(record("fine")))
