from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrabridge.core.errors import LinesError
from spectrabridge.core.linelist import LineList, read_moog, read_turbospectrum, read_vald
from spectrabridge.core.lines import Candidate, Candidates, NearLine
from spectrabridge.core.lines.candidate import Kind
from spectrabridge.core.vetting import Decision, Vetting, open_vetting
from spectrabridge.core.vetting.line_table import (
    CODES,
    Code,
    counted,
    line_list_text,
    line_table,
    nearest_known,
    settle,
)

from .conftest import NEAR, Make, a_candidate

MISSING = a_candidate(15200.2, near=NEAR)
FEATURE = replace(MISSING, kind="too weak", emulated=0.05, adapted=0.1)

KNOWN = LineList(
    species=np.array(["CN 1", "CN 1", "Fe 1"]),
    wl_vac=np.array([15200.199, 15200.201, 15200.25]),
    loggf=np.array([-1.88, -1.9, -0.5]),
    ep=np.array([1.05, 1.05, 6.1]),
    isotopologue=np.array(["012014", "013014", ""]),
    vdw=np.array([0.0, 0.0, -7.4]),
    source="a list",
)


def said(candidate: Candidate, element: str, comment: str = "") -> tuple[Candidate, Decision]:
    return candidate, Decision(
        candidate.id,
        candidate.wavelength,
        candidate.low,
        candidate.high,
        "ann",
        "accepted",
        element,
        comment,
    )


@pytest.fixture
def vetting(tmp_path: Path, thirty: Candidates) -> Iterator[Vetting]:
    with open_vetting(tmp_path / "v.sqlite", thirty) as opened:
        yield opened


def test_a_line_that_is_too_weak_is_the_known_one_with_a_larger_log_gf() -> None:
    near = nearest_known(FEATURE, "Fe")
    assert near is not None and near.species == "Fe 1"
    table = line_table([said(FEATURE, "Fe", "sharp")])
    assert list(table.lines.species) == ["Fe 1"]
    # At its own wavelength, so that who merges the list counts it once.
    assert table.lines.wl_vac[0] == 15200.25
    assert table.lines.loggf[0] == pytest.approx(-0.5 + np.log10(2))
    assert table.lines.ep[0] == 6.1
    assert table.comments[0] == (
        "too weak in the model; log gf -0.500 changed by +0.301, a first estimate from depths of "
        "0.100 and 0.050; sharp"
    )
    # Closer than the neutral line, the ion gives its stage of ionisation.
    ion = replace(FEATURE, near=(NearLine("Fe 2", 15200.21, -1.5, 5.25, 0.0), *NEAR))
    assert list(line_table([said(ion, "Fe")]).lines.species) == ["Fe 2"]


def test_a_line_that_is_too_strong_loses_strength() -> None:
    strong = replace(FEATURE, kind="too strong", emulated=0.2, adapted=0.1)
    table = line_table([said(strong, "Fe")])
    assert table.lines.loggf[0] == pytest.approx(-0.5 - np.log10(2))
    # Depths that tell nothing give no number.
    none = line_table([said(replace(strong, adapted=-0.01), "Fe")])
    assert np.isnan(none.lines.loggf[0]) and "has to change" in none.comments[0]


def test_a_shifted_line_has_its_old_and_its_new_wavelength() -> None:
    shifted = replace(FEATURE, kind="shifted", shift=0.06)
    table = line_table([said(shifted, "Fe")], KNOWN)
    assert table.lines.wl_vac[0] == pytest.approx(15200.31)
    assert table.lines.loggf[0] == -0.5
    assert "wavelength 15200.2500 A (vacuum) changed by +0.0600 A" in table.comments[0]
    old = line_table([said(replace(shifted, shift=None), "Fe")], KNOWN)
    assert np.isnan(old.lines.loggf[0]) and "lines --store" in old.comments[0]


@pytest.mark.parametrize("kind", ["broad", "changes sign"])
def test_what_is_no_line_is_left_out_with_the_reason(kind: Kind) -> None:
    table = line_table([said(replace(FEATURE, kind=kind), "Fe", "wide")], KNOWN)
    assert len(table.lines) == 0
    assert table.left_out[0][1].startswith(f"{kind}: ") and table.left_out[0][1].endswith("; wide")


def test_a_missing_line_borrows_no_strength() -> None:
    table = line_table([said(MISSING, "Fe", "sharp")], KNOWN)
    assert list(table.lines.species) == ["Fe 1"]
    assert table.lines.wl_vac[0] == MISSING.wavelength
    assert np.isnan(table.lines.loggf[0]) and np.isnan(table.lines.ep[0])
    assert table.comments[0] == (
        "missing in the model; the known line at +0.050 A has log gf -0.500, EP 6.100 eV; sharp"
    )


def test_a_known_line_is_changed_once() -> None:
    other = replace(FEATURE, id="other", wavelength=15200.4, kind="too strong")
    table = line_table([said(FEATURE, "Fe"), said(other, "Fe", "odd")], KNOWN)
    assert len(table.lines) == 1
    assert table.left_out == ((other, "its line is that of the feature at 15200.20 A; odd"),)


def test_what_is_not_known_stays_unknown() -> None:
    for element, species in (("Ti", "Ti 1"), ("CO", "CO 1")):
        table = line_table([said(MISSING, element)])
        assert list(table.lines.species) == [species]
        assert np.isnan(table.lines.loggf[0]) and np.isnan(table.lines.ep[0])
        assert "no known line within 0.3 A" in table.comments[0]
        # Nothing is there to be made stronger.
        weak = line_table([said(FEATURE, element)])
        assert len(weak.lines) == 0
        assert weak.left_out[0][1].startswith(f"too weak, but no known line of {element} within")
    assert "taken as neutral" in line_table([said(MISSING, "Ti")]).comments[0]
    # A known line that is too far away lends nothing.
    far = replace(MISSING, near=(NearLine("Si 1", 15200.51, 0.1, 7.0, 0.5),))
    assert np.isnan(line_table([said(far, "Si")]).lines.loggf[0])


def test_isotopes_and_damping_come_from_the_list_itself() -> None:
    # The candidates' own log gf hold the fraction of 13C, 1 in 10 here.
    near = (NearLine("CN 1", 15200.2, -2.94, 1.05, 1.0),)
    feature = said(replace(FEATURE, near=near), "CN")
    table = line_table([feature], KNOWN, {"c12c13": 9.0})
    assert list(table.lines.isotopologue) == ["013014"]
    assert table.lines.loggf[0] == pytest.approx(-1.9 + np.log10(2))
    assert line_table([said(FEATURE, "Fe")], KNOWN).lines.vdw[0] == -7.4
    alone = line_table([said(FEATURE, "CN")])
    assert "fraction may be in log gf" in alone.comments[0]


def test_features_without_an_element_take_the_likeliest_or_are_left_out() -> None:
    table = line_table([said(FEATURE, "")])
    assert list(table.lines.species) == ["Fe 1"]
    assert "; Fe is the likeliest answer, chosen by nobody;" in table.comments[0]
    table = line_table([said(FEATURE, "")], unnamed="leave out")
    assert len(table.lines) == 0
    assert table.left_out == ((FEATURE, "no element was named"),)
    table = line_table([said(FEATURE, "blend", "wide"), said(FEATURE, "unknown")])
    assert [reason for _, reason in table.left_out] == [
        "said to be blend; wide",
        "said to be unknown",
    ]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("medium", ["air", "vacuum"])
def test_codes_read_what_is_known_and_the_rest_is_listed(code: Code, medium: str) -> None:
    iron, other = said(FEATURE, "Fe", "it's a 'good' one"), a_candidate(15300.0)
    accepted = [iron, said(FEATURE, "CN"), said(other, "Ti"), said(other, "blend", "two\nlines")]
    table = line_table(accepted, KNOWN)
    disputed = [a_candidate(15400.0)]
    written = line_list_text(table, code, medium, disputed)  # type: ignore[arg-type]
    readers = {"vald": read_vald, "moog": read_moog, "turbospectrum": read_turbospectrum}
    lines = readers[code](written.text.encode(), medium=medium)  # type: ignore[operator]
    assert sorted(lines.species) == ["CN 1", "Fe 1"]
    np.testing.assert_allclose(np.sort(lines.wl_vac), [15200.199, 15200.25], atol=1e-3)
    iron_line = lines.loggf[list(lines.species).index("Fe 1")]
    assert iron_line == pytest.approx(-0.5 + np.log10(2), abs=6e-4)
    left = written.left_out if code != "vald" else written.text + written.left_out
    assert "Ti I" in left and "not known" in left
    assert "said to be blend; two lines; answers Fe 0.70, CN 0.20, unknown 0.10" in left
    assert "accepted and rejected by different vetters" in left
    assert any("2 features name no species" in n for n in written.notes)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(LinesError, match="vald, moog, turbospectrum"):
        line_list_text(line_table([]), "kurucz")  # type: ignore[arg-type]


def test_nothing_accepted_gives_an_empty_list() -> None:
    table = line_table([])
    assert len(table.lines) == 0
    for code in CODES:
        assert line_list_text(table, code).left_out == ""


def test_several_vetters_settle_or_dispute(
    vetting: Vetting, thirty: Candidates, make_candidates: Make
) -> None:
    a, b, c, d, e = thirty[:5]
    vetting.decide(a, "ann", status="accepted", element="Fe", comment="yes")
    vetting.decide(a, "bob", status="accepted", element="Si")
    vetting.decide(a, "eve", status="accepted", element="Fe", comment="yes!")
    vetting.decide(b, "ann", status="accepted")
    vetting.decide(b, "bob", status="rejected")
    vetting.decide(c, "ann", status="unsure")
    vetting.decide(d, "bob", status="accepted", element="CN")
    vetting.decide(d, "eve", status="unsure")
    vetting.decide(e, "ann", status="accepted", element="Fe")
    again = make_candidates([x.wavelength for x in thirty if x is not e])
    found = settle(vetting, again)
    assert [(x.id, y.element) for x, y in found.accepted] == [(a.id, "Fe"), (d.id, "CN")]
    assert found.accepted[0][1].comment == "ann: yes; eve: yes!"
    assert [x.id for x in found.disputed] == [b.id]
    assert [y.candidate for y in found.gone] == [e.id]
    ann = settle(vetting, again, "ann")
    assert [x.id for x, _ in ann.accepted] == [a.id, b.id] and not ann.disputed
    counts = counted(line_table(found.accepted), found)
    assert counts["n_accepted"] == 2 and counts["n_disputed"] == counts["n_not_in_table"] == 1
    with pytest.raises(LinesError, match="no vetter"):
        settle(vetting, thirty, "joe")
