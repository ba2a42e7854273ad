import random
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from spectrabridge.explorer.app import Explorer
from spectrabridge.explorer.pages import PAGES
from spectrabridge.explorer.share import url
from spectrabridge.explorer.state.label_text import bounds
from spectrabridge.explorer.state.view_state import ALL, ViewState

BUNDLES = {"fake-lines": "fake-lines", "mine": "/somewhere/mine"}


@pytest.fixture
def reference(model):
    return model.labels.mapping(model.reference)


@pytest.fixture
def read(model, reference):
    def read(query, n_directions=3):
        arguments = url.parse(query) if isinstance(query, str) else query
        return url.read(arguments, model.labels, reference, model.grid, PAGES, n_directions)

    return read


def changed(model):
    state = ViewState(model.labels, model.reference, page="derivatives", unit="nm", medium="air")
    state.show(state.labels | {"teff": 4321.5, "Mg": -0.123456, "Si": 0.25})
    state.param.update(
        chip="green", element="Si", window=(15950.254, 16000.0), dark=True, with_fe=False, row=2
    )
    state.split = [0.5, 0.0, -1.25]
    return state


def test_a_link_brings_the_view_back(model, read):
    state = changed(model)
    settings, said = read(url.write(state, "fake-lines", "example"))
    assert said == []
    star, row = settings.pop("star"), settings.pop("row")
    again = ViewState(model.labels, model.reference, **settings)
    assert (star, row) == ("example", 2)
    assert again.labels == state.labels | {"Mg": -0.1235}
    assert again.window == (15950.25, 16000.0)
    for name in ("page", "unit", "medium", "chip", "element", "dark", "with_fe", "split"):
        assert getattr(again, name) == getattr(state, name)
    assert url.write(again, "fake-lines") == url.write(state, "fake-lines").replace("&row=2", "")


def test_a_fresh_view_is_a_short_link(state):
    assert url.write(state, "fake-lines") == "bundle=fake-lines"
    assert url.write(state, "fake-lines", tour=False) == "bundle=fake-lines&tour=no"


def test_only_labels_that_were_moved_are_written(state):
    state.move("Mg", 0.2)
    assert url.write(state, "b") == "bundle=b&labels=Mg:0.2"


@pytest.mark.parametrize("seed", range(20))
def test_any_view_survives(model, read, seed):
    rng = np.random.default_rng(seed)
    state = ViewState(model.labels, model.reference)
    state.show({k.name: float(rng.uniform(*bounds(model.labels, k.name))) for k in model.labels})
    low, high = np.sort(rng.uniform(15200, 16900, 2))
    state.param.update(
        window=(low, high + 1), element=str(rng.choice([ALL, "Fe"])), split=[1.0, 2.0, -3.0]
    )
    settings, said = read(url.write(state, "fake-lines"))
    assert said == []
    assert settings["labels"] == pytest.approx(state.labels, abs=5e-3)
    assert settings["window"] == pytest.approx(state.window, abs=0.006)
    assert settings.get("element", ALL) == state.element


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("page=nowhere", 'There is no page "nowhere"; known are spectrum, derivatives'),
        ("labels=teff:nan", 'Expected a number for T_eff; found "nan"'),
        ("labels=teff:inf", 'Expected a number for T_eff; found "inf"'),
        ("labels=teff:1e400", 'Expected a number for T_eff; found "1e400"'),
        ("labels=teff:1_000", "Expected a number for T_eff"),
        ("labels=teff:99999", "T_eff must be between 2500 and 15000 K; found 99999."),
        ("labels=Xx:1", 'This model has no label "Xx"'),
        ("labels=teff", 'Expected a number for T_eff; found ""'),
        ("labels=,,,", 'This model has no label ""'),
        ("window=1,2", "Expected two wavelengths between 15168 and 16937 angstrom"),
        ("window=16000", "Expected two wavelengths"),
        ("window=nan,inf", "Expected numbers for window"),
        ("window=16000,16000.05", "Expected two wavelengths"),
        ("unit=parsec", 'There is no unit "parsec"'),
        ("chip=4", 'There is no chip "4"'),
        ("element=Uuq", 'There is no element "Uuq"'),
        ("split=99,1", "Expected at most 3 numbers between -10 and 10 for split"),
        ("split=1,1,1,1,1", "Expected at most 3 numbers"),
        ("row=-1", 'Expected the number of a spectrum for row; found "-1"'),
        ("theme=plaid", 'There is no theme "plaid"'),
        ("follow=maybe", 'There is no follow "maybe"'),
        ("what=ever", 'Nothing here is called "what"'),
        ("star=%00%01", 'There is no star "??"'),
        (f"labels={'9' * 3000}", "labels is longer than 2000 characters."),
    ],
)
def test_what_is_not_understood_is_said_and_left_out(read, query, sentence):
    settings, said = read(query)
    assert len(said) >= 1
    assert sentence in " ".join(said)
    assert settings.get("labels", {}) == read("labels=teff:4750")[0]["labels"] or (
        "labels" not in settings
    )
    assert set(settings) <= {"labels"}


def test_markup_of_strangers_is_not_repeated(read):
    text = '<img src=x onerror="alert(1)">'
    for key in ("page", "labels", "window", "element", "star", "feature", text):
        for sentence in read({key: [text.encode()]})[1]:
            assert not set("<>\"'") & set(sentence.replace('"', "", 2))


@pytest.mark.parametrize(
    "name", ["../../etc", "/etc/passwd", "/somewhere/mine", "fake-lines/..", "~", ".", "", "\0"]
)
def test_only_bundles_that_can_be_chosen_are_opened(name):
    key, said = url.bundle_asked({"bundle": [name.encode()]}, BUNDLES)
    assert key is None
    assert bool(said) == bool(name.strip())
    assert url.bundle_asked({"bundle": [b"mine"]}, BUNDLES) == ("/somewhere/mine", [])


def test_what_others_put_into_links_is_ignored(read):
    assert read("utm_source=mail&fbclid=1&bokeh-session-id=1&tour=no") == ({}, [])


@pytest.mark.parametrize("seed", range(200))
def test_rubbish_never_raises_and_never_gives_a_view_that_cannot_be_shown(model, read, seed):
    rng = random.Random(seed)
    keys = sorted(url._KEYS)
    pieces = ["nan", "-inf", "1e999", "%", "%zz", "%ff%fe", "<b>", "../", "\u202e", "\ud7ff", "0x1"]
    pieces += ["teff:", "4000", ",", ":", "-", "9" * 50, " ", "Mg", "\n", "'", '"', "=", ";", "all"]
    query = "&".join(
        f"{rng.choice([*keys, rng.choice(pieces)])}="
        + "".join(rng.choice(pieces) for _ in range(rng.randint(0, 12)))
        for _ in range(rng.randint(1, 10))
    )
    arguments = {k: [v.encode() for v in values] for k, values in url.parse(query).items()}
    settings, said = read(arguments)
    url.bundle_asked(arguments, BUNDLES)
    assert len(url.told(said)) < 2000
    settings.pop("star", None)
    state = ViewState(model.labels, model.reference, **settings)
    assert np.isfinite(state.values).all()


def test_bytes_that_are_no_text_are_read(read):
    settings, said = read({"page": [b"\xff\xfe"], "element": [b"Si"]})
    assert settings == {"element": "Si"}
    assert len(said) == 1


def test_one_message_however_much_is_wrong():
    message = url.told([f"Thing {i} is wrong." for i in range(9)])
    assert message.startswith("Not all of the link was understood. Thing 0 is wrong.")
    assert message.endswith("Thing 3 is wrong. And 5 more.")
    assert url.told([]) == ""


# ------------------------------------------------------------------------- the explorer


def arguments(**values):
    return {key: [value.encode()] for key, value in values.items()}


def test_the_explorer_opens_in_the_state_of_a_link(bundles):
    explorer = Explorer(
        arguments=arguments(
            bundle="other-lines", labels="teff:4300,Si:0.2", element="Si", unit="um", theme="dark"
        )
    )
    explorer.start()
    assert explorer.bundle.name == "other-lines"
    assert explorer.state.labels["teff"] == 4300
    assert explorer.spectrum.view.frame.values[0] == 4300
    assert explorer.page.dark_theme
    assert explorer.messages.text == ""
    query = "bundle=other-lines&labels=teff:4300,Si:0.2&unit=um&element=Si&theme=dark"
    assert explorer.sharing.query == query
    explorer.close()


def test_a_bad_link_opens_the_usual_view_and_one_message(bundles):
    explorer = Explorer(arguments=arguments(bundle="/etc", page="x", labels="teff:hot", star="y"))
    explorer.start()
    assert explorer.bundle.name == "fake-lines"
    assert "/etc" not in bundles
    assert explorer.state.page == "spectrum"
    text = explorer.messages.text
    assert text.startswith("Not all of the link was understood.")
    for part in ('no bundle "/etc"', 'no page "x"', "a number for T_eff", 'The star "y"'):
        assert part in text
    explorer.close()


def test_the_example_star_is_in_the_link_and_comes_back(bundles):
    explorer = Explorer(arguments=arguments(star="example", row="1"))
    explorer.start()
    assert explorer.spectrum.view.figures.observed is not None
    assert explorer.state.row == 0, "the star has one spectrum"
    # The labels are named, so that no fit moves them.
    assert explorer.sharing.query == "bundle=fake-lines&labels=teff:4750&star=example"
    explorer.close()


def test_files_of_the_server_and_own_files_are_in_the_link_by_name(bundles, tmp_path):
    from spectrabridge.core.io.apstar import example_apstar

    given = tmp_path / "given.fits"
    given.write_bytes(example_apstar().read_bytes())
    explorer = Explorer(files=[given], arguments=arguments(star="none"))
    explorer.start()
    assert explorer.state.star == ""
    assert explorer.sharing.query == "bundle=fake-lines&star=none"
    explorer.state.star = "given.fits"
    assert explorer.sharing.query == "bundle=fake-lines&labels=teff:4750&star=given.fits"
    explorer.stars.receive("own.fits", given.read_bytes())
    assert explorer.state.star == "own.fits"
    assert explorer.sharing.query == "bundle=fake-lines&labels=teff:4750&star=own.fits"
    explorer.close()
    # Who opens that link is told what to drop, and sees it when it comes, whatever comes with it.
    other = Explorer(arguments=arguments(star="own.fits"))
    other.start()
    assert 'The star "own.fits" is not open here: drop the file' in other.messages.text
    for name in ("first.fits", "own.fits", "last.fits"):
        other.stars.receive(name, given.read_bytes(), batch="one drop")
    assert other.state.star == "own.fits"
    other.close()


def test_a_path_that_the_server_opened_is_named_not_shown(bundles, monkeypatch, tmp_path, model):
    from fake import FakeBundle

    from spectrabridge.explorer.session import open_bundles

    monkeypatch.setattr(
        open_bundles, "open_bundle", lambda name=None: FakeBundle("mine", model=model)
    )
    explorer = Explorer(str(tmp_path / "secret"))
    assert explorer.sharing.query == "bundle=mine"
    again = Explorer(arguments=arguments(bundle="mine"))
    assert again.bundle is explorer.bundle
    assert Path(again.state.bundle) == tmp_path / "secret"
    assert quote(str(tmp_path)) not in again.sharing.query
    explorer.close()
    again.close()


def test_the_link_follows_another_bundle(bundles):
    explorer = Explorer()
    explorer.state.move("Mg", 0.3)
    explorer.state.param.update(window=(16000.0, 16010.0), element="Mg")
    explorer.choice.value = "other-lines"
    assert (
        explorer.sharing.query == "bundle=other-lines&labels=Mg:0.3&window=16000,16010&element=Mg"
    )
    explorer.close()
