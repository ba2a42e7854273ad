"""A bundle with candidate features, made of the features that it is known to lack."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from spectrabridge.core.bundle import read_bundle
from spectrabridge.core.bundle.bundle import SHIPPED
from spectrabridge.core.bundle.writing import attach
from spectrabridge.core.lines import CANDIDATES, Answer, Candidate, Candidates, NearLine
from spectrabridge.core.lines.candidate import candidate_id


def bundle_with_candidates(folder: Path) -> tuple[Path, Candidates]:
    """Copy the masked-line bundle to a folder, attach candidates, and return both."""
    path = folder / "mock-lines"
    shutil.copytree(SHIPPED / "mock-lines", path)
    bundle = read_bundle(path)
    model = bundle.model
    emulated, adapted = (f(model.reference)[0] for f in (model.emulate, model.adapt))
    depth = emulated - adapted
    wavelength = model.grid.wavelength
    rows: dict[str, Candidate] = {}
    for k, feature in enumerate(f for f in bundle.experiment.features if f.hidden):
        peak = feature.start + int(np.argmax(depth[feature.pixels]))
        identity = candidate_id(bundle.fingerprint, wavelength[peak])
        rows[identity] = Candidate(
            identity,
            float(wavelength[peak]),
            float(wavelength[feature.start]),
            float(wavelength[feature.stop - 1]),
            feature.start,
            feature.stop,
            peak,
            ("missing", "too weak", "shifted")[k % 3],
            float(1 - emulated[peak]),
            float(1 - adapted[peak]),
            float(depth[peak]),
            0.7 * float(depth[peak]),
            1.4 * float(depth[peak]),
            150.0 * float(depth[peak]),
            float(abs(depth[peak]) / 0.002),
            (
                Answer(feature.element, 0.7 - 0.001 * k),
                Answer("CN" if k % 2 else "CO", 0.15 + 0.001 * k),
                Answer("Ti" if feature.element != "Ti" else "V", 0.08),
                Answer("blend", 0.05),
                Answer("unknown", 0.02),
            ),
            (NearLine(f"{feature.element} 1", float(wavelength[peak]) + 0.03, -0.4, 5.6, -0.2),),
        )
    ordered = tuple(sorted(rows.values(), key=lambda c: c.wavelength))
    reference = bundle.labels.mapping(model.reference)
    candidates = Candidates(bundle.name, bundle.fingerprint, reference, {}, ordered)
    attach(bundle, CANDIDATES, candidates.dumps())
    return path, candidates
