"""Names of lines: none covers another, the important ones are there."""

import numpy as np
import pytest

from spectrabridge.explorer.figures.label_placement import HIDDEN, place, text_width


def boxes(placed, widths):
    return [
        (placed.row[i], placed.centre[i] - widths[i] / 2, placed.centre[i] + widths[i] / 2)
        for i in placed.shown
    ]


def overlaps(boxes, gap):
    return [
        (a, b)
        for k, a in enumerate(boxes)
        for b in boxes[:k]
        if a[0] == b[0] and a[1] < b[2] + gap - 1e-9 and b[1] < a[2] + gap - 1e-9
    ]


@pytest.mark.parametrize("seed", range(5))
def test_names_never_overlap_and_stay_in_view(seed):
    rng = np.random.default_rng(seed)
    at, widths = rng.uniform(-50, 950, 400), rng.uniform(12, 60, 400)
    placed = place(at, widths, rng.normal(size=400), low=0, high=900, rows=3, gap=4)
    found = boxes(placed, widths)
    assert len(found) > 50
    assert overlaps(found, 4) == []
    assert all(left >= 0 and right <= 900 for _, left, right in found)
    assert {row for row, _, _ in found} == {0, 1, 2}
    assert (placed.row[(at < 0) | (at > 900)] == HIDDEN).all()


def test_the_more_important_name_is_shown_nearest_to_its_line():
    placed = place([100, 105, 110], [40, 40, 40], [1, 3, 2], low=0, high=500, rows=2)
    assert list(placed.row) == [HIDDEN, 0, 1]
    assert list(placed.centre) == [100, 105, 110]


def test_what_is_chosen_is_shown_whatever_its_rank():
    at, widths = np.full(20, 50.0), np.full(20, 30.0)
    placed = place(at, widths, -np.arange(20.0), low=0, high=100, rows=2, keep=[19])
    assert placed.row[19] == 0
    assert placed.row[0] == 1


def test_names_with_unknown_rank_come_last():
    placed = place([50, 50], [30, 30], [np.nan, -99], low=0, high=100, rows=1)
    assert list(placed.row) == [HIDDEN, 0]


def test_names_at_the_ends_are_moved_in():
    placed = place([1, 99], [20, 20], [1, 1], low=0, high=100)
    assert list(placed.row) == [0, 0]
    assert list(placed.centre) == [10, 90]


def test_a_name_wider_than_the_view_is_hidden():
    assert list(place([5], [30], [1], low=0, high=10).row) == [HIDDEN]


def test_nothing_is_placed_without_names():
    placed = place([], [], [], low=0, high=100)
    assert placed.row.size == placed.shown.size == 0


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="found 2 positions, 1 widths and 2 priorities"):
        place([1, 2], [3], [1, 2], low=0, high=10)


def test_longer_names_are_wider():
    assert text_width("Fe I") < text_width("Fe II") < text_width("Fe II 15964.4")
    assert text_width("Fe I", 22) == pytest.approx(2 * text_width("Fe I", 11))
