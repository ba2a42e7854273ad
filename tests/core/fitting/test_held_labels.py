from __future__ import annotations

import pytest

from spectrabridge.core.errors import FitError
from spectrabridge.core.fitting.held_labels import bounds, held_labels, split_words
from spectrabridge.core.labels import APOGEE_LABELS as LABELS


def test_a_line_is_read_in_any_spelling():
    line = "v_macro = 4, [Fe/H]=-0.5; C12C13=20 log g=2"
    assert held_labels(split_words(line), LABELS) == {
        "vmacro": 4.0,
        "Fe": -0.5,
        "c12c13": 20.0,
        "logg": 2.0,
    }
    assert split_words("  ") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vmacro"], "Expected NAME=NUMBER"),
        (["vmacro=fast"], "Expected NAME=NUMBER"),
        (["vmacro=nan"], "Expected NAME=NUMBER"),
        (["=4"], "Expected NAME=NUMBER"),
        (["vmacro=4=5"], "Expected NAME=NUMBER"),
        (["Zr=0"], "no label 'Zr'"),
        (["Fe=0", "[Fe/H]=0.1"], "held twice"),
        (["teff=1e9"], "teff can be held between"),
        (["vmacro=-1"], "vmacro can be held between"),
    ],
)
def test_nonsense_is_refused(words: list[str], said: str):
    with pytest.raises(FitError, match=said):
        held_labels(words, LABELS)


def test_something_is_left_to_fit():
    words = [f"{label.name}={label.low}" for label in LABELS]
    with pytest.raises(FitError, match="leave at least one"):
        held_labels(words, LABELS)
    assert len(held_labels(words[1:], LABELS)) == len(LABELS) - 1


def test_bounds_are_those_of_a_fit():
    """What may be held is what a fit may reach, which is bounded in its own coordinates."""
    import torch

    from spectrabridge.core.fitting.population import LabelSpace

    middle = torch.tensor([[0.4 * x.low + 0.6 * x.high, x.high] for x in LABELS]).T.float()
    space = LabelSpace.of(LABELS, middle)
    for i, label in enumerate(LABELS):
        assert bounds(label) == pytest.approx(
            (float(space.labels(space.low)[i]), float(space.labels(space.high)[i])),
            rel=1e-3,
            abs=1e-3,
        )
