"""Maps as files: they come back as they were, and damaged ones say so."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from spectrabridge.core.bundle.writing import write_bundle
from spectrabridge.core.embedding import (
    NAME,
    PANELS,
    make_embedding,
    read_embedding,
    stars_of_spectra,
    store_embedding,
    stored_embedding,
    write_embedding,
)
from spectrabridge.core.errors import EmbeddingError
from spectrabridge.core.spectra import Spectra

from .conftest import QUICK


def headers(content):
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size])["__metadata__"]


def test_a_map_of_bundle_stars_comes_back_and_is_small(giants, small):
    content = write_embedding(small)
    assert len(content) < 240 * 13 + 2500
    back = read_embedding(content, giants)
    for key in PANELS:
        np.testing.assert_allclose(back.panels[key], small.panels[key], rtol=1e-3, atol=0.02)
    np.testing.assert_array_equal(back.stars.labels, small.stars.labels)
    np.testing.assert_array_equal(back.stars.coefficients, small.stars.coefficients)
    np.testing.assert_allclose(back.chi2, small.chi2, rtol=1e-3)
    assert back.info == json.loads(json.dumps(small.info))
    assert back.stars.ids == small.stars.ids


def test_a_map_of_own_spectra_keeps_what_is_needed_to_show_them(giants):
    model = giants.model
    flux = np.asarray(model.adapt(giants.sample.synthetic_labels[:40].numpy()))
    own = Spectra(model.grid, flux, np.full(flux.shape, 1e4), tuple(f"star {i}" for i in range(40)))
    made = make_embedding(giants, stars_of_spectra(giants, own)[0], QUICK)
    back = read_embedding(write_embedding(made), giants)
    assert back.stars.observed_ids == own.ids
    np.testing.assert_allclose(back.stars.coefficients, made.stars.coefficients, atol=0.01)
    np.testing.assert_allclose(back.stars.snr, made.stars.snr)
    for key in PANELS:
        np.testing.assert_allclose(
            back.features[key].values, made.features[key].values, rtol=2e-3, atol=2e-3
        )


def test_stored_in_a_bundle_and_replaced(giants, small, tmp_path):
    model = giants.model
    bundle = write_bundle(
        tmp_path / "own",
        name="own",
        title="",
        description="",
        emulator=model.complete_emulator,
        adapter=model.adapter,
        reference=model.reference,
        sample=giants.sample,
    )
    assert stored_embedding(bundle) is None
    info = dict(small.info) | {"bundle": "own", "fingerprint": bundle.fingerprint}
    # Without a truth there are only the stars that the bundle keeps, of which this has 120.
    bundle = store_embedding(bundle, replace(small, info=info))
    back = stored_embedding(bundle)
    assert len(back) == 240
    assert [p.name for p in bundle.path.glob("*.partial")] == []
    assert list(bundle.data["attached"]) == [NAME]


def test_a_map_of_other_weights_is_refused(giants, small):
    content = write_embedding(replace(small, info=dict(small.info) | {"fingerprint": "0" * 16}))
    with pytest.raises(EmbeddingError, match=r"other weights.*spectrabridge embed apogee-giants"):
        read_embedding(content, giants)


@pytest.mark.parametrize(
    "harm",
    [
        lambda t, h: (t, {}),
        lambda t, h: (t | {"panel.latents": t["panel.latents"][:-1]}, h),
        lambda t, h: (t | {"panel.latents": t["panel.latents"] * np.float16(np.nan)}, h),
        lambda t, h: ({k: v for k, v in t.items() if k != "panel.adapted"}, h),
        lambda t, h: (t | {"chi2": t["chi2"][:5]}, h),
        lambda t, h: (t, h | {"recipe": '{"seed": "x"}'}),
        lambda t, h: (t, h | {"recipe": '{"seed": 3, "check": [1, 2, 3]}'}),
        lambda t, h: (t, h | {"info": "[]"}),
        lambda t, h: (t, h | {"info": "{"}),
        lambda t, h: (t, h | {"recipe": '{"seed": Infinity, "check": [1, 2, 3]}'}),
        lambda t, h: (t, h | {"recipe": '{"seed": 1e999}'}),
        lambda t, h: (t, h | {"recipe": '{"seed": 1000000000000000000000000, "check": [1]}'}),
        lambda t, h: (t, h | {"recipe": '{"seed": -1, "check": [1, 2, 3]}'}),
        lambda t, h: (t, h | {"recipe": "[" * 50_000}),
        lambda t, h: (t, h | {"info": '{"a":' * 200 + "1" + "}" * 200}),
        lambda t, h: ({k: v[:2] for k, v in t.items()}, h),
    ],
)
def test_damaged_files_are_refused_in_a_sentence(giants, small, harm):
    content = write_embedding(small)
    tensors, header = harm(load(content), headers(content))
    with pytest.raises(EmbeddingError, match=r"The map of apogee-giants .*spectrabridge embed"):
        read_embedding(save({k: v.copy() for k, v in tensors.items()}, header), giants)


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("kl",), None, r"info\.kl: expected an object, found null"),
        (("kl", "latents"), float("nan"), r"info\.kl\.latents: expected a finite number"),
        (("mixing", "latents"), 3, r"info\.mixing\.latents: expected an object"),
        (("fingerprint",), 5, r"info\.fingerprint: expected text"),
        (("settings",), "x", r"info\.settings: expected an object"),
    ],
)
def test_what_is_wrong_in_the_figures_is_named(giants, small, keys, value, words):
    content = write_embedding(small)
    header = headers(content)
    info = inner = json.loads(header["info"])
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    tensors = {k: v.copy() for k, v in load(content).items()}
    with pytest.raises(EmbeddingError, match=words):
        read_embedding(save(tensors, header | {"info": json.dumps(info)}), giants)


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 64, b"PK\x03\x04"])
def test_other_files_are_refused(giants, content):
    with pytest.raises(EmbeddingError, match="damaged"):
        read_embedding(content, giants)


def test_a_cut_file_is_refused(giants, small):
    with pytest.raises(EmbeddingError, match="damaged"):
        read_embedding(write_embedding(small)[:-100], giants)
