import socket

import pytest

from spectrabridge.apps.explorer import serve
from spectrabridge.core.errors import BundleError, SpectrabridgeError
from spectrabridge.core.fitting.stars import read_stars
from spectrabridge.core.io.apstar import example_apstar
from spectrabridge.explorer.app import Explorer
from spectrabridge.explorer.session import open_bundles


def test_a_bundle_is_opened_once_for_all_sessions(bundles):
    first, second = Explorer(), Explorer("fake-lines")
    assert first.bundle is second.bundle
    assert first.spectrum.view.derivatives is second.spectrum.view.derivatives
    assert bundles.count("fake-lines") == 0
    assert first.state is not second.state
    first.close()
    second.close()


def test_files_are_opened_at_the_start(bundles):
    explorer = Explorer(files=[example_apstar()])
    assert list(explorer.stars.files) == [example_apstar().name]
    assert explorer.spectrum.view.figures.lines["observed"].visible
    explorer.close()


def test_switching_the_bundle_keeps_labels_and_star(bundles):
    explorer = Explorer(files=[example_apstar()])
    old = explorer.spectrum.view
    explorer.state.move("Si", 0.3)
    explorer.state.unit = "nm"
    explorer.choice.value = "other-lines"
    assert explorer.bundle.name == "other-lines"
    assert explorer.state.labels["Si"] == 0.3
    assert explorer.state.unit == "nm"
    assert explorer.spectrum.view is not old
    assert explorer.spectrum.view.figures.lines["observed"].visible
    explorer.close()


def test_a_bundle_that_cannot_be_opened_is_told_and_the_old_one_stays(bundles, monkeypatch):
    explorer = Explorer()
    view = explorer.spectrum.view

    def broken(name=None):
        raise BundleError("other-lines is damaged.")

    monkeypatch.setattr(open_bundles, "open_bundle", broken)
    explorer.choice.value = "other-lines"
    assert explorer.messages.text == "other-lines is damaged."
    assert explorer.choice.value == "fake-lines"
    assert explorer.spectrum.view is view
    explorer.state.move("teff", 5000)
    assert view.frame.values[0] == 5000
    explorer.close()


def test_a_bad_bundle_stops_serve(bundles, monkeypatch):
    def broken(name=None):
        raise BundleError("There is no bundle nowhere.")

    monkeypatch.setattr(open_bundles, "open_bundle", broken)
    with pytest.raises(BundleError, match="no bundle nowhere"):
        serve("nowhere", port=0)


def test_a_busy_port_is_one_sentence(bundles):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SpectrabridgeError, match=rf"port {port}.*Choose another port"):
            serve(port=port, host="127.0.0.1")


def test_the_fit_page_is_built_when_it_is_opened(bundles):
    explorer = Explorer()
    assert explorer.fit is None
    spectrum = explorer.pages["spectrum"].parts
    explorer.navigation.value = "fit"
    assert explorer.state.page == "fit"
    assert all(part.visible for part in explorer.fit.parts)
    assert not any(part.visible for part in spectrum)
    fit = explorer.fit
    explorer.state.page = "spectrum"
    assert explorer.navigation.value == "spectrum"
    assert not any(part.visible for part in fit.parts)
    explorer.state.page = "fit"
    assert explorer.fit is fit
    explorer.close()


def test_switching_the_bundle_keeps_page_and_dropped_stars(bundles):
    explorer = Explorer(page="fit")
    explorer.fit.receive("notes.txt", b"no star")
    explorer.fit.receive("star.fits", example_apstar().read_bytes())
    old = explorer.fit
    # These toys cannot be fitted with, which is told and ends nothing.
    assert [s.stage for s in old.queue.stars.values()] == ["unreadable", "failed"]
    explorer.choice.value = "other-lines"
    assert explorer.state.page == "fit"
    assert explorer.fit is not old
    assert list(explorer.fit.queue.stars) == ["notes.txt#0", "star.fits#0"]
    assert explorer.main[-1] is explorer.fit.parts[1]
    explorer.close()


def test_a_fitted_star_is_laid_over_the_model(bundles, model):
    explorer = Explorer(page="fit")
    (star,) = read_stars([example_apstar()])
    explorer.show_star(dict(explorer.state.labels) | {"teff": 4321.0}, star, "spectrum")
    assert explorer.state.page == "spectrum"
    assert explorer.state.labels["teff"] == 4321.0
    assert explorer.spectrum.view.figures.lines["observed"].visible
    explorer.close()


def test_a_page_that_there_is_not_is_refused(bundles):
    with pytest.raises(SpectrabridgeError, match='no page "x"; known are spectrum, derivatives'):
        Explorer(page="x")
    explorer = Explorer()
    with pytest.raises(SpectrabridgeError, match="no page"):
        explorer.state.page = "nowhere"
    assert explorer.state.page == "spectrum"
    explorer.navigation.value = "nowhere"
    assert explorer.state.page == "spectrum"
    explorer.close()
