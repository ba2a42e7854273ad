"""What a feature belongs to is found, and doubt is told as doubt."""

from __future__ import annotations

import numpy as np
import pytest

from spectrabridge.core.lines import LineSettings, attribute, find_features
from spectrabridge.core.lines.contrast import Contrast
from spectrabridge.core.lines.discovery import _joined
from spectrabridge.core.lines.extent import Extent

SETTINGS = LineSettings()


def first(contrast: Contrast) -> list[tuple[str, float]]:
    extents = find_features(contrast, SETTINGS)
    return [(a[0].name, a[0].probability) for a in attribute(contrast, extents)]


@pytest.mark.parametrize("species", ["Fe", "Mg", "Ge", "CN", "CO", "OH"])
def test_a_line_of_one_species_is_named_with_confidence(sky, species) -> None:
    ((name, probability),) = first(sky((200, 0.1, {species: 2.0})))
    assert name == species
    assert probability > 0.85


def test_a_line_that_is_too_strong_is_named_by_what_is_taken_away(sky) -> None:
    (found,) = find_features(sky((200, -0.1, {"Si": 2.0})), SETTINGS)
    assert found.sign == -1
    assert first(sky((200, -0.1, {"Si": 2.0})))[0][0] == "Si"


def test_a_shifted_line_is_one_feature_and_keeps_its_element(sky) -> None:
    lines = ((198, -0.08, {"Ni": 2.0}), (203, 0.08, {"Ni": 2.0}))
    (found,) = find_features(sky(*lines), SETTINGS)
    assert found.sign == 0 and found.start < 198 and found.stop > 203
    assert first(sky(*lines))[0][0] == "Ni"


def test_lines_far_apart_or_of_other_sizes_are_not_joined() -> None:
    depth = np.zeros(60)
    depth[10:14], depth[30:34], depth[34:38] = 0.1, -0.1, 0.02
    far = [Extent(10, 14, 12, 1), Extent(30, 34, 32, -1), Extent(34, 38, 36, 1)]
    assert _joined(far, depth) == far


def test_species_in_equal_parts_are_a_blend_with_both_named(sky) -> None:
    contrast = sky((200, 0.1, {"Fe": 0.7, "Mg": 0.7, "Si": 0.7}))
    (answers,) = attribute(contrast, find_features(contrast, SETTINGS))
    assert answers[0].name == "blend"
    assert {"Fe", "Mg", "Si"} < {a.name for a in answers}
    assert sum(a.probability for a in answers) == pytest.approx(1, abs=1e-3)


def test_a_response_that_no_element_gives_is_unknown(sky) -> None:
    contrast = sky((200, 0.1, {"Fe": -2.0}))  # deeper with less iron: no line does that
    assert first(contrast)[0][0] == "unknown"


def test_networks_that_disagree_make_the_answer_less_sure(sky) -> None:
    sure = first(sky((200, 0.02, {"Cr": 2.0})))[0]
    loud = sky((200, 0.02, {"Cr": 2.0}), noise=0.0005)
    response = loud.response.copy()
    rng = np.random.default_rng(1)
    response += 0.03 * rng.standard_normal((5, 1, 1, response.shape[-1])).astype(np.float32)
    doubtful = type(loud)(**{**vars(loud), "response": response})
    assert sure[0] == "Cr"
    name, probability = first(doubtful)[0]
    assert name != "Cr" or probability < sure[1] - 0.1


def test_the_seed_decides_the_noise(sky) -> None:
    contrast = sky((200, 0.05, {"Fe": 1.0, "Mg": 0.8}), noise=0.01)
    extents = [Extent(195, 206, 200, 1)]
    assert attribute(contrast, extents, 3) == attribute(contrast, extents, 3)
