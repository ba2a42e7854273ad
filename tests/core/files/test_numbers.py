"""Numbers and names out of files: text, complex numbers and ragged lists are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from spectrabridge.core.errors import GridImportError
from spectrabridge.core.files.numbers import names_in, numbers_in_column, numbers_of


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array(["4500"]), "text"),
        (np.array([b""]), "text"),
        ([1.0, "x"], "text"),
        ([[1.0], [1.0, 2.0]], "lists of other lengths"),
        (np.ones(2, complex), "complex numbers"),
        ([10**30, 2], "others"),
        (np.zeros(2, "M8[s]"), "others"),
    ],
)
def test_what_is_no_number_is_said(values: object, found: str) -> None:
    with pytest.raises(GridImportError, match=rf"as flux of g\.npz; found {found}\.$"):
        numbers_of(values, "flux", "g.npz", GridImportError)


def test_numbers_of_any_type_are_taken() -> None:
    for kind in ("f4", "i2", "u8", "?", ">f8"):
        assert numbers_of(np.ones(2, kind), "flux", "g.npz").dtype == np.float64


def test_a_column_may_have_blanks_and_no_words() -> None:
    out = numbers_in_column(np.array([" 7 ", "", "--", "1e3"]), "column SNR", "a.csv")
    np.testing.assert_array_equal(out, [7, np.nan, np.nan, 1000])
    with pytest.raises(GridImportError, match=r"column SNR of a\.csv; found 'SNR'\. Correct it"):
        numbers_in_column(np.array(["7", "SNR"]), "column SNR", "a.csv", GridImportError)


def test_names_are_a_row() -> None:
    assert names_in(np.array(["a", "b"]), "names", "g.npz") == ["a", "b"]
    for values in (np.array("a"), np.array([["a"]])):
        with pytest.raises(GridImportError, match=r"Expected a row of names as names of g\.npz"):
            names_in(values, "names", "g.npz", GridImportError)
