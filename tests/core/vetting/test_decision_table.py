from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.io.votable import parse
from astropy.table import Table

from spectrabridge.core.errors import LinesError
from spectrabridge.core.io.cell_text import escape, unescape
from spectrabridge.core.io.table_writer import table_bytes, write_table
from spectrabridge.core.lines import Candidates
from spectrabridge.core.spectra import vacuum_to_air
from spectrabridge.core.vetting import Decision, Vetting, open_vetting
from spectrabridge.core.vetting.decision_table import decision_table
from spectrabridge.core.vetting.import_session import import_session, match_wavelengths
from spectrabridge.core.vetting.previous_session import Session, read_session

from .conftest import FINGERPRINT, OTHER, Make

FORMATS = ("ECSV", "VOTable", "FITS")
"""Formats of tables from which a session is read."""

COMMENTS = (
    "plain",
    "blue wing, 0.3 deep; \"quoted\" 'twice'",
    "Ångström λ < 1 & <b>bold</b> … 星",
    "two\nlines\tand a tab",
    r"a backslash \n that is no line feed, \xe9",
    "# not a comment",
)


@pytest.fixture
def vetting(tmp_path: Path, thirty: Candidates) -> Iterator[Vetting]:
    with open_vetting(tmp_path / "v.sqlite", thirty) as opened:
        for i, c in enumerate(thirty[:12]):
            opened.decide(
                c,
                "ann",
                status=("accepted", "rejected", "unsure")[i % 3],
                element=("Fe", "CN", "blend", "")[i % 4],
                comment=COMMENTS[i % len(COMMENTS)],
            )
        opened.decide(thirty[0], "bob Ünal", status="accepted", element="Si")
        opened.decide(thirty[20], "bob Ünal", comment="no status, only words")
        yield opened


def test_accepted_ones_have_a_row_per_vetter_and_units(
    vetting: Vetting, thirty: Candidates
) -> None:
    table = decision_table(vetting, thirty)
    assert list(table["status"]) == ["accepted"] * 5
    assert list(table["id"][:3]) == [thirty[0].id, thirty[0].id, thirty[3].id]
    assert list(table["vetter"][:2]) == ["ann", "bob Ünal"]
    assert table["wavelength"].unit == units.AA and table["width"].unit == units.mAA
    assert table.meta["fingerprint"] == FINGERPRINT and table.meta["medium"] == "vacuum"
    assert table.meta["vetters"] == ["ann", "bob Ünal"]
    np.testing.assert_allclose(table["wavelength_air"], vacuum_to_air(table["wavelength"]))
    only = decision_table(vetting, thirty, vetter="ann")
    assert len(only) == 4 and only.meta["vetters"] == ["ann"]
    with pytest.raises(LinesError, match="no vetter 'eve'"):
        decision_table(vetting, thirty, vetter="eve")


def test_all_rows_have_undecided_candidates_and_lost_decisions(
    vetting: Vetting, thirty: Candidates, make_candidates: Make
) -> None:
    table = decision_table(vetting, thirty, "all")
    assert len(table) == 31  # one candidate has two vetters
    assert (table["status"] == "").sum() == 18
    assert np.all(np.diff(table["wavelength"]) >= 0)
    # A recomputed table without the first candidate.
    fewer = make_candidates([c.wavelength for c in thirty[1:]])
    table = decision_table(vetting, fewer)
    assert list(table["in_table"]) == [False, False, True, True, True]
    assert list(table["id"][:2]) == [thirty[0].id] * 2
    assert np.isnan(table["depth"][0]) and table["kind"][0] == "" and table["kind"][2] == "missing"
    assert table["wavelength"][0] == thirty[0].wavelength


def test_candidates_of_another_bundle_are_refused(vetting: Vetting, make_candidates: Make) -> None:
    with pytest.raises(LinesError, match="bundle other"):
        decision_table(vetting, make_candidates([15200.2], OTHER))


def test_nothing_accepted_is_an_empty_table(tmp_path: Path, thirty: Candidates) -> None:
    with open_vetting(tmp_path / "empty.sqlite", thirty) as vetting:
        table = decision_table(vetting, thirty)
    assert len(table) == 0
    for kind in FORMATS:
        path = tmp_path / f"empty.{kind}"
        write_table(table, path, kind)
        assert read_session(path).decisions == ()


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_read_back_as_it_was(
    kind: str, vetting: Vetting, thirty: Candidates, tmp_path: Path
) -> None:
    path = tmp_path / f"table.{kind}"
    write_table(decision_table(vetting, thirty, "all"), path, kind)
    session = read_session(path)
    assert (session.bundle, session.fingerprint) == ("toy", FINGERPRINT)
    assert session.n_open == 17

    def rounded(d: Decision) -> tuple[object, ...]:
        ends = (round(d.wavelength, 8), round(d.low, 8), round(d.high, 8))
        return (d.candidate, *ends, d.vetter, d.status, d.element, d.comment, d.when)

    assert sorted(map(rounded, session.decisions)) == sorted(map(rounded, vetting.everything()))
    assert {d.comment for d in session.decisions} >= set(COMMENTS)
    with open_vetting(tmp_path / "new.sqlite", thirty) as new:
        found = import_session(new, session, thirty)
        assert len(found.written) == 14
        assert new.everything() == vetting.everything()
        again = import_session(new, session, thirty)
        assert len(again.same) == 14 and not again.written


def test_other_programs_find_units_and_provenance(vetting: Vetting, thirty: Candidates) -> None:
    table = decision_table(vetting, thirty)
    names = set(table.colnames)
    from io import BytesIO

    with fits.open(BytesIO(table_bytes(table, "FITS"))) as hdus:
        header = hdus[1].header
        assert header["FPRINT"] == FINGERPRINT and header["MEDIUM"] == "vacuum"
        assert set(hdus[1].columns.names) == names
        assert hdus[1].columns["width"].unit == "Angstrom"
        assert hdus[1].data["width"][0] == pytest.approx(0.021)
        assert hdus[1].columns["near_ep"].unit == "eV"
    votable = parse(BytesIO(table_bytes(table, "VOTable"))).get_first_table()
    fields = {f.name: f for f in votable.fields}
    assert set(fields) == names
    assert str(fields["wavelength"].unit) == "Angstrom"
    assert "vacuum" in fields["wavelength"].description
    assert {i.name: i.value for i in votable.infos}["fingerprint"] == FINGERPRINT
    # The caller's table is as it was.
    assert table["width"].unit == units.mAA and table.meta["bundle"] == "toy"


def test_escapes_are_undone_exactly() -> None:
    for text in (*COMMENTS, "\\", "\\\\n", "😀 \\u2026", "x\\xzz"):
        for ascii_only in (False, True):
            written = escape(text, ascii_only)
            assert "\n" not in written and (written.isascii() or not ascii_only)
            assert unescape(written) == text


# ---------------------------------------------------------------------- sessions of others


def a_table(wavelength: object, **columns: object) -> Table:
    table = Table({"wavelength": wavelength})
    n = len(table)
    table["status"] = ["accepted"] * n
    table["vetter"] = ["eve"] * n
    for name, values in columns.items():
        table[name] = values
    return table


def saved(table: Table, path: Path, **meta: object) -> Path:
    table.meta.update(meta)
    table.write(path, format="ascii.ecsv", overwrite=True)
    return path


def test_a_table_without_units_is_asked_about(tmp_path: Path) -> None:
    path = saved(a_table([1.52002, 1.52032]), tmp_path / "t.ecsv", medium="vacuum")
    with pytest.raises(LinesError, match=r"no unit for wavelength\. Is it angstrom, nm or um\?"):
        read_session(path)
    found = read_session(path, unit="um").decisions
    assert [d.wavelength for d in found] == pytest.approx([15200.2, 15203.2])
    with pytest.raises(LinesError, match="above 2000"):
        read_session(path, unit="angstrom")
    with pytest.raises(LinesError, match="units are"):
        read_session(path, unit="parsec")


def test_wavelengths_of_an_unnamed_medium_are_asked_about(tmp_path: Path) -> None:
    air = vacuum_to_air([15200.2, 15203.2])
    path = saved(a_table(air * units.AA), tmp_path / "t.ecsv")
    with pytest.raises(LinesError, match=r"in vacuum or in air\. Which is it"):
        read_session(path)
    found = read_session(path, medium="air").decisions
    assert [d.wavelength for d in found] == pytest.approx([15200.2, 15203.2])
    taken = read_session(path, medium="vacuum").decisions
    assert taken[0].wavelength == pytest.approx(air[0])


def test_what_is_given_may_not_contradict_the_table(tmp_path: Path) -> None:
    path = saved(a_table([1520.02] * units.nm), tmp_path / "t.ecsv", medium="vacuum")
    assert read_session(path).decisions[0].wavelength == pytest.approx(15200.2)
    assert read_session(path, unit="nm", medium="vacuum").decisions
    with pytest.raises(LinesError, match="in nm; angstrom was given"):
        read_session(path, unit="angstrom")
    with pytest.raises(LinesError, match="medium is vacuum; air was given"):
        read_session(path, medium="air")
    path = saved(a_table([1.0] * units.kg), tmp_path / "k.ecsv", medium="vacuum")
    with pytest.raises(LinesError, match="unit kg"):
        read_session(path)


def test_rows_that_cannot_be_decisions_are_named(tmp_path: Path) -> None:
    wave = [15200.2, 15203.2] * units.AA
    path = tmp_path / "t.ecsv"
    saved(a_table(wave, element=["Fe", "Xx"]), path, medium="vacuum")
    with pytest.raises(LinesError, match="row 2: There is no element 'Xx'"):
        read_session(path)
    saved(a_table(wave, status=["accepted", "good"]), path, medium="vacuum")
    with pytest.raises(LinesError, match="row 2: A status is"):
        read_session(path)
    saved(a_table(wave, decided=["2026-01-31T12:00:00Z", "soon"]), path, medium="vacuum")
    with pytest.raises(LinesError, match="row 2: Expected a time"):
        read_session(path)
    saved(a_table(wave, id=["a", "a"]), path, medium="vacuum")
    with pytest.raises(LinesError, match="two decisions of eve about a"):
        read_session(path)
    table = a_table(wave)
    table.remove_column("vetter")
    saved(table, path, medium="vacuum")
    with pytest.raises(LinesError, match="who decided"):
        read_session(path)
    assert {d.vetter for d in read_session(path, vetter="joe").decisions} == {"joe"}
    table.remove_column("status")
    saved(table, path, medium="vacuum")
    with pytest.raises(LinesError, match="columns wavelength and status"):
        read_session(path)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for content in (b"", b"wavelength,status\n1,a\n", b"# %ECSV 1.0\nrubbish", b"<?xml?><a/>"):
        path.write_bytes(content)
        with pytest.raises(LinesError, match=r"neither|cannot be read|is empty"):
            read_session(path)
    with pytest.raises(LinesError, match="There is no file"):
        read_session(tmp_path / "none.ecsv")


def test_another_bundle_is_refused_unless_wavelengths_are_to_be_matched(
    vetting: Vetting, thirty: Candidates, make_candidates: Make, tmp_path: Path
) -> None:
    # The other bundle finds most features a little off, one twice, and one not at all.
    centres = [c.wavelength + 0.1 for c in thirty if c not in (thirty[3], thirty[4])]
    other = make_candidates(sorted([*centres, 15209.0, 15209.4]), OTHER)
    session = read_session(vetting.path)
    assert len(session.decisions) == 14
    with open_vetting(tmp_path / "other.sqlite", other) as target:
        with pytest.raises(LinesError, match=r"about bundle toy .*matched by wavelength"):
            import_session(target, session, other)
        assert target.version() == 0
        found = import_session(target, session, other, match="wavelength")
        assert [d.wavelength for d in found.ambiguous] == [thirty[3].wavelength]
        assert [d.wavelength for d in found.lost] == [thirty[4].wavelength]
        assert len(found.written) == 12 and found.n_matched == 12
        for d in target.everything():
            mine = [
                o
                for o in session.decisions
                if o.vetter == d.vetter and abs(o.wavelength + 0.1 - d.wavelength) < 0.01
            ]
            assert len(mine) == 1 and mine[0].says(d) and mine[0].when == d.when
            assert d.candidate.startswith(OTHER[:8])


def test_a_table_without_ids_needs_wavelengths(thirty: Candidates, tmp_path: Path) -> None:
    path = saved(
        a_table([15200.3, 15203.2, 15500.0] * units.AA),
        tmp_path / "t.ecsv",
        medium="vacuum",
        fingerprint=FINGERPRINT,
    )
    session = read_session(path)
    with open_vetting(tmp_path / "n.sqlite", thirty) as target:
        with pytest.raises(LinesError, match="without ids"):
            import_session(target, session, thirty)
        found = import_session(target, session, thirty, match="wavelength")
        assert [d.candidate for d in found.written] == [thirty[0].id, thirty[1].id]
        assert [d.wavelength for d in found.lost] == [15500.0]


def test_ids_that_are_gone_are_listed_not_attached(
    vetting: Vetting, thirty: Candidates, make_candidates: Make, tmp_path: Path
) -> None:
    again = make_candidates([15200.3, *(c.wavelength for c in thirty[1:])])
    session = read_session(vetting.path)
    with open_vetting(tmp_path / "n.sqlite", again) as target:
        found = import_session(target, session, again)
        assert {d.candidate for d in found.lost} == {thirty[0].id}
        assert len(found.written) == 12 and not found.ambiguous
        # Orphans of a file find their features in the same file, when that is asked for.
        moved = import_session(target, session, again, match="wavelength")
        assert {d.candidate for d in moved.written} == {again[0].id}
        assert len(moved.same) == 12


def test_existing_decisions_are_kept_unless_they_are_to_be_replaced(
    vetting: Vetting, thirty: Candidates, tmp_path: Path
) -> None:
    session = read_session(vetting.path)
    with open_vetting(tmp_path / "n.sqlite", thirty) as target:
        mine = target.decide(thirty[0], "ann", status="rejected", comment="mine")
        found = import_session(target, session, thirty)
        assert [d.candidate for d in found.kept] == [thirty[0].id]
        assert target.decisions("ann")[thirty[0].id] == mine
        assert len(found.written) == 13
        found = import_session(target, session, thirty, replace_existing=True)
        assert len(found.written) == 1 and len(found.same) == 13
        assert target.decisions("ann")[thirty[0].id].comment == "plain"
        assert target.history(thirty[0].id)[0].comment == "mine"


def test_two_decisions_that_want_one_candidate_are_ambiguous(thirty: Candidates) -> None:
    def wants(wavelength: float, vetter: str = "eve") -> Decision:
        return Decision("", wavelength, wavelength - 0.05, wavelength + 0.05, vetter, "accepted")

    one, two, other = wants(15200.1), wants(15200.3), wants(15200.3, "joe")
    matched, ambiguous, lost = match_wavelengths([one, two, other], thirty)
    assert matched == [(other, thirty[0])]
    assert ambiguous == [one, two] and lost == []
    taken = match_wavelengths([one], thirty, [("eve", thirty[0].id)])
    assert taken == ([], [one], [])


def test_every_decision_of_a_session_ends_in_one_list(thirty: Candidates, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    wavelengths = rng.uniform(15195, 15300, 80)
    decisions = tuple(
        Decision("", float(w), float(w) - 0.4, float(w) + 0.4, "eve", "unsure") for w in wavelengths
    )
    with open_vetting(tmp_path / "n.sqlite", thirty) as target:
        found = import_session(target, Session("s", "", "", decisions), thirty, match="wavelength")
        assert found.n_matched + len(found.ambiguous) + len(found.lost) == 80
        assert min(found.n_matched, len(found.ambiguous), len(found.lost)) > 3
        ids = [d.candidate for d in found.written]
        assert len(set(ids)) == len(ids) == len(target.decisions("eve"))


def test_a_file_takes_its_own_orphans_when_asked(
    vetting: Vetting, thirty: Candidates, make_candidates: Make
) -> None:
    again = make_candidates([15200.3, *(c.wavelength for c in thirty[1:])])
    assert len(vetting.orphans(again)) == 2
    before = vetting.version()
    session = read_session(vetting.path)
    found = import_session(vetting, session, again, match="wavelength")
    assert vetting.version() == before + 2
    assert {d.candidate for d in found.written} == {again[0].id}
    assert {d.vetter for d in found.written} == {"ann", "bob Ünal"}
