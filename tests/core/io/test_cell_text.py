"""Text in cells: one line, and back exactly."""

from __future__ import annotations

import pytest
from astropy.table import MaskedColumn, Table

from spectrabridge.core.io.cell_text import column_texts, escape, unescape, unescape_columns

TEXTS = (
    "plain",
    "Ångström λ 星 😀",
    "\"quoted\" 'twice', 1; 2",
    "a tab\tand a line\nand \r\n more",
    "nu\x00l, bell\x07, delete\x7f",
    "next line\x85, line\u2028and paragraph\u2029separators",
    "  blanks around \u3000",
    " ",
    "",
    r"a backslash \n that is no line feed, \xe9, C:\new",
    "half a surrogate \udcc5",
    "\ufffe and \uffff",
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_escapes_are_undone_exactly(text: str, ascii_only: bool) -> None:
    written = escape(text, ascii_only)
    assert unescape(written) == text
    assert len(written.splitlines()) <= 1 and written == written.strip()
    assert written.isascii() or not ascii_only
    written.encode()


def test_text_without_anything_special_stays_as_it_is() -> None:
    assert escape("2M19485057+5005279, Ångström") == "2M19485057+5005279, Ångström"
    assert unescape("\\q and a single \\") == "\\q and a single \\"


def test_masked_texts_bytes_and_nothing_are_texts() -> None:
    assert column_texts(MaskedColumn(["a", "b"], mask=[True, False])) == ["", "b"]
    assert column_texts(Table({"x": [b"\xc3\x85", b"\xff"]})["x"]) == ["Å", "\\xff"]
    assert column_texts(Table({"x": ["a", None]}, dtype=["O"])["x"]) == ["a", ""]


def test_a_table_is_unescaped_in_a_copy() -> None:
    table = Table({"id": ["\\xc5"], "n": [1]})
    table["id"].info.description = "of the star"
    again = unescape_columns(table, ["id", "none"])
    assert again["id"][0] == "Å" and again["id"].info.description == "of the star"
    assert table["id"][0] == "\\xc5"
