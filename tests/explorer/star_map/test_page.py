"""The Map page without a browser: pictures, stars, selections, files, placing."""

import io
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from bokeh.events import RangesUpdate, SelectionGeometry, Tap
from star_files import KINDS, content_of

from spectrabridge.core.bundle import Bundle, open_bundle
from spectrabridge.core.embedding import PANELS, stored_embedding
from spectrabridge.core.errors import EmbeddingError
from spectrabridge.core.io.cell_text import column_texts
from spectrabridge.core.io.table_formats import FORMATS
from spectrabridge.explorer.publication.latent_map import latent_figure
from spectrabridge.explorer.star_map import map_maker, open_maps
from spectrabridge.explorer.star_map.colours import (
    DOMAIN,
    choices,
    colouring,
    colours_of,
    legend_html,
)
from spectrabridge.explorer.star_map.page import MapPage
from spectrabridge.explorer.star_map.rasteriser import (
    COLOURS,
    DENSITIES,
    UNKNOWN,
    PanelView,
    inside_box,
    inside_polygon,
    palette,
    rasterise,
)
from spectrabridge.explorer.star_map.stars import (
    MAX_TABLE_ROWS,
    find,
    observed_flux,
    selection_bytes,
    selection_curves,
    star_curves,
)
from spectrabridge.explorer.state.view_state import MAPPED, ViewState


@pytest.fixture(scope="module")
def bundle():
    return open_bundle("mock-lines")


@pytest.fixture(scope="module")
def embedding(bundle):
    found = stored_embedding(bundle)
    assert found is not None
    return found


@pytest.fixture
def told():
    return []


@pytest.fixture
def page(bundle, told):
    state = ViewState(bundle.model.labels, bundle.model.reference, bundle=bundle.name, page="map")
    page = MapPage(bundle, state, lambda labels, star: told.append((labels, star)))
    yield page
    page.close()


# ------------------------------------------------------------------------- pictures


def code_at(picture, row, column):
    return divmod(int(picture[row, column]), DENSITIES + 1)


def test_points_stand_where_they_belong():
    points = np.array([[0.05, 0.05], [9.95, 4.95], [20, 20]], np.float32)
    picture = rasterise(
        points, np.array([0, 1, 1], np.float32), PanelView((0, 10), (0, 5), 100, 50)
    )
    assert picture.shape == (50, 100)
    assert code_at(picture, 0, 0) == (0, 1)
    assert code_at(picture, 49, 99)[0] == COLOURS - 1
    assert picture[25, 50] == 0
    # Discs, so that a single star is seen; cut at the edges.
    assert 6 <= np.count_nonzero(picture) <= 30


def test_colours_are_means_and_unknown_values_have_their_own():
    points = np.full((4, 2), 5.0, np.float32)
    view = PanelView((0, 10), (0, 10), 40, 40)
    mixed = rasterise(points, np.array([0, 1, 0, 1], np.float32), view)
    assert code_at(mixed, 20, 20)[0] == (COLOURS - 1) // 2
    some = rasterise(points, np.array([1, np.nan, 1, np.nan], np.float32), view)
    assert code_at(some, 20, 20)[0] == COLOURS - 1
    none = rasterise(points, np.full(4, np.nan, np.float32), view)
    assert code_at(none, 20, 20)[0] == UNKNOWN


def test_dense_pixels_are_darker():
    rng = np.random.default_rng(0)
    points = rng.normal(5, 1, (100_000, 2)).astype(np.float32)
    picture = rasterise(
        points, np.zeros(100_000, np.float32), PanelView((0, 10), (0, 10), 200, 200)
    )
    density = picture % (DENSITIES + 1)
    assert density[100, 100] > density[60, 60] > 0
    assert density[0, 0] == 0


def test_no_points_in_view_give_an_empty_picture():
    picture = rasterise(
        np.zeros((3, 2), np.float32), np.zeros(3, np.float32), PanelView((5, 6), (5, 6), 30, 20)
    )
    assert picture.shape == (20, 30)
    assert not picture.any()


def test_palettes_have_one_colour_per_byte():
    colours = palette(["#123456"] * COLOURS, "#808080")
    assert len(colours) == 256
    assert colours[0] == "#00000000"
    assert colours[1].startswith("#123456")
    assert colours[DENSITIES] == "#123456ff"
    assert colours[UNKNOWN * (DENSITIES + 1) + 1].startswith("#808080")


def test_a_lasso_keeps_what_is_inside():
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (5000, 2)).astype(np.float32)
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    rows = inside_polygon(points, 0.5 * np.cos(angle), 0.5 * np.sin(angle))
    expected = np.flatnonzero(np.hypot(*points.T) < 0.499 * np.cos(np.pi / 60))
    assert set(expected) <= set(rows)
    assert (np.hypot(*points[rows].T) < 0.5).all()
    # A hole by the even-odd rule: a star drawn in one stroke.
    star = np.exp(1j * np.pi * (0.5 + 0.8 * np.arange(5)))
    rows = inside_polygon(points, star.real, star.imag)
    assert np.hypot(*points[rows].T).min() > 0.3
    assert len(inside_polygon(points, angle[:2], angle[:2])) == 0
    assert len(inside_polygon(points, np.array([5, 6, 6.0]), np.array([5, 5, 6.0]))) == 0


def test_a_box_may_be_drawn_from_any_corner():
    points = np.array([[0, 0], [1, 1], [3, 3]], np.float32)
    assert inside_box(points, (2, 0.5), (0.5, 2)).tolist() == [1]


# --------------------------------------------------------------------------- colours


def test_every_known_label_can_be_chosen(embedding):
    keys = [key for key, _ in choices(embedding)]
    assert keys[0] == DOMAIN
    assert {"teff", "logg", "Fe", "chi2"} <= set(keys)
    assert "snr" not in keys  # none is known
    what = colouring(embedding, "teff")
    assert what.clipped == (True, True)
    assert 3500 < what.low < 4500 < what.high < 5600
    assert np.nanmin(what.values) == 0
    assert np.nanmax(what.values) == 1
    half = colouring(embedding, "chi2")
    assert half.some_unknown
    assert np.isnan(half.values[:500]).all()
    assert colouring(embedding, "nonsense").key == DOMAIN


@pytest.mark.parametrize("dark", [False, True])
def test_colours_stand_out_from_the_background(embedding, dark):
    def light(colour):
        rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    background = light("#121212" if dark else "#ffffff")
    for key in (DOMAIN, "teff"):
        for panel in PANELS:
            for colour in colours_of(colouring(embedding, key), panel, dark)[:: COLOURS - 1]:
                a, b = sorted([light(colour), background])
                assert (b + 0.05) / (a + 0.05) > 1.5, (key, panel, colour)
    legend = legend_html(colouring(embedding, "teff"), dark)
    assert "T_eff (K)" in legend
    assert 'role="img"' in legend


# ----------------------------------------------------------------------------- a star


def test_curves_of_a_star_are_its_own(bundle, embedding):
    model = bundle.model
    synthetic = star_curves(model, embedding, 3)
    assert synthetic.observed is None
    expected = model.adapt(embedding.stars.synthetic_labels[3])[0]
    # Labels are rounded as they are shown.
    np.testing.assert_allclose(synthetic.adapted, expected, atol=6e-3)
    seen = star_curves(model, embedding, 507)
    truth = model.truth(embedding.stars.observed_labels[7])[0]
    assert np.sqrt(np.mean((seen.observed - truth) ** 2)) < 0.01


def test_mean_and_spread_are_those_of_the_spectra(bundle, embedding):
    rows = np.r_[3:10, 505:560]
    curves = selection_curves(bundle.model, embedding, rows)
    spectra = np.array([observed_flux(bundle.model, embedding, r) for r in range(505, 560)])
    np.testing.assert_allclose(curves.observed, spectra.mean(0), atol=2e-4)
    np.testing.assert_allclose(curves.spread, spectra.std(0), atol=5e-4)
    adapted = bundle.model.adapt(embedding.stars.synthetic_labels[3:10]).mean(0)
    np.testing.assert_allclose(curves.adapted, adapted, atol=1e-4)
    assert selection_curves(bundle.model, embedding, np.array([2])).observed is None


def test_a_tapped_star_goes_to_all_pages(page, told, embedding):
    latents = page.board.maps["latents"]
    x, y = (float(v) for v in latents.points[612])
    latents._tapped(Tap(latents.plot, x=x, y=y))
    labels, star = told[-1]
    row = page.row
    assert np.hypot(*(latents.points[row] - latents.points[612])) < 1
    assert page.state.mapped == embedding.stars.ids[row]
    assert page.spectrum.curves.title == embedding.stars.ids[row]
    for panel in page.board.maps.values():
        place = [panel.chosen.data["x"][0], panel.chosen.data["y"][0]]
        np.testing.assert_allclose(place, panel.points[row])
    assert f"<b>{embedding.stars.ids[row]}</b>" in page.side.star.object

    page.choose(500)
    labels, star = told[-1]
    assert labels["teff"] == round(float(embedding.stars.observed_labels[0, 0]))
    assert (star.id, star.file) == ("observed 1", MAPPED)
    assert star.normalised(page.model.grid).grid == page.model.grid
    np.testing.assert_allclose(star.spectra.ivar, embedding.stars.noise**-2, rtol=1e-4)
    page.choose(4)
    assert told[-1][1] is None
    # In the very middle too, where both coordinates are 0.
    middle = int(np.hypot(*latents.points.T).argmin())
    latents.zoom(20.0)
    latents._tapped(Tap(latents.plot, x=0.0, y=0.0))
    assert page.row == middle
    latents.fit()
    page.choose(4)
    # Far from every star nothing is chosen.
    latents._tapped(Tap(latents.plot, x=1e4, y=1e4))
    assert page.row == 4


def test_a_star_that_was_chosen_before_the_map_was_there_moves_no_sliders(bundle, told):
    model = bundle.model
    state = ViewState(model.labels, model.reference, page="map", mapped="synthetic 7")
    page = MapPage(bundle, state, lambda labels, star: told.append((labels, star)))
    assert page.row == 6
    assert told == []
    page.choose(6)
    assert len(told) == 1
    page.close()


def test_the_star_in_the_state_is_shown(page, told):
    page.state.mapped = "observed 5"
    assert page.row == 504
    page.state.mapped = "nobody"
    assert page.row == 504
    assert len(told) == 1


def test_the_pointer_names_the_nearest_star(page, embedding):
    latents = page.board.maps["latents"]
    x, y = (float(v) for v in latents.points[20])
    page.board.pointer.data = {"panel": ["latents"], "x": [x], "y": [y]}
    assert embedding.stars.ids[latents.hit(x, y)] in page.board.words.object
    assert len(page.board.maps["spectra"].near.data["x"]) == 1
    page.board.pointer.data = {"panel": ["latents"], "x": [np.nan], "y": [np.nan]}
    assert "Hover over a star" in page.board.words.object
    assert len(page.board.maps["spectra"].near.data["x"]) == 0


def test_stars_are_found_by_their_ids(page, embedding):
    assert find(embedding, "OBSERVED 3") == [502]
    assert find(embedding, " ") == []
    assert len(find(embedding, "observed 12")) == 1
    assert len(find(embedding, "bserved 12")) == 11
    page.side.search.value_input = "synthetic 40"
    page._search()
    assert page.row == 39
    page.side.search.value_input = "tic 40"
    page._search()
    assert page.selected.tolist() == [39, *range(399, 409)]
    page.side.search.value_input = "<b>who</b>"
    page._search()
    assert (
        "No star of the map is called \u201c&lt;b&gt;who&lt;/b&gt;\u201d" in page.side.found.object
    )
    assert len(page.selected) == 11


# --------------------------------------------------------------------------- selection


def circle(panel, x, y, radius):
    angle = np.linspace(0, 2 * np.pi, 40)
    geometry = {
        "type": "poly",
        "x": (x + radius * np.cos(angle)).tolist(),
        "y": (y + radius * np.sin(angle)).tolist(),
    }
    panel._circled(SelectionGeometry(panel.plot, geometry=geometry, final=True))


@pytest.mark.parametrize("name", FORMATS)
def test_strange_ids_survive_in_every_format(page, embedding, name, hostile_texts, read_back):
    n, first = len(hostile_texts), embedding.stars.n_each
    stars = replace(
        embedding.stars, observed_ids=(*hostile_texts, *embedding.stars.observed_ids[n:])
    )
    strange = replace(embedding, stars=stars)
    rows = first + np.arange(n)
    content = selection_bytes(strange, rows, name)
    table = read_back(content, name)
    assert column_texts(table["id"]) == list(hostile_texts)
    teff = np.ma.filled(np.ma.asarray(table["teff"], float), np.nan)
    np.testing.assert_allclose(teff, stars.labels[rows, 0], rtol=1e-6)
    page.embedding, page.selected = strange, rows
    assert page._download(name).getvalue() == content


def test_circled_stars_stand_in_a_table_and_in_files(page, embedding):
    latents = page.board.maps["latents"]
    circle(latents, 0, 0, 25)
    inside = np.flatnonzero(np.hypot(*latents.points.T) < 25)
    n = len(page.selected)
    assert abs(n - len(inside)) <= 0.02 * len(inside) + 2
    assert len(page.table.rows) == min(MAX_TABLE_ROWS, n)
    assert f"<b>{n} stars</b> selected" in page.side.chosen_words.object
    assert page.spectrum.curves.title == f"mean of {n} stars"
    assert page.board.maps["spectra"].images[0].glyph.global_alpha < 0.5
    assert page.board.maps["spectra"].sources[1].data["image"][0].any()
    for name, one in FORMATS.items():
        content = page._download(name).getvalue()
        source = content.decode() if one.astropy.startswith("ascii") else io.BytesIO(content)
        table = Table.read(source, format=one.astropy)
        assert len(table) == n
        row = int(page.selected[-1])
        assert str(table["id"][-1]) == embedding.stars.ids[row]
        assert table["teff"][-1] == pytest.approx(embedding.stars.labels[row, 0], rel=1e-5)
        assert str(table["teff"].unit) == ("None" if name == "CSV" else "K")
        assert table["latents_x"][-1] == pytest.approx(latents.points[row, 0], rel=1e-4)
    # A row of the table is a star.
    page.table.chosen = page.table.rows[2]["key"]
    assert page.row == int(page.table.rows[2]["key"])
    assert page.spectrum.curves.title == embedding.stars.ids[page.row]
    page.select(None)
    assert page.table.rows == []
    assert all(button.disabled for button in page.side.downloads)
    assert page.board.maps["spectra"].images[0].glyph.global_alpha == 1


def test_a_selection_is_sent_by_samp(page, monkeypatch):
    from spectrabridge.core.errors import LinesError
    from spectrabridge.core.vetting import samp

    sent = []

    def send(table, name):
        sent.append((len(table), name))
        return [samp.Sent("TOPCAT"), samp.Sent("Aladin", "did not answer in time")]

    monkeypatch.setattr(samp, "send_table", send)
    page.select(np.array([1, 2, 700]))
    page._send()
    assert sent == [(3, "stars of mock-lines")]
    words = "TOPCAT has 3 stars. Aladin: did not answer in time."
    assert page.side.chosen_words.object == words

    def no_hub(table, name):
        raise LinesError("No SAMP hub is running here.")

    monkeypatch.setattr(samp, "send_table", no_hub)
    page._send()
    assert page.side.chosen_words.object == "No SAMP hub is running here."


def test_an_empty_lasso_says_so(page):
    circle(page.board.maps["latents"], 1e3, 1e3, 1)
    assert page.side.chosen_words.object == "No stars there."
    assert page.board.maps["latents"].images[0].glyph.global_alpha == 1


def test_what_is_in_view_can_be_selected_without_a_mouse(page):
    page.board.panel = "latents"
    page.board._zoom(0.5)
    page.board._select_shown()
    latents = page.board.maps["latents"]
    assert page.selected.tolist() == latents.in_view().tolist()
    assert 0 < len(page.selected) < len(latents.points)
    # Of several panels, in view in all of them.
    page.board.panel = "all"
    page.board.maps["adapted"].zoom(0.5)
    page.board._select_shown()
    both = set(latents.in_view()) & set(page.board.maps["adapted"].in_view())
    assert set(page.selected.tolist()) == both
    page.board.fit()
    assert len(latents.in_view()) == len(latents.points)


# -------------------------------------------------------------------------------- views


def test_a_new_view_gives_a_new_picture_of_that_view(page):
    panel = page.board.maps["adapted"]
    before = panel.sources[0].data["image"][0]
    panel._ranged(RangesUpdate(panel.plot, x0=-5, x1=5, y0=-4, y1=4))
    data = panel.sources[0].data
    assert (data["x"][0], data["dw"][0], data["y"][0], data["dh"][0]) == (-5, 10, -4, 8)
    assert not np.array_equal(data["image"][0], before)
    others = page.board.maps["latents"].sources[0].data
    assert others["dw"][0] > 50


def test_pictures_have_the_size_of_the_figure_and_one_scale(page):
    panel = page.board.maps["adapted"]
    panel._resized("inner_width", 0, 700)
    panel._resized("inner_height", 0, 350)
    assert panel.sources[0].data["image"][0].shape == (350, 700)
    x0, x1, y0, y1 = panel.window
    assert (x1 - x0) / 700 == pytest.approx((y1 - y0) / 350)
    assert len(panel.in_view()) == len(panel.points)


def test_hidden_panels_draw_when_they_are_shown(page):
    page.board.panel = "latents"
    assert [box.visible for box in page.board.boxes.values()] == [False, False, True]
    hidden = page.board.maps["spectra"]
    before = hidden.sources[0].data["image"][0]
    page.side.colour.value = "teff"
    assert hidden.sources[0].data["image"][0] is before
    page.board.panel = "all"
    assert hidden.sources[0].data["image"][0] is not before


def test_the_dark_theme_needs_no_new_picture(page):
    panel = page.board.maps["latents"]
    light = list(panel.mapper.palette)
    page.state.dark = True
    assert list(panel.mapper.palette) != light
    assert panel.mapper.palette[COLOURS * 8 - 1].startswith("#ffffff")


# ---------------------------------------------------------------------- stars of one's own


def test_an_opened_star_is_placed(bundle, embedding):
    model = bundle.model
    flux = model.truth(embedding.stars.observed_labels[3:4])
    from spectrabridge.core.spectra import Spectra

    star = ("2M0001", Spectra(model.grid, flux, np.full(flux.shape, 1e4)))
    asked = []

    def fitted_star():
        asked.append(star)
        return star

    state = ViewState(model.labels, model.reference, bundle=bundle.name)
    page = MapPage(bundle, state, fitted_star=fitted_star)
    assert not page.side.placed.visible
    assert asked == []
    state.page = "map"
    assert page.side.placed.visible
    assert "<b>\u2605 2M0001</b> stands nearest to observed" in page.side.placed.object
    latents = page.board.maps["latents"]
    place = np.array([latents.placed.data["x"][0], latents.placed.data["y"][0]])
    off = np.hypot(*(latents.points - place).T)
    assert np.argsort(off).tolist().index(503) < 15
    page.close()


@pytest.fixture
def giants_map():
    """The Map page of the shipped giants, as it stands in a cell: with stars of its own."""
    bundle = open_bundle("apogee-giants")
    model = bundle.model
    page = MapPage(bundle, ViewState(model.labels, model.reference, page="map"))
    yield page
    page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_dropped_file_of_any_kind_is_placed(giants_map, data_file, kind):
    page = giants_map
    name, content, _ = content_of(kind, data_file)
    page.side.drop.on_file(name, content)
    assert not page.side.problem.visible
    assert "stands nearest to" in page.side.placed.object
    assert all(len(panel.placed.data["x"]) == 1 for panel in page.board.maps.values())


def test_a_file_that_cannot_be_read_is_told_on_the_map_and_taken_back(giants_map):
    page = giants_map
    page.side.drop.on_file("<b>.txt", b"a shopping list")
    assert page.side.problem.visible
    assert page.side.problem.object.startswith("&lt;b&gt;.txt is none of the files")
    assert not page.side.placed.visible
    name, content, _ = content_of("apStar", None)
    page.side.drop.on_file(name, content)
    assert not page.side.problem.visible and page.side.placed.visible


# -------------------------------------------------------------------------- without a map


@pytest.fixture
def bare(bundle, monkeypatch):
    """The bundle without its map."""
    monkeypatch.setattr(open_maps, "_maps", {})
    monkeypatch.setattr(map_maker, "SMALL_MAP_STARS", 60)
    return Bundle(bundle.path, dict(bundle.data) | {"attached": {}}, "cpu", bundle._files)


def test_without_a_map_the_page_says_what_to_do_and_makes_one(bare):
    page = MapPage(bare)
    assert page.embedding is None
    assert "spectrabridge embed mock-lines --store" in page.making.notice.object
    page.making.begin()
    assert len(page.embedding) == 60
    assert page.board is not None
    page.close()
    # It is there for the next page too.
    assert MapPage(bare).embedding is page.embedding


def test_making_a_map_can_be_stopped(bare, monkeypatch):
    page = MapPage(bare)
    monkeypatch.setattr(page.making, "_part", lambda what, part: page.making.end())
    page.making.begin()
    assert page.embedding is None
    assert page.making.progress.object == "Stopped."
    assert not page.making.make.disabled


def test_a_damaged_map_is_told_and_can_be_replaced(bundle, monkeypatch):
    monkeypatch.setattr(open_maps, "_maps", {})

    def damaged(bundle):
        raise EmbeddingError("The map of mock-lines is damaged.")

    monkeypatch.setattr(open_maps, "stored_embedding", damaged)
    page = MapPage(bundle)
    assert "The map of mock-lines is damaged." in page.making.notice.object
    assert not page.making.make.disabled


# ------------------------------------------------------------------------- for notebooks


def test_the_paper_s_figure_for_notebooks(bundle, bare, embedding, monkeypatch):
    import holoviews as hv

    layout = latent_figure(bundle)
    titles = [overlay.label or overlay.opts.get("plot").kwargs["title"] for overlay in layout]
    assert titles == list(PANELS.values())
    assert sum(len(points) for points in layout[0].values()) == len(embedding)
    hv.renderer("bokeh").get_plot(layout)
    with pytest.raises(EmbeddingError, match="spectrabridge embed mock-lines --store"):
        latent_figure(bare)


@pytest.mark.slow
def test_many_stars_are_counted_into_pixels(bundle, monkeypatch):
    import holoviews as hv

    monkeypatch.setattr("spectrabridge.explorer.publication.latent_map.MAX_DRAWN_STARS", 100)
    assert all(isinstance(e, hv.RGB) for e in latent_figure(bundle)[1].values())
