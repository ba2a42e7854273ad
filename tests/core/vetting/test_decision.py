from __future__ import annotations

import pytest

from spectrabridge.core.errors import LinesError
from spectrabridge.core.vetting.decision import (
    checked_comment,
    checked_element,
    checked_status,
    checked_vetter,
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Fe", "Fe"),
        ("fe", "Fe"),
        (" si ", "Si"),
        ("CO", "CO"),
        ("Co", "Co"),
        ("cn", "CN"),
        ("Cn", "CN"),
        ("oh", "OH"),
        ("U", "U"),
        ("Blend", "blend"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_elements_and_molecules_are_known(typed: str, meant: str) -> None:
    assert checked_element(typed) == meant


@pytest.mark.parametrize("typed", ["Xx", "Fe I", "26", "iron", "CH4", "Fe;DROP"])
def test_what_does_not_exist_is_refused_with_what_is_expected(typed: str) -> None:
    with pytest.raises(LinesError, match="no element") as refused:
        checked_element(typed)
    assert repr(typed) in str(refused.value)
    assert "CN, CO, OH" in str(refused.value)


def test_cobalt_and_carbon_monoxide_are_told_apart_by_capitals() -> None:
    with pytest.raises(LinesError, match="Co or CO"):
        checked_element("co")


def test_other_statuses_are_refused() -> None:
    assert checked_status("unsure") == "unsure"
    with pytest.raises(LinesError, match="'maybe'"):
        checked_status("maybe")


def test_names_and_comments_that_no_file_can_hold_are_refused() -> None:
    assert checked_vetter(" Ann Ångström ") == "Ann Ångström"
    for name in ("", "  ", "a\nb", "x" * 81, "a\x00"):
        with pytest.raises(LinesError, match="name"):
            checked_vetter(name)
    assert checked_comment("two\r\nlines & <b>\t\u00e9") == "two\nlines & <b>\t\u00e9"
    for text in ("a\x00b", "\x1b", "half \ud800", "x" * 10_001):
        with pytest.raises(LinesError, match="character"):
            checked_comment(text)
