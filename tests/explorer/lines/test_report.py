from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from spectrabridge.core.bundle import Bundle, open_bundle
from spectrabridge.core.lines import Answer, Candidate, Candidates, NearLine
from spectrabridge.core.lines.candidate import candidate_id
from spectrabridge.core.vetting import Decision
from spectrabridge.core.vetting.line_table import Settled
from spectrabridge.explorer.figures.chip_axis import ChipAxis
from spectrabridge.explorer.lines.reference_star import ReferenceStar
from spectrabridge.explorer.lines.report import line_report_html
from spectrabridge.explorer.lines.report_svg import line_picture, ticks

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle("mock-lines")


def a_candidate(bundle: Bundle, w: float, half: float = 0.5) -> Candidate:
    ends = bundle.grid.wavelength.searchsorted([w - half, w + half])
    start, stop = int(ends[0]), int(ends[1])
    return Candidate(
        candidate_id(bundle.fingerprint, w),
        w,
        w - half,
        w + half,
        start,
        stop,
        (start + stop) // 2,
        "missing",
        emulated=0.0,
        adapted=0.1,
        depth=0.1,
        depth_low=0.05,
        depth_high=0.15,
        width=-25.0,
        significance=12.0,
        answers=(Answer("CN", 0.8), Answer("Fe", 0.2)),
        near=(NearLine("Fe 2", w - 0.1, -0.5, 5.4, 1.0),),
    )


def accepted(c: Candidate, element: str = "", comment: str = "") -> tuple[Candidate, Decision]:
    said = Decision(c.id, c.wavelength, c.low, c.high, "ann", "accepted", element, comment)
    return c, replace(said, when="2026-01-31T12:00:00.000Z")


def paths(svg: str, colour: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return [p.get("d", "") for p in root.iter("path") if p.get("stroke") == colour]


def test_a_picture_has_the_spectra_where_they_are(bundle: Bundle) -> None:
    grid = bundle.grid
    candidate = a_candidate(bundle, 15211.78)
    flat = np.ones(grid.n_pixels, np.float32)
    dip = flat - 0.2 * np.exp(-0.5 * ((grid.wavelength - 15211.78) / 0.3) ** 2)
    star = ReferenceStar(np.zeros(1), flat, dip.astype(np.float32), observed=dip)
    svg = line_picture(candidate, ChipAxis(grid), star, {"Fe": dip - flat, "Si": 0 * flat})
    (adapted,) = paths(svg, "#e07b00")
    points = np.array([[float(v) for v in p.split()] for p in re.split("[ML]", adapted)[1:]])
    # The dip is in the middle of the picture, and inside its panel.
    assert points[points[:, 1].argmax(), 0] == pytest.approx((52 + 512) / 2, abs=10)
    assert 42 < points[:, 1].min() < points[:, 1].max() < 200
    assert points[0, 0] < 52 and points[-1, 0] > 512
    assert "observed" in svg and "truth" not in svg


def test_curves_break_between_chips_and_at_the_ends_of_the_grid(bundle: Bundle) -> None:
    grid = bundle.grid
    flat = np.ones(grid.n_pixels, np.float32)
    star = ReferenceStar(np.zeros(1), flat, flat)
    chip = grid.chips[0]
    edge = float(grid.wavelength[chip.stop - 1])
    between = line_picture(a_candidate(bundle, edge), ChipAxis(grid), star, {})
    assert paths(between, "#e07b00")[0].count("M") == 1
    for w in (float(grid.wavelength[grid.chip_pixels[0]]), 14000.0):
        svg = line_picture(a_candidate(bundle, w), ChipAxis(grid), star, {})
        assert "nan" not in svg


def test_ticks_are_round_and_few() -> None:
    assert ticks(0.0, 1.0) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    for low, high in ((15208.8, 15214.8), (-0.0031, 0.0007), (0.7, 1.02)):
        found = ticks(low, high)
        assert 2 <= len(found) <= 6
        assert all(low - 1e-9 <= v <= high + 1e-9 for v in found)
    with pytest.raises(ValueError, match="in order"):
        ticks(1.0, 1.0)


def test_the_page_has_every_line_and_nothing_from_elsewhere(bundle: Bundle) -> None:
    rows = [a_candidate(bundle, w) for w in (15211.78, 15247.76, 16000.0, 16100.0)]
    strange = replace(rows[1], answers=(Answer(HOSTILE, 1.0),))
    candidates = Candidates(HOSTILE, bundle.fingerprint, {}, {}, tuple(rows))
    settled = Settled(
        (
            accepted(rows[0], "Si", f"wide\n{HOSTILE}"),
            accepted(strange),
        ),
        disputed=(rows[2],),
        gone=(accepted(rows[3], "Fe", HOSTILE)[1],),
    )
    done = []
    page = line_report_html(bundle, candidates, settled, progress=lambda i, n: done.append((i, n)))
    assert done == [(1, 2), (2, 2)]
    assert HOSTILE not in page and "&lt;script&gt;" in page
    assert "<script" not in page and "<link" not in page and "url(http" not in page
    assert not re.search(r"(src|href)=", page)
    pictures = re.findall(r"<svg .*?</svg>", page, re.S)
    assert len(pictures) == 2
    for svg in pictures:
        ElementTree.fromstring(svg)
        assert {"emulated", "adapted", "truth"} <= set(re.findall(r">(\w+)</text>", svg))
    # What the vetter says is drawn first.
    assert re.search(r">Si</text>.*>C</text>", pictures[0], re.S)
    assert "15211.78" in page and "2 accepted of 4 candidates" in page
    assert "Fe II \u22120.10" in page and "\u221225 m" in page
    assert "rejected by another" in page and "not in this table" in page


def test_nothing_accepted_is_said(bundle: Bundle, tmp_path: Path) -> None:
    candidates = Candidates(bundle.name, bundle.fingerprint, {}, {}, ())
    assert "No feature is accepted." in line_report_html(bundle, candidates, Settled(()))
