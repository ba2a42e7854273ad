"""Continuum pixels derived from a synthetic grid."""

import json

import numpy as np

from spectrabridge.core.spectra import APSTAR_GRID
from spectrabridge.core.spectra.stored_continuum_pixels import STORED_PIXELS
from spectrabridge.core.synthesis.continuum_pixels import main


def test_derivation_reproduces_the_stored_list(data_file, tmp_path, capsys):
    main([str(data_file("grid/sme_giants_8575.npz")), "--out", str(tmp_path / "p.json")])
    stored = json.loads(STORED_PIXELS.read_text())
    again = json.loads((tmp_path / "p.json").read_text())
    assert again == stored
    assert f"{len(stored['pixels'])} of 7214 pixels" in capsys.readouterr().out
    np.testing.assert_allclose(
        APSTAR_GRID.wavelength[stored["pixels"]], stored["wavelength"], atol=0.0051
    )
