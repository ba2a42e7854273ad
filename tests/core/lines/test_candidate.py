"""Tables of candidates: names that stay, files that come back, damage that is told."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table

from spectrabridge.core.errors import LinesError
from spectrabridge.core.lines import Answer, Candidate, Candidates, NearLine
from spectrabridge.core.lines.candidate import candidate_id
from spectrabridge.core.spectra import air_to_vacuum


def candidate(wavelength: float, **changes) -> Candidate:
    plain = Candidate(
        candidate_id("0123456789abcdef", wavelength),
        wavelength,
        wavelength - 0.5,
        wavelength + 0.5,
        10,
        16,
        13,
        "missing",
        0.0,
        0.1,
        0.1,
        0.05,
        0.2,
        55.0,
        12.0,
        (Answer("CN", 0.7), Answer("Fe", 0.3)),
        (NearLine("CN 1", wavelength + 0.1, -1.5, 0.9, 0.2),),
    )
    return replace(plain, **changes)


@pytest.fixture
def found() -> Candidates:
    rows = (candidate(15660.87), candidate(16022.03, answers=(), near=()))
    return Candidates("toy", "0123456789abcdef", {"teff": 4750.0}, {"seed": 0}, rows)


def test_they_come_back_from_their_file(found: Candidates) -> None:
    assert Candidates.loads(found.dumps()) == found
    assert Candidates.loads(json.dumps(found.to_json()).encode()) == found
    assert found.dumps() == found.dumps()


def test_names_are_of_the_weights_and_the_wavelength(found: Candidates) -> None:
    assert [c.id for c in found] == ["01234567-15660.87", "01234567-16022.03"]
    assert found.by_id()["01234567-16022.03"].best == "unknown"


def test_two_of_one_name_are_refused(found: Candidates) -> None:
    with pytest.raises(LinesError, match="occurs twice"):
        replace(found, rows=(found[0], found[0]))


@pytest.mark.parametrize("format", ["ascii.ecsv", "votable", "fits"])
def test_tables_keep_units_and_both_media(found: Candidates, tmp_path, format) -> None:
    path = tmp_path / "lines.table"
    found.table().write(path, format=format)
    back = Table.read(path, format=format)
    assert back["wavelength"].unit == "Angstrom"
    assert air_to_vacuum(back["wavelength_air"][0]) == pytest.approx(15660.87, abs=1e-6)
    assert back["answer_1"][0] == "CN"
    missing = np.ma.filled(np.ma.asarray(back["probability_1"]), np.nan)[1]
    assert np.isnan(missing)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"schema": 1}', b"\xff\xfe", b"\x1f\x8bno", b'{"schema": "x"}']
)
def test_what_is_no_table_of_candidates_is_refused(content: bytes) -> None:
    with pytest.raises(LinesError, match=r"no table|is truncated"):
        Candidates.loads(content)


def test_a_table_of_a_newer_version_asks_for_an_update(found: Candidates) -> None:
    newer = json.dumps(found.to_json() | {"schema": 9}).encode()
    with pytest.raises(LinesError, match="newer"):
        Candidates.loads(newer)
