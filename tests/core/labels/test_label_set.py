"""Names, values and ranges of labels."""

import json

import numpy as np
import pytest

from spectrabridge.core.errors import LabelError
from spectrabridge.core.labels import APOGEE_LABELS, ELEMENTS, Label, LabelSet, canonical


def values():
    return (APOGEE_LABELS.low + APOGEE_LABELS.high) / 2


def test_paper_has_25_labels_of_which_20_are_elements():
    assert len(APOGEE_LABELS) == 25
    assert APOGEE_LABELS.elements == ELEMENTS
    assert len(ELEMENTS) == 20
    assert APOGEE_LABELS.names[:3] == ("teff", "logg", "vturb")
    assert APOGEE_LABELS.names[-2:] == ("c12c13", "vmacro")
    assert APOGEE_LABELS.element_columns() == list(range(3, 23))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("[Mg/H]", "Mg"),
        ("MG_H", "Mg"),
        ("mg", "Mg"),
        ("TEFF", "teff"),
        ("T_eff", "teff"),
        ("log g", "logg"),
        ("Vmicro", "vturb"),
        ("12C/13C", "c12c13"),
        ("v_macro", "vmacro"),
        (" Fe ", "Fe"),
        ("C", "C"),
        ("Zz", "Zz"),
        ("[Mg/Fe]", "[Mg/Fe]"),
    ],
)
def test_spellings_lead_to_one_name(spelling, name):
    assert canonical(spelling) == name


def test_lookup_by_any_spelling_and_error_lists_the_labels():
    assert APOGEE_LABELS["[Si/H]"].element == "Si"
    assert "TEFF" in APOGEE_LABELS and "age" not in APOGEE_LABELS
    with pytest.raises(LabelError, match=r"no label 'age'.*teff, logg"):
        APOGEE_LABELS.index("age")


def test_array_and_mapping_are_inverse():
    row = values()
    mapping = APOGEE_LABELS.mapping(row)
    shuffled = dict(reversed(mapping.items()))
    np.testing.assert_array_equal(APOGEE_LABELS.array(shuffled), row)


def test_array_copies_and_names_what_is_missing_or_not_finite():
    row = values()
    out = APOGEE_LABELS.array(row)
    out[0] = 0
    assert row[0] != 0
    partial = APOGEE_LABELS.mapping(row)
    del partial["Ge"], partial["teff"]
    with pytest.raises(LabelError, match="missing: teff, Ge"):
        APOGEE_LABELS.array(partial)
    row[4] = np.nan
    with pytest.raises(LabelError, match="not finite: N"):
        APOGEE_LABELS.array(row)
    with pytest.raises(LabelError, match=r"shape \(3,\)"):
        APOGEE_LABELS.array([1, 2, 3])
    with pytest.raises(LabelError, match="one star"):
        APOGEE_LABELS.mapping([values(), values()])


def test_outside_is_per_label_and_says_so_in_words():
    rows = np.stack([values(), values()])
    rows[1, 0] = 6200
    out = APOGEE_LABELS.outside(rows)
    assert out.shape == (2, 25)
    assert out.sum() == 1 and out[1, 0]
    assert APOGEE_LABELS.describe_outside(rows[0]) == ""
    assert APOGEE_LABELS.describe_outside(rows[1]) == "T_eff 6200 (trained 3800 to 5500)"


def test_ends_of_the_range_are_inside():
    assert not APOGEE_LABELS.outside(APOGEE_LABELS.low).any()
    assert not APOGEE_LABELS.outside(APOGEE_LABELS.high).any()


def test_reordering_brings_columns_into_order():
    names = [f"[{n}/H]" if n in ELEMENTS else n.upper() for n in reversed(APOGEE_LABELS.names)]
    order = APOGEE_LABELS.reordering(names)
    table = values()[::-1]
    np.testing.assert_array_equal(table[order], values())
    with pytest.raises(LabelError, match="missing: Fe"):
        APOGEE_LABELS.reordering([n for n in APOGEE_LABELS.names if n != "Fe"])


def test_with_ranges_changes_ranges_only_and_rejects_empty_ones():
    low, high = APOGEE_LABELS.low + 0.1, APOGEE_LABELS.high - 0.1
    other = APOGEE_LABELS.with_ranges(low, high)
    np.testing.assert_array_equal(other.low, low)
    np.testing.assert_array_equal(other.high, high)
    assert other.names == APOGEE_LABELS.names
    assert APOGEE_LABELS.low[0] == 3800
    with pytest.raises(LabelError, match="range of teff"):
        APOGEE_LABELS.with_ranges(high, low)


def test_json_round_trip():
    again = LabelSet.from_json(json.loads(json.dumps(APOGEE_LABELS.to_json())))
    assert again == APOGEE_LABELS
    assert again.index("Ge") == APOGEE_LABELS.index("Ge")
    with pytest.raises(LabelError, match="cannot be read"):
        LabelSet.from_json([{"name": "teff"}])


def test_a_set_needs_labels_with_different_names():
    label = Label("a", "", 0, 1, "", "a", "other", 0.1)
    with pytest.raises(LabelError, match="at least one"):
        LabelSet(())
    with pytest.raises(LabelError, match="found twice: a"):
        LabelSet((label, label))


def test_titles_are_those_of_astronomers():
    assert APOGEE_LABELS["Fe"].title == "[Fe/H]"
    assert APOGEE_LABELS["teff"].title == "T_eff"
