"""Components as they stand in cells, outside a kernel: everything is computed at once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import spectrabridge as sb


@pytest.fixture(scope="module")
def bundle():
    return sb.open_bundle("mock-lines")


@pytest.fixture
def view(bundle):
    view = sb.SpectrumView(bundle)
    yield view
    view.close()


class TestComponents:
    def test_follow_the_state(self, view, bundle) -> None:
        before = view.frame.adapted.copy()
        view.state.move("teff", 4300)
        expected = bundle.model.adapt(view.state.values)[0]
        assert np.allclose(view.frame.adapted, expected, atol=1e-5)
        assert np.allclose(view.view.frame.adapted, expected, atol=1e-5)
        assert not np.allclose(before, expected, atol=1e-3)

    def test_that_share_a_state_show_the_same(self, view, bundle) -> None:
        derivatives = sb.DerivativeMap(bundle, state=view.state)
        view.state.move("Mg", 0.4)
        assert derivatives.labels.rows_of("Mg").value("Mg") == 0.4
        derivatives.close()

    def test_are_seen_whatever_the_page(self, view) -> None:
        assert view.state.page == "spectrum"
        assert view.state.shows("derivatives") and view.state.shows("lines")

    def test_lay_a_star_over(self, view) -> None:
        view.open(sb.example_apstar())
        assert "2M19485057" in view.state.star
        view.overlay(None)
        assert view.state.star == ""

    def test_spectra_on_another_grid_are_refused(self, view) -> None:
        from spectrabridge.core.errors import GridError
        from spectrabridge.core.io import read_apstar

        spectra = read_apstar(sb.example_apstar()).combined
        with pytest.raises(GridError):
            view.overlay(spectra)


class TestNames:
    def test_importing_the_package_loads_neither_torch_nor_panel(self) -> None:
        code = (
            "import spectrabridge, sys; print([m for m in ('torch', 'panel') if m in sys.modules])"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.stdout.strip() == "[]"

    def test_all_lead_somewhere(self) -> None:
        for name in sb.__all__:
            assert getattr(sb, name) is not None


class TestWhole:
    def test_held_out_stars_have_their_labels_and_noise(self, bundle) -> None:
        stars = sb.held_out_spectra(bundle, 5, snr=100, seed=3)
        again = sb.held_out_spectra(bundle, 5, snr=100, seed=3)
        assert np.array_equal(stars.flux, again.flux)
        truth = bundle.model.truth(stars.labels.astype(np.float32))
        z = (stars.flux - truth) * 100
        assert abs(z.std() - 1) < 0.05
