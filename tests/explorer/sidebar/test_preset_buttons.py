"""Buttons of stars to start from."""

import pytest

from spectrabridge.explorer.sidebar.preset_buttons import PresetButtons
from spectrabridge.explorer.sidebar.presets import PRESETS


def test_each_button_chooses_its_star_and_the_last_resets():
    chosen = []
    bar = PresetButtons(PRESETS, chosen.append)
    assert [label for label, _ in bar.buttons] == [*(p.name for p in PRESETS), "Reset"]
    for number in range(len(bar.buttons)):
        bar.take_message({"pressed": number})
    assert chosen == [*PRESETS, None]


@pytest.mark.parametrize("message", [{"pressed": 99}, {"pressed": -1}, {"pressed": "0"}, {}, None])
def test_what_is_no_button_is_passed_over(message):
    chosen = []
    PresetButtons(PRESETS, chosen.append).take_message(message)
    assert chosen == []
