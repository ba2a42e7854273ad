from __future__ import annotations

import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from spectrabridge.core.errors import LinesError
from spectrabridge.core.lines import Candidate, Candidates
from spectrabridge.core.vetting import Vetting, default_vetting_path, open_vetting

from .conftest import FINGERPRINT, OTHER, Make, a_candidate

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vetting.sqlite"


@pytest.fixture
def vetting(file: Path, thirty: Candidates) -> Iterator[Vetting]:
    with open_vetting(file, thirty) as opened:
        yield opened


def test_only_what_is_given_changes(vetting: Vetting, thirty: Candidates) -> None:
    first = vetting.decide(thirty[0], "ann", status="accepted")
    assert (first.status, first.element, first.comment) == ("accepted", "", "")
    assert (first.wavelength, first.low, first.high) == (15200.2, thirty[0].low, thirty[0].high)
    vetting.decide(thirty[0], "ann", element="fe")
    last = vetting.decide(thirty[0], "ann", comment="blue wing?")
    assert (last.status, last.element, last.comment) == ("accepted", "Fe", "blue wing?")
    assert vetting.decisions("ann") == {thirty[0].id: last}
    assert last.when >= first.when and last.when.endswith("Z")
    assert [d.element for d in vetting.history(thirty[0].id)] == ["", "Fe", "Fe"]


def test_saying_the_same_again_writes_nothing(vetting: Vetting, thirty: Candidates) -> None:
    vetting.decide(thirty[0], "ann", status="rejected", comment="")
    before = vetting.version()
    vetting.decide(thirty[0], "ann", status="rejected")
    vetting.decide(thirty[1], "ann", status="")
    assert vetting.version() == before


def test_vetters_do_not_see_each_other(vetting: Vetting, thirty: Candidates) -> None:
    vetting.decide(thirty[0], "bob", status="rejected")
    ann = vetting.decide(thirty[0], "ann", status="accepted")
    assert vetting.vetters() == ["ann", "bob"]
    assert vetting.decisions("bob")[thirty[0].id].status == "rejected"
    assert vetting.decisions()[thirty[0].id] == ann
    assert vetting.decisions("eve") == {}
    vetting.undo("bob")
    assert vetting.decisions("bob") == {}
    assert vetting.decisions("ann") == {thirty[0].id: ann}


def test_progress_counts_statuses_of_the_table(
    vetting: Vetting, thirty: Candidates, make_candidates: Make
) -> None:
    vetting.decide(thirty[0], "ann", status="accepted")
    vetting.decide(thirty[1], "ann", status="unsure")
    vetting.decide(thirty[2], "ann", comment="later")
    vetting.decide(thirty[3], "bob", status="accepted")
    assert vetting.progress("ann", thirty) == (2, 30)
    assert vetting.progress("ann", make_candidates([15200.2, 16000.0])) == (1, 2)


def test_undo_goes_back_step_by_step_and_keeps_the_history(
    vetting: Vetting, thirty: Candidates
) -> None:
    a, b = thirty[0], thirty[1]
    vetting.decide(a, "ann", status="accepted")
    vetting.decide(b, "ann", status="unsure")
    vetting.decide(a, "ann", status="rejected", comment="no")
    undone = vetting.undo("ann")
    assert undone is not None
    assert (undone.candidate, undone.status, undone.comment) == (a.id, "accepted", "")
    # A new decision after an undo is the next to be undone, and the undone one never returns.
    vetting.decide(a, "ann", element="Si")
    assert vetting.undo("ann").element == ""  # type: ignore[union-attr]
    assert vetting.undo("ann").candidate == b.id  # type: ignore[union-attr]
    assert set(vetting.decisions("ann")) == {a.id}
    last = vetting.undo("ann")
    assert last is not None and last.blank and last.candidate == a.id
    assert vetting.undo("ann") is None
    assert vetting.decisions("ann") == {}
    assert [d.status for d in vetting.history(a.id)] == [
        "accepted",
        "rejected",
        "accepted",
        "accepted",
        "accepted",
        "",
    ]


def test_thirty_decisions_survive_kill_9_right_after_each(file: Path, thirty: Candidates) -> None:
    """Each is made by a process that dies at once, and is there for whoever opens next."""

    def decide_and_die(candidate: Candidate, status: str) -> None:
        vetting = open_vetting(file, thirty)
        vetting.decide(candidate, "ann", status=status, element="Fe", comment=candidate.id)
        os.kill(os.getpid(), signal.SIGKILL)

    for i, candidate in enumerate(thirty):
        child = FORK.Process(
            target=decide_and_die, args=(candidate, ("accepted", "rejected", "unsure")[i % 3])
        )
        child.start()
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        # The file alone, without its log, has it too.
        alone = file.with_name("alone.sqlite")
        shutil.copy(file, alone)
        with open_vetting(alone, thirty, read_only=True) as copied:
            assert len(copied.decisions("ann")) == i + 1
    with open_vetting(file, thirty) as vetting:
        found = vetting.decisions("ann")
        assert set(found) == {c.id for c in thirty}
        assert [found[c.id].status for c in thirty] == ["accepted", "rejected", "unsure"] * 10
        assert all(d.comment == d.candidate for d in found.values())


def test_kill_9_at_any_moment_leaves_whole_decisions(file: Path, thirty: Candidates) -> None:
    """What the dying process had reported as kept is kept, and nothing is half written."""
    dice = random.Random(4)
    for _ in range(6):
        reader, writer = FORK.Pipe(duplex=False)

        def decide_on(pipe: object = writer) -> None:
            with open_vetting(file, thirty) as vetting:
                for i in range(10_000):
                    c = thirty[i % 30]
                    vetting.decide(c, "ann", status="accepted", comment=f"{c.id} {i}")
                    pipe.send((c.id, i))  # type: ignore[attr-defined]

        child = FORK.Process(target=decide_on)
        child.start()
        writer.close()
        last = reader.recv()
        for _ in range(dice.randrange(60)):
            last = reader.recv()
        child.kill()
        child.join(30)
        while True:
            try:
                last = reader.recv()
            except EOFError:
                break
        with open_vetting(file, thirty) as vetting:
            comment = vetting.decisions("ann")[last[0]].comment
            assert int(comment.split()[1]) >= last[1]


def test_two_processes_on_one_file_lose_nothing(file: Path, thirty: Candidates) -> None:
    start = FORK.Barrier(2)

    def work(vetter: str) -> None:
        start.wait(30)
        with open_vetting(file, thirty) as vetting:  # a new file, begun by both at once
            for turn in range(3):
                for c in thirty:
                    vetting.decide(c, vetter, status="unsure", comment=f"{vetter} {turn}")
            for c in thirty:
                vetting.decide(c, "both", comment=vetter)

    children = [FORK.Process(target=work, args=(name,)) for name in ("ann", "bob")]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    with open_vetting(file, thirty) as vetting:
        for name in ("ann", "bob"):
            found = vetting.decisions(name)
            assert len(found) == 30
            assert {d.comment for d in found.values()} == {f"{name} 2"}
        for c in thirty:
            history = vetting.history(c.id)
            assert [d.comment for d in history if d.vetter == "ann"] == ["ann 0", "ann 1", "ann 2"]
            assert {d.comment for d in history if d.vetter == "both"} == {"ann", "bob"}


def test_threads_share_one_file_and_undo_each_change_once(
    vetting: Vetting, thirty: Candidates
) -> None:
    problems: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    def all_at_once(*works: Callable[[], object]) -> None:
        threads = [threading.Thread(target=run, args=(w,)) for w in works]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not problems

    def decide(part: slice) -> Callable[[], object]:
        return lambda: [vetting.decide(c, "ann", status="accepted") for c in thirty[part]]

    all_at_once(*(decide(slice(k, None, 4)) for k in range(4)))
    assert vetting.progress("ann", thirty) == (30, 30)
    all_at_once(*[lambda: [vetting.undo("ann") for _ in range(5)]] * 4)
    assert vetting.progress("ann", thirty) == (10, 30)


def test_a_change_by_another_server_is_noticed(
    file: Path, vetting: Vetting, thirty: Candidates
) -> None:
    before = vetting.version()
    with open_vetting(file, thirty) as other:
        assert other.version() == before
        other.decide(thirty[5], "bob", status="rejected")
        assert vetting.version() > before
        assert vetting.decisions("bob")[thirty[5].id].status == "rejected"
        before = vetting.version()
        other.undo("bob")
    assert vetting.version() > before


def test_a_sorted_or_recomputed_table_never_relabels(
    vetting: Vetting, thirty: Candidates, make_candidates: Make
) -> None:
    for i, c in enumerate(thirty):
        vetting.decide(c, "ann", status="accepted" if i % 2 else "rejected", comment=str(i))
    rows = list(thirty)
    random.Random(1).shuffle(rows)
    found = vetting.decisions("ann")
    for c in rows:
        assert thirty[int(found[c.id].comment)].id == c.id
    # Found anew: the first has moved within its extent, the second far; others are as they were,
    # with new ones between them.
    moved = [15200.35, 15204.9, *(c.wavelength for c in thirty[2:]), 15207.7, 15290.2]
    again = make_candidates(sorted(moved))
    for c in again:
        if c.id in found:
            assert found[c.id].wavelength == c.wavelength
    orphans = vetting.orphans(again)
    assert [o.decision.comment for o in orphans] == ["0", "1"]
    assert orphans[0].nearest is not None and orphans[0].nearest.wavelength == 15200.35
    assert orphans[1].nearest is None
    assert vetting.progress("ann", again) == (28, 32)
    assert vetting.orphans(thirty) == []


def test_a_candidate_of_another_bundle_is_refused(vetting: Vetting) -> None:
    with pytest.raises(LinesError, match=r"is not of bundle toy"):
        vetting.decide(a_candidate(15200.2, OTHER), "ann", status="accepted")
    assert vetting.version() == 0


def test_what_cannot_be_said_is_refused_and_changes_nothing(
    vetting: Vetting, thirty: Candidates
) -> None:
    kept = vetting.decide(thirty[0], "ann", status="accepted", element="CN")
    for wrong in ({"element": "Xx"}, {"status": "yes"}, {"comment": "\x00"}):
        with pytest.raises(LinesError):
            vetting.decide(thirty[0], "ann", **wrong)
    with pytest.raises(LinesError, match="name"):
        vetting.decide(thirty[0], " ", status="rejected")
    assert vetting.decisions() == {thirty[0].id: kept}


# ---------------------------------------------------------------------- files that are not ours


def test_another_bundles_file_is_left_as_it_was(
    file: Path, thirty: Candidates, make_candidates: Make
) -> None:
    with open_vetting(file, thirty) as vetting:
        vetting.decide(thirty[0], "ann", status="accepted")
    before = file.read_bytes()
    with pytest.raises(LinesError, match=r"about bundle toy \(01234567\), not about other"):
        open_vetting(file, make_candidates([15200.2], OTHER))
    with pytest.raises(LinesError, match="not about"):
        open_vetting(file, ("toy", OTHER))
    assert file.read_bytes() == before
    assert [f.name for f in file.parent.iterdir()] == [file.name]


def test_a_file_that_is_no_database_is_left_as_it_was(file: Path, thirty: Candidates) -> None:
    for content in (b"my notes\n" * 200, b"x", b"SQLite format 3\0" + b"junk" * 500):
        file.write_bytes(content)
        for read_only in (False, True):
            with pytest.raises(LinesError, match=r"no vetting file|damaged|not be"):
                open_vetting(file, thirty, read_only=read_only)
        assert file.read_bytes() == content


def test_another_programs_database_is_left_as_it_was(file: Path, thirty: Candidates) -> None:
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute("CREATE TABLE changes (a)")
    before = file.read_bytes()
    with pytest.raises(LinesError, match="another program"):
        open_vetting(file, thirty)
    with closing(sqlite3.connect(file)) as theirs:
        theirs.execute("DROP TABLE changes")
        theirs.execute("PRAGMA application_id = 7")
    with pytest.raises(LinesError, match="another program"):
        open_vetting(file, thirty)
    assert len(before) and file.exists()


def test_a_newer_layout_is_refused(file: Path, thirty: Candidates) -> None:
    open_vetting(file, thirty).close()
    with closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA user_version = 2")
    with pytest.raises(LinesError, match="layout 2"):
        open_vetting(file, thirty)


def test_a_damaged_row_is_named(file: Path, thirty: Candidates) -> None:
    with open_vetting(file, thirty) as vetting:
        vetting.decide(thirty[0], "ann", status="accepted")
    with closing(sqlite3.connect(file)) as stranger:
        stranger.execute("UPDATE changes SET wavelength = 'red', element = 'Fe'")
        stranger.commit()
    with open_vetting(file, thirty) as vetting, pytest.raises(LinesError, match=thirty[0].id):
        vetting.decisions()


def test_a_damaged_file_is_said_in_words(file: Path, thirty: Candidates) -> None:
    with open_vetting(file, thirty) as vetting:
        for c in thirty:
            vetting.decide(c, "ann", status="accepted", comment="comment of mine")
    whole = file.read_bytes()
    cut, changed = (
        whole[: len(whole) // 2],
        whole.replace(b"comment of mine", b"comment of m\xff\xfe"),
    )
    for content in (cut, changed):
        file.write_bytes(content)
        with pytest.raises(LinesError, match="is damaged"), open_vetting(file, thirty) as vetting:
            vetting.decisions()


def test_an_empty_file_is_begun(file: Path, thirty: Candidates) -> None:
    file.touch()
    with pytest.raises(LinesError, match="empty"):
        open_vetting(file, thirty, read_only=True)
    with open_vetting(file, thirty) as vetting:
        vetting.decide(thirty[0], "ann", status="accepted")
    with open_vetting(file, None, read_only=True) as read:
        assert (read.bundle, read.fingerprint) == ("toy", FINGERPRINT)
        assert len(read.decisions()) == 1
        with pytest.raises(LinesError, match="opened to be read"):
            read.decide(thirty[1], "ann", status="accepted")


def test_a_folder_and_a_missing_place_are_named(tmp_path: Path, thirty: Candidates) -> None:
    with pytest.raises(LinesError, match="is a folder"):
        open_vetting(tmp_path, thirty)
    with pytest.raises(LinesError, match="no folder"):
        open_vetting(tmp_path / "a" / "b.sqlite", thirty)
    with pytest.raises(LinesError, match="no vetting file"):
        open_vetting(tmp_path / "b.sqlite", thirty, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_vanishes_is_noticed(file: Path, vetting: Vetting, thirty: Candidates) -> None:
    vetting.decide(thirty[0], "ann", status="accepted")
    elsewhere = file.with_name("moved.sqlite")
    file.rename(elsewhere)
    with pytest.raises(LinesError, match="moved, deleted or replaced"):
        vetting.decide(thirty[1], "ann", status="accepted")
    elsewhere.rename(file)
    vetting.decide(thirty[1], "ann", status="accepted")
    assert len(vetting.decisions()) == 2


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder of somebody who may not write everywhere, as root may."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_read_only_file_is_refused_but_can_be_read(
    ordinary_user: Path, thirty: Candidates
) -> None:
    file = ordinary_user / "v.sqlite"
    with open_vetting(file, thirty) as vetting:
        vetting.decide(thirty[0], "ann", status="accepted")
    before = file.read_bytes()
    file.chmod(0o400)
    with pytest.raises(LinesError, match="cannot be written to"):
        open_vetting(file, thirty)
    ordinary_user.chmod(0o500)
    with pytest.raises(LinesError, match=r"cannot be written to|folder that can be"):
        open_vetting(file, thirty)
    with open_vetting(file, thirty, read_only=True) as read:
        assert len(read.decisions("ann")) == 1
    assert file.read_bytes() == before
    with pytest.raises(LinesError, match="folder that can be written to"):
        open_vetting(ordinary_user / "new.sqlite", thirty)


def test_a_full_disk_loses_no_earlier_decision(file: Path, thirty: Candidates) -> None:
    """Files may not grow beyond a limit, as if the disk were full there."""
    vetting = open_vetting(file, thirty)
    long = "x" * 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, hard))
    kept = []
    try:
        with pytest.raises(LinesError, match=r"was not kept: .*full"):
            for c in thirty:
                vetting.decide(c, "ann", status="accepted", comment=long)
                kept.append(c.id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 2 < len(kept) < 30
    assert list(vetting.decisions("ann")) == kept
    # There is room again, and the same session goes on.
    for c in thirty:
        vetting.decide(c, "ann", status="accepted", comment=long)
    vetting.close()
    with open_vetting(file, thirty) as again:
        assert len(again.decisions("ann")) == 30


def test_a_full_file_is_said_in_words(vetting: Vetting, thirty: Candidates) -> None:
    vetting._connection.execute("PRAGMA max_page_count = 8")
    with pytest.raises(LinesError, match="is full; make room"):
        for c in thirty:
            vetting.decide(c, "ann", comment="y" * 3000)
    assert all(len(d.comment) == 3000 for d in vetting.decisions().values())


def test_a_locked_file_is_said_in_words(
    file: Path, vetting: Vetting, thirty: Candidates, monkeypatch: pytest.MonkeyPatch
) -> None:
    vetting._connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LinesError, match="another program has kept the file locked"):
            vetting.decide(thirty[0], "ann", status="accepted")
        other.execute("ROLLBACK")
    vetting.decide(thirty[0], "ann", status="accepted")


def test_closing_twice_and_using_a_closed_file(vetting: Vetting, thirty: Candidates) -> None:
    vetting.close()
    vetting.close()
    with pytest.raises(LinesError, match="closed"):
        vetting.decisions()
    with pytest.raises(LinesError, match="closed"):
        vetting.decide(thirty[0], "ann", status="accepted")


def test_recorded_decisions_keep_their_times_and_are_all_or_none(
    vetting: Vetting, thirty: Candidates
) -> None:
    one = vetting.decide(thirty[0], "ann", status="accepted")
    old = replace(one, vetter="bob", element="Si", when="2020-01-01T00:00:00Z")
    assert vetting.record([old, one], replace_existing=False) == ["written", "same"]
    assert vetting.decisions("bob")[one.candidate] == old
    new = replace(old, element="Fe")
    assert vetting.record([new], replace_existing=False) == ["kept"]
    with pytest.raises(LinesError, match="no element"):
        vetting.record([new, replace(old, element="Xx")], replace_existing=True)
    assert vetting.decisions("bob")[one.candidate] == old
    assert vetting.record([new], replace_existing=True) == ["written"]
    assert vetting.decisions("bob")[one.candidate] == new


def test_the_usual_place_is_named_after_the_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    class Bundle:
        name = "a/b giants"
        fingerprint = FINGERPRINT

    path = default_vetting_path(Bundle())
    assert path == tmp_path / "spectrabridge" / "vetting" / "a_b_giants-01234567.sqlite"
    with open_vetting(path, ("a/b giants", FINGERPRINT)) as vetting:
        assert vetting.path.exists()
