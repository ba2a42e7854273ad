from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from click.testing import CliRunner, Result

from spectrabridge.apps.cli import main
from spectrabridge.core.bundle import Bundle, open_bundle
from spectrabridge.core.io.cell_text import column_texts
from spectrabridge.core.io.table_formats import FORMATS
from spectrabridge.core.linelist import read_moog
from spectrabridge.core.lines import CANDIDATES, Answer, Candidate, Candidates, NearLine
from spectrabridge.core.lines.candidate import candidate_id
from spectrabridge.core.vetting import open_vetting

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient, conf

WAVELENGTHS = (15200.0, 15211.78, 15247.76, 15400.0, 16100.0)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["vetting", *(str(w) for w in words)])


def fails(result: Result, *parts: str) -> None:
    assert result.exit_code == 1, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("spectrabridge: ")]
    assert len(lines) == 1 and "Traceback" not in result.output + result.stderr
    for part in parts:
        assert part in lines[0]


def figures(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output + result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle("mock-lines")


@pytest.fixture(scope="module")
def candidates(bundle: Bundle) -> Candidates:
    def one(w: float) -> Candidate:
        start, stop = (int(i) for i in bundle.grid.wavelength.searchsorted([w - 0.5, w + 0.5]))
        return Candidate(
            candidate_id(bundle.fingerprint, w),
            w,
            w - 0.5,
            w + 0.5,
            start,
            stop,
            (start + stop) // 2,
            "missing" if w != WAVELENGTHS[0] else "too weak",
            emulated=0.05,
            adapted=0.1,
            depth=0.1,
            depth_low=0.05,
            depth_high=0.15,
            width=25.0,
            significance=12.0,
            answers=(Answer("Fe", 0.8), Answer("CN", 0.15), Answer("unknown", 0.05)),
            near=(NearLine("Fe 1", w + 0.1, -0.5, 5.4, 1.0),),
        )

    reference = dict(zip(bundle.labels.names, map(float, bundle.model.reference), strict=True))
    rows = tuple(map(one, WAVELENGTHS))
    return Candidates(bundle.name, bundle.fingerprint, reference, {}, rows)


@pytest.fixture
def table(candidates: Candidates, tmp_path: Path) -> Path:
    path = tmp_path / "candidates.json"
    path.write_bytes(candidates.dumps())
    return path


@pytest.fixture
def vetted(candidates: Candidates, tmp_path: Path) -> Path:
    path = tmp_path / "v.sqlite"
    with open_vetting(path, candidates) as vetting:
        a, b, c, d, _ = candidates
        vetting.decide(a, "ann", status="accepted", element="Fe", comment="sharp & <b>deep</b>")
        vetting.decide(b, "ann", status="accepted", element="CO")
        vetting.decide(c, "ann", status="rejected")
        vetting.decide(d, "ann", status="accepted", element="blend")
        vetting.decide(a, "bob", status="accepted", element="Fe")
        vetting.decide(c, "bob", status="accepted", element="Si")
    return path


def test_tables_are_exported_and_nothing_is_replaced_unasked(
    vetted: Path, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.ecsv"
    words = ["mock-lines", "--vetting", vetted, "--candidates", table]
    words += ["--format", "ecsv", "--out", out]
    assert figures(run("export", *words, "--json"))["n_rows"] == 5
    found = Table.read(out, format="ascii.ecsv")
    assert set(found["status"]) == {"accepted"} and str(found["wavelength"].unit) == "Angstrom"
    before = out.read_bytes()
    again = run("export", *words)
    assert again.exit_code == 2 and "--overwrite" in again.output
    assert out.read_bytes() == before
    assert figures(run("export", *words, "--overwrite", "--all", "--json"))["n_rows"] == 7
    only = figures(run("export", *words, "--overwrite", "--vetter", "bob", "--json"))
    assert only["n_rows"] == 2


@pytest.mark.parametrize("name", FORMATS)
def test_strange_texts_survive_the_command(
    name: str, candidates: Candidates, tmp_path: Path, hostile_texts: Any, read_back: Any
) -> None:
    start = candidates.fingerprint[:8]
    rows = [replace(c, id=f"{start}-{t}") for c, t in zip(candidates, hostile_texts, strict=True)]
    strange = replace(candidates, rows=tuple(rows))
    table, path = tmp_path / "candidates.json", tmp_path / "v.sqlite"
    table.write_bytes(strange.dumps())
    with open_vetting(path, strange) as vetting:
        for c in strange:
            vetting.decide(c, "ann", status="accepted", comment=c.id)
    out = tmp_path / "\u00c5ngstr\u00f6m lines"
    words = ["mock-lines", "--vetting", path, "--candidates", table]
    found = figures(run("export", *words, "--format", name.lower(), "--out", out, "--json"))
    assert found["n_rows"] == 5
    again = read_back(out.read_bytes(), name)
    assert column_texts(again["id"]) == [c.id for c in strange]
    assert column_texts(again["comment"]) == [c.id.strip() for c in strange]


def test_a_line_list_has_what_is_known_and_lists_the_rest(
    vetted: Path, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lines.moog"
    words = ["mock-lines", "--vetting", vetted, "--candidates", table]
    found = figures(run("export", *words, "--format", "moog", "--out", out, "--json"))
    assert found["n_accepted"] == 3 and found["n_lines"] == 1 and found["n_without_data"] == 1
    assert found["n_without_species"] == 1 and found["n_disputed"] == 1
    lines = read_moog(out)
    assert list(lines.species) == ["Fe 1"] and lines.wl_vac[0] == pytest.approx(15200.1, abs=1e-3)
    assert lines.loggf[0] == pytest.approx(-0.5 + np.log10(2), abs=1e-3)
    left = (tmp_path / "lines.moog.left-out").read_text()
    assert "CO" in left and "said to be blend" in left and "different vetters" in left
    refused = run("export", *words, "--format", "moog", "--out", out, "--all", "--overwrite")
    assert refused.exit_code == 2 and "--all" in refused.output


def test_a_page_needs_no_network_and_escapes_what_was_typed(
    vetted: Path, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "lines.html"
    words = ["mock-lines", "--vetting", vetted, "--candidates", table]
    assert figures(run("export", *words, "--format", "html", "--out", out, "--json"))
    page = out.read_text()
    assert page.count("<svg ") == 3
    assert "sharp &amp; &lt;b&gt;deep&lt;/b&gt;" in page
    assert "ann and bob agree on the status of 1 of 2" in page
    assert "Accepted by one vetter and rejected by another" in page


def test_a_session_comes_back(vetted: Path, table: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "t.vot", tmp_path / "new.sqlite"
    words = ["mock-lines", "--candidates", table]
    export = ["export", *words, "--vetting", vetted, "--format", "votable", "--out", out]
    assert figures(run(*export, "--all", "--json"))["n_rows"] == 7
    found = figures(run("import", words[0], out, *words[1:], "--vetting", new, "--json"))
    assert found["n_written"] == 6 and found["n_open"] == 1
    again = figures(run("import", words[0], vetted, *words[1:], "--vetting", new, "--json"))
    assert again["n_same"] == 6 and again["n_written"] == 0


def test_a_session_of_other_weights_is_asked_about(
    candidates: Candidates, table: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.sqlite"
    moved = [(w + 0.1, "Fe") for w in WAVELENGTHS[:2]] + [(15300.0, "Si")]
    foreign = "ab" * 8
    with open_vetting(other, ("old", foreign)) as vetting:
        for w, element in moved:
            c = candidates[0]
            values = {**vars(c), "id": candidate_id(foreign, w), "wavelength": w}
            values |= {"low": w - 0.3, "high": w + 0.3}
            vetting.decide(Candidate(**values), "eve", status="accepted", element=element)
    new = tmp_path / "new.sqlite"
    words = ["mock-lines", other, "--candidates", table, "--vetting", new]
    fails(run("import", *words), "bundle old", "by wavelength")
    result = run("import", *words, "--match", "wavelength")
    assert result.exit_code == 0, result.output
    assert "15300.00  eve: accepted, Si" in result.stdout
    found = figures(run("import", *words, "--match", "wavelength", "--json"))
    assert found["n_same"] == 2 and found["lost"][0]["wavelength"] == 15300.0


def test_agreement_is_printed_and_json(vetted: Path) -> None:
    found = figures(run("agreement", "mock-lines", "--vetting", vetted, "--json"))
    pair = found["status"]["pairs"][0]
    assert found["vetters"] == ["ann", "bob"] and pair["n"] == 2 and pair["n_agreed"] == 1
    assert pair["kappa"] == pytest.approx(0.0)
    result = run("agreement", "mock-lines", "--vetting", vetted)
    assert "ann and bob agree on the status of 1 of 2; kappa 0.00." in result.stdout


def test_what_is_missing_or_wrong_is_one_sentence(
    vetted: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "t.ecsv"
    export = ["export", "mock-lines", "--format", "ecsv", "--out", out]
    fails(
        run(*export, "--vetting", tmp_path / "none.sqlite", "--candidates", table),
        "no vetting file",
    )
    assert not (tmp_path / "none.sqlite").exists()
    fails(
        run("export", "tuned-gf", *export[2:], "--vetting", vetted, "--candidates", table),
        "other weights",
    )
    fails(run("agreement", "tuned-gf", "--vetting", vetted), "about bundle mock-lines")
    text = tmp_path / "notes.txt"
    text.write_text("my notes on lines")
    fails(run("agreement", "mock-lines", "--vetting", text), "no vetting file")
    fails(run(*export, "--vetting", vetted, "--candidates", text), "no table of candidates")
    assert text.read_text() == "my notes on lines"
    monkeypatch.setattr(Bundle, "attached", lambda self, name: None)
    fails(run(*export, "--vetting", vetted), "keeps no candidates", "--store")
    assert run(*export[:-1], tmp_path / "no" / "t", "--vetting", vetted).exit_code == 2


def test_candidates_kept_in_the_bundle_are_found(
    vetted: Path, candidates: Candidates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {CANDIDATES: candidates.dumps()}
    monkeypatch.setattr(Bundle, "attached", lambda self, name: kept.get(name))
    words = ["export", "mock-lines", "--vetting", vetted, "--format", "fits"]
    assert figures(run(*words, "--out", tmp_path / "t.fits", "--json"))["n_rows"] == 5


def test_decisions_are_sent_to_a_program(
    vetted: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "hub.lock"
    with conf.set_temp("use_internet", False):
        hub = SAMPHubServer(web_profile=False, lockfile=str(lock), addr="127.0.0.1")
        hub.start()
        client = SAMPIntegratedClient(name="topcat", addr="127.0.0.1")
        client.connect(hub_params=hub.params)
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{lock}")

    def load(key: str, sender: str, message: str, *rest: Any) -> None:
        client.reply(message, {"samp.status": "samp.ok", "samp.result": {}})

    client.bind_receive_call("table.load.votable", load)
    try:
        words = ["send", "mock-lines", "--vetting", vetted, "--candidates", table]
        found = figures(run(*words, "--json"))
        assert found == {"n_rows": 5, "programs": [{"name": "topcat", "problem": ""}]}
        assert figures(run(*words, "--list", "--json")) == {"programs": ["topcat"]}
        fails(run(*words, "--to", "ds9"), "no 'ds9' that takes tables")
    finally:
        client.disconnect()
        hub.stop()


def test_sending_without_a_hub_is_one_sentence(
    vetted: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{tmp_path / 'none'}")
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["send", "mock-lines", "--vetting", vetted, "--candidates", table]
    fails(run(*words), "No SAMP hub is running")
    fails(run(*words, "--list"), "No SAMP hub is running")
