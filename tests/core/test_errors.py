"""Messages that quote files stay short, and steer no terminal."""

from __future__ import annotations

from spectrabridge.core.errors import GridError, SpectrabridgeError


def test_an_ordinary_message_is_as_it_was_written() -> None:
    text = "Found ångström in\ttwo\nlines; expected nm. Say --unit."
    assert str(GridError(text)) == text
    assert str(SpectrabridgeError()) == ""


def test_long_names_and_long_lists_are_cut_and_the_advice_stays() -> None:
    advice = "Say which array it is: --array flux=NAME."
    for middle in ("A" * 100_000, "column, " * 20_000, "€" * 9_000 + " " + "b" * 9_000):
        said = str(SpectrabridgeError(f"Expected flux in grid.h5; found {middle}. {advice}"))
        assert len(said) <= 2005
        assert said.startswith("Expected flux in grid.h5; found ")
        assert said.endswith(advice)


def test_characters_that_steer_a_terminal_are_replaced() -> None:
    said = str(SpectrabridgeError("Found a\0b\x1b[2Jc\x7f."))
    assert said == "Found a\ufffdb\ufffd[2Jc\ufffd."
