"""What is shown as tables, Python and pages, without a browser."""

import io
import re

import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.table import QTable, Table
from bokeh.document import Document
from bokeh.layouts import column

from spectrabridge.core.io.table_formats import FORMATS
from spectrabridge.core.io.table_writer import table_bytes
from spectrabridge.core.spectra import vacuum_to_air
from spectrabridge.explorer.app import Explorer
from spectrabridge.explorer.computed.derivatives import DerivativeCache
from spectrabridge.explorer.pages import PAGES
from spectrabridge.explorer.share.captions import actions_of, caption_of
from spectrabridge.explorer.share.offline_page import standalone_html
from spectrabridge.explorer.share.python_snippet import snippet
from spectrabridge.explorer.share.view_table import derivative_table, metadata, spectrum_table


@pytest.fixture
def table(model, state):
    n = model.grid.n_pixels
    ivar = np.full(n, 1e4, np.float32)
    ivar[::10] = 0
    flux = np.full(n, 0.9, np.float32)
    found = DerivativeCache(model).get(state.values)
    made = spectrum_table(model, state.labels, None, (flux, ivar), "Si", found)
    made.meta = metadata("fake-lines", "0123456789abcdef", state.labels, [0.5], "a star", "page=x")
    return made


def test_the_table_has_what_is_shown(model, state, table):
    on = model.grid.chip_pixels
    emulated = model.emulate(state.values)[0][on]
    assert np.allclose(table["emulated"], emulated)
    assert np.allclose(table["adapted"], model.adapt(state.values)[0][on])
    assert np.allclose(table["spread"], 0.002)
    wavelength = model.grid.wavelength[on]
    assert np.allclose(table["wavelength"].to_value("AA"), wavelength)
    assert np.allclose(table["wavelength_air"].to_value("AA"), vacuum_to_air(wavelength))
    good = np.isfinite(table["observed"])
    assert (~good == (on % 10 == 0)).all()
    assert np.allclose(table["residual_emulated"][good], (0.9 - emulated[good]) * 100, atol=1e-2)
    column = model.labels.index("Si")
    expected = model.jacobian(state.values, of="adapted")[on, column]
    assert np.allclose(table["d_adapted_dSi"], expected)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_keeps_data_labels_and_bundle(table, name):
    content = table_bytes(table, name)
    if name == "ECSV":
        again = QTable.read(content.decode(), format="ascii.ecsv")
        said = again.meta
    elif name == "FITS":
        again = Table.read(io.BytesIO(content), format="fits")
        with fits.open(io.BytesIO(content)) as file:
            said = {k.lower(): v for k, v in file[1].header.items()}
    elif name == "CSV":
        again, said = Table.read(content.decode(), format="ascii.csv"), None
    else:
        file = votable.parse(io.BytesIO(content)).get_first_table()
        again, said = file.to_table(), {info.name: info.value for info in file.infos}
    assert np.allclose(np.asarray(again["adapted"]), np.asarray(table["adapted"]))
    assert len(again) == 7214
    if said is None:  # CSV has no place for it
        return
    assert said["bundle"] == "fake-lines"
    assert said["hash"] == "0123456789abcdef"
    assert "teff=4750" in said["labels"]
    assert said["star"] == "a star"
    assert said["split"] == "0.5"


def test_derivatives_by_all_elements_are_a_table(model, state):
    table = derivative_table(model, DerivativeCache(model).get(state.values))
    assert len(table.colnames) == 2 + 3 * len(model.labels.elements)
    assert np.abs(table["d_truth_dFe"]).max() > 0


def test_the_snippet_runs_and_shows_the_same(bundles, model, state, monkeypatch):
    import spectrabridge as sb

    monkeypatch.setattr(sb, "open_bundle", lambda name: Explorer(name).bundle, raising=False)
    state.show(state.labels | {"teff": 4321.0, "Mg": 0.25})
    state.param.update(window=(16000.0, 16010.0), element="Mg", unit="nm", with_fe=False)
    names: dict = {}
    exec(snippet(state, "fake-lines"), names)
    assert np.array_equal(names["emulated"], model.emulate(state.values)[0])
    assert np.array_equal(names["adapted"], model.adapt(state.values)[0])
    assert names["d_adapted"].shape == (model.grid.n_pixels,)
    shown = names["view"].state
    for name in ("labels", "window", "element", "unit", "with_fe"):
        assert getattr(shown, name) == getattr(state, name)
    names["view"].close()


def test_a_name_with_quotes_stays_a_text(state):
    code = snippet(state, 'evil")\nimport os; os.abort(("')
    compile(code, "snippet", "exec")
    assert "\nimport os" not in code


def test_a_bundle_from_a_file_says_so(state):
    assert "# This bundle was opened from a file" in snippet(state, "mine", by_name=False)


def test_a_page_of_its_own_has_all_it_needs(bundles):
    explorer = Explorer()
    document = Document()
    document.add_root(column(explorer.spectrum.view.figures.grid))
    page = standalone_html(
        [explorer.spectrum.view.figures.grid],
        "<i>",
        ["a & b"],
        [("emulated", "#0072b2", False)],
        dark=True,
    )
    assert "&lt;i&gt;" in page and "a &amp; b" in page
    assert "<i>" not in page.split("<main>")[0].split("<body>")[1].replace("<i style", "")
    head = re.sub("<script[^>]*>.*?</script>", "", page.split("<body>")[0], flags=re.S)
    assert not re.search("<script[^>]* src=", page) and "<link" not in head
    assert explorer.spectrum.view.figures.grid.document is document
    explorer.close()


def test_every_page_can_be_shared_in_its_way(bundles):
    asked = {key: [title for title, _ in actions_of(entry)] for key, entry in PAGES.items()}
    assert asked["about"] == ["Link to this view"]
    assert {key for key, titles in asked.items() if "Data" not in titles} == {"about", "lines"}


def test_the_caption_names_bundle_labels_and_star(state):
    state.show(state.labels | {"teff": 4400.0, "Mg": 0.2})
    assert (
        caption_of(state, PAGES["spectrum"], "Toy", "HD 1")
        == "Toy: T_eff 4400 K, log g 2.50, [Fe/H] 0.00, [Mg/H] 0.20; observed: HD 1"
    )


def test_what_cannot_be_saved_is_said(bundles):
    explorer = Explorer(page="fit")
    sent = []
    explorer.sharing.menu._send_msg = sent.append
    explorer.sharing.menu.take_message({"want": "data", "format": "FITS"})
    assert sent[-1]["text"] == "There are no stars yet. Drop spectra onto the page."
    for rubbish in ({"want": "rm"}, {}, {"want": "data", "format": "exe"}, [], None, 7):
        explorer.sharing.menu.take_message(rubbish)
    explorer.state.page = "spectrum"
    explorer.sharing.menu.take_message({"want": "data", "format": "ECSV"})
    assert sent[-1]["name"] == "spectrabridge-fake-lines-spectrum.ecsv"
    explorer.sharing.menu.take_message({"want": "link"})
    assert sent[-1] == {"kind": "link", "text": "bundle=fake-lines"}
    explorer.close()
