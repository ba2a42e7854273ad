from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrabridge.core.atmosphere import (
    LearntAtmospheres,
    Structure,
    TableAtmospheres,
    read_atmosphere,
    read_atmospheres,
    read_model_table,
    shipped_atmospheres,
)
from spectrabridge.core.atmosphere.training import AtmosphereFit, held_out_models, learn
from spectrabridge.core.errors import AtmosphereError
from spectrabridge.core.labels.diagram_draws import STAR_LABELS, whole_diagram


def grey(teff: float, logg: float, feh: float, n: int = 12) -> Structure:
    """A grey atmosphere, with pressures that scale as they do in giants."""
    tau = np.logspace(-3, 1, n)
    temperature = teff * (0.75 * (tau + 2 / 3)) ** 0.25
    gas = 10 ** (0.6 * logg - 0.4 * feh + 2.5) * tau**0.6
    return Structure.from_pressures(
        teff,
        logg,
        feh,
        temperature=temperature,
        electron_pressure=gas * 10 ** (-4.0 + 0.4 * feh),
        gas_pressure=gas,
        rhox=gas / 10**logg,
    )


def test_shipped_atmospheres_are_those_of_the_sun_and_of_giants() -> None:
    atmospheres = shipped_atmospheres()
    sun = atmospheres(5777.0, 4.44, 0.0)
    # Depth 1 at 5000 angstrom of the MARCS Sun; at Rosseland depth 1 it is 6237 K.
    tau = np.array(atmospheres.facts["log_tau_5000"])[-sun.n_layers :]
    assert np.interp(0.0, tau, sun.temperature) == pytest.approx(6478, abs=15)
    giant = atmospheres(4750.0, 2.5, 0.0)
    assert 3000 < giant.temperature[0] < 3600
    assert (np.diff(giant.temperature[2:]) > 0).all()
    assert (giant.atoms > giant.electrons).all()
    assert giant.rhox[-1] > 8 * sun.rhox[-1]
    # Smooth: half way between two stars lies between them.
    a, b, c = (atmospheres(t, 2.0, -0.5).temperature[20] for t in (4400, 4500, 4600))
    assert a < b < c
    assert abs(b - (a + c) / 2) < 2


@pytest.mark.parametrize(
    ("star", "words"),
    [
        ((3000.0, 2.0, 0.0), "Teff is 3000 K; the atmospheres cover 3400 to 6600 K"),
        ((4500.0, 5.5, 0.0), "log g is 5.5"),
        ((4500.0, 2.0, -3.0), r"\[Fe/H\] is -3"),
        ((6375.0, 0.5, 0.0), "begin at 1.25"),
        ((float("nan"), 2.0, 0.0), "Teff is nan"),
    ],
)
def test_stars_outside_are_refused(star: tuple[float, float, float], words: str) -> None:
    with pytest.raises(AtmosphereError, match=words):
        shipped_atmospheres()(*star)


def test_every_star_of_the_box_has_an_atmosphere() -> None:
    rng = np.random.default_rng(0)
    atmospheres = shipped_atmospheres()
    for star in whole_diagram(300, torch.Generator().manual_seed(0)).double().numpy():
        assert atmospheres(*star[[0, 1, STAR_LABELS.index("Fe")]]).n_layers >= 40
    for _ in range(300):
        star = rng.uniform([3800, 0.5, -1.5], [5000, 4.0, 0.5])
        if star[1] > 0.75:
            assert atmospheres(*star).n_layers >= 40


def grey_table(path: Path) -> Path:
    """Grey atmospheres on a grid, as an npz file of models."""
    nodes = [
        (teff, logg, feh)
        for teff in np.arange(3500.0, 6600.0, 500.0)
        for logg in np.arange(0.0, 5.1, 1.0)
        for feh in (-1.5, -1.0, -0.5, 0.0, 0.5)
    ]
    models = [grey(*node) for node in nodes]
    kt = 1.380649e-16 * np.array([m.temperature for m in models])
    electron = np.array([m.electrons for m in models]) * kt
    teff, logg, feh = np.array(nodes).T
    np.savez(
        path,
        teff=teff,
        logg=logg,
        feh=feh,
        # Depth scales differ from model to model, and reach less far than the joint one.
        log_tau_5000=np.linspace(-3, 1, 12) + 0.05 * (feh[:, None] + logg[:, None]),
        temperature=np.array([m.temperature for m in models]),
        electron_pressure=electron,
        gas_pressure=np.array([m.atoms for m in models]) * kt + electron,
        h_column=np.array([m.rhox for m in models]) * 6.02214076e23 / 1.3584,
    )
    return path


def test_a_fit_goes_through_a_smooth_table_and_states_its_error(tmp_path: Path) -> None:
    table = read_model_table(grey_table(tmp_path / "table.npz"))
    held = held_out_models(table, 20, 1)
    model = learn(table, AtmosphereFit(n_centres=60, width=0.6), held_out=held, description="grey")
    found = model.facts["held_out"]
    assert set(found) == {"all", "giants", "dwarfs", "cool"}
    assert found["all"]["n_models"] == found["giants"]["n_models"] + found["dwarfs"]["n_models"]
    assert found["all"]["temperature_rms_k"] < 8.0
    assert found["all"]["ln_gas_pressure_rms"] < 0.02
    path = tmp_path / "grey.safetensors"
    model.save(path)
    back = LearntAtmospheres.load(path)
    k = int(np.flatnonzero((table.stars == [4500.0, 2.0, -0.5]).all(axis=1))[0])
    node, learnt = table.structure(k), back(4500.0, 2.0, -0.5)
    layers = slice(-learnt.n_layers, None)
    np.testing.assert_allclose(learnt.temperature, node.temperature[layers], rtol=5e-3)
    assert back.description == "grey"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AtmosphereError, match="damaged"):
        LearntAtmospheres.load(path)


def test_models_are_joined_on_the_same_optical_depth(tmp_path: Path) -> None:
    table = read_model_table(grey_table(tmp_path / "table.npz"))
    with np.load(tmp_path / "table.npz") as file:
        depth, temperature = file["log_tau_5000"][7], file["temperature"][7]
    found = np.exp(table.logarithms[7, 0])
    inside = (table.log_tau > depth[0]) & (table.log_tau < depth[-1])
    expected = np.exp(np.interp(table.log_tau, depth, np.log(temperature)))
    np.testing.assert_allclose(found[inside], expected[inside])
    # Above the first layer the temperature stays, and pressures go on falling.
    np.testing.assert_allclose(found[table.log_tau < depth[0]], temperature[0])
    assert (np.diff(table.logarithms[7, 2]) > 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"h_column": None}, "missing: h_column"),
        ({"temperature": np.ones((2, 3))}, "to have one shape"),
        ({"log_tau_5000": np.zeros((210, 12))}, "must rise"),
        ({"gas_pressure": np.zeros((210, 12))}, "must be positive"),
    ],
)
def test_tables_that_cannot_be_fitted_are_refused(
    tmp_path: Path, change: dict[str, np.ndarray | None], words: str
) -> None:
    with np.load(grey_table(tmp_path / "table.npz")) as file:
        arrays = dict(file) | change
    np.savez(tmp_path / "bad.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(AtmosphereError, match=words):
        read_model_table(tmp_path / "bad.npz")


def test_the_shipped_fit_is_that_of_the_table(data_file: Callable[[str], Path]) -> None:
    table = read_model_table(data_file("atmospheres/marcs_apogee.npz"))
    assert len(table) == 4355
    found = learn(table, held_out=held_out_models(table, 200, 0)).facts["held_out"]
    stated = shipped_atmospheres().facts["held_out"]
    for kind in ("all", "giants", "dwarfs", "cool"):
        rms = found[kind]["temperature_rms_k"]
        assert rms == pytest.approx(stated[kind]["temperature_rms_k"], rel=0.02)
        assert rms < 4.5


def test_tables_interpolate_and_name_their_holes() -> None:
    stars = [(t, g, 0.0) for t in (4000, 4500, 5000) for g in (1.0, 2.0)]
    table = TableAtmospheres([grey(*star) for star in stars if star != (5000, 1.0, 0.0)])
    middle = table(4250, 1.5, 0.0)
    ends = [np.log(grey(t, g, 0.0).atoms) for t in (4000, 4500) for g in (1.0, 2.0)]
    np.testing.assert_allclose(np.log(middle.atoms), np.mean(ends, axis=0))
    assert table(5000, 2.0, 0.0).teff == 5000
    with pytest.raises(AtmosphereError, match="no atmosphere of Teff 5000 K, log g 1"):
        table(4800, 1.5, 0.0)
    with pytest.raises(AtmosphereError, match="cover 4000 to 5000"):
        table(5100, 1.5, 0.0)
    with pytest.raises(AtmosphereError, match="Two atmospheres"):
        TableAtmospheres([grey(4000, 1, 0), grey(4000, 1, 0)])
    with pytest.raises(AtmosphereError, match="same number of layers"):
        TableAtmospheres([grey(4000, 1, 0), grey(4500, 1, 0, 20)])


def test_impossible_structures_are_refused() -> None:
    good = grey(4000, 1, 0)
    with pytest.raises(AtmosphereError, match="layer 3 has -1"):
        replace(good, temperature=np.where(np.arange(12) == 2, -1, good.temperature))
    with pytest.raises(AtmosphereError, match="column mass"):
        replace(good, rhox=good.rhox[::-1])
    with pytest.raises(AtmosphereError, match="12 values of atoms"):
        replace(good, atoms=good.atoms[:5])


def marcs(structure: Structure, geometry: str = "plane-parallel") -> str:
    kt = 1.380649e-16 * structure.temperature
    pe = structure.electrons * kt
    pg = structure.atoms * kt + pe
    head = (
        f"{geometry[0]}{structure.teff:.0f}_g+{structure.logg:.1f}\n"
        f"  {structure.teff:.0f}.      Teff [K].         Last iteration; yyyymmdd=20050101\n"
        "  6.3156E+10 Flux [erg/cm2/s]\n"
        f"  {10**structure.logg:.4E} Surface gravity [cm/s2]\n"
        "  1.0        Microturbulence parameter [km/s]\n"
        f"  0.0        {'No mass for plane-parallel models' if geometry[0] == 'p' else 'Mass'}\n"
        f" {structure.feh:+.2f} +0.00 Metallicity [Fe/H] and [alpha/Fe]\n"
        f"  {structure.n_layers} Number of depth points\n"
        "Model structure\n"
        " k lgTauR  lgTau5    Depth     T        Pe          Pg         Prad       Pturb\n"
    )
    upper = "".join(
        f" {k + 1} -5.00 -4.9 -6.931E+07 {t:.3f} {e:.6E} {g:.6E} 1.4884E+00 0.0000E+00\n"
        for k, (t, e, g) in enumerate(zip(structure.temperature, pe, pg, strict=True))
    )
    lower = " k lgTauR    KappaRoss   Density   Mu      Vconv   Fconv/F      RHOX\n" + "".join(
        f" {k + 1} -5.00  1.0979E-04 {d:.6E} 1.267  0.000E+00 0.00000 {r:.8E}\n"
        for k, (d, r) in enumerate(zip(structure.density, structure.rhox, strict=True))
    )
    return head + upper + lower + "Assorted logarithmic partial pressures\n"


def atlas(structure: Structure) -> str:
    kt = 1.380649e-16 * structure.temperature
    pressure = (structure.atoms + structure.electrons) * kt
    rows = "".join(
        f" {r:.8E} {t:8.3f} {p:.6E} {n:.6E} 2.9E-05 9.1E-03 1.0E+05 0.0E+00 0.0E+00 7.8E+05\n"
        for r, t, p, n in zip(
            structure.rhox, structure.temperature, pressure, structure.electrons, strict=True
        )
    )
    return (
        f"TEFF   {structure.teff:.0f}.  GRAVITY {structure.logg:.5f} LTE\n"
        "TITLE  [-0.5] VTURB=2  L/H=1.25 NOVER NEW ODF\n"
        f"ABUNDANCE SCALE   {10**structure.feh:.5f} ABUNDANCE CHANGE 1 0.92080 2 0.07837\n"
        f"READ DECK6 {structure.n_layers} RHOX,T,P,XNE,ABROSS,ACCRAD,VTURB, FLXCNV\n"
        f"{rows}PRADK 1.4E+00\nBEGIN                    ITERATION  15 COMPLETED\n"
    )


def krz(structure: Structure) -> str:
    rows = "".join(
        f" {r:.8E},{t:9.3f},{n:.6E},{a:.6E},{d:.6E},\n"
        for r, t, n, a, d in zip(
            structure.rhox,
            structure.temperature,
            structure.electrons,
            structure.atoms,
            structure.density,
            strict=True,
        )
    )
    abundances = " 0.92080 -1.10 -10.90 -10.60\n" * 10
    return (
        f"ATLAS9 [{structure.feh:+.1f}] VTURB=2\n"
        f"T EFF={structure.teff:.0f}. GRAV={structure.logg:.2f} MODEL TYPE= 0 WLSTD= 5000\n"
        f" 1 1 1 1 1 1 1 1 1 1 1 1 1 0 1 0 0 0 0 0 - OPACITY SWITCHES\n{abundances}{rows}"
    )


@pytest.mark.parametrize("write", [marcs, atlas, krz])
def test_readers_of_model_files(write: Callable[[Structure], str], tmp_path: Path) -> None:
    structure = grey(4500, 1.5, -0.5)
    path = tmp_path / "one.mod"
    path.write_text(write(structure))
    found = read_atmosphere(path)
    assert (found.teff, found.logg, found.feh) == (4500, 1.5, -0.5)
    for name in ("temperature", "electrons", "atoms", "rhox"):
        np.testing.assert_allclose(getattr(found, name), getattr(structure, name), rtol=2e-4)
    np.testing.assert_allclose(found.density, structure.density, rtol=2e-4)
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[: len(rows) // 2 + 2]))
    if write is not krz:
        with pytest.raises(AtmosphereError, match=r"Expected|damaged"):
            read_atmosphere(path)


def test_a_folder_becomes_a_grid(tmp_path: Path) -> None:
    for teff in (4000, 4500):
        for logg in (1.0, 2.0):
            star = grey(teff, logg, 0.0)
            (tmp_path / f"s{teff}_{logg}.mod").write_text(marcs(star, "spherical"))
    atmospheres = read_atmospheres(tmp_path)
    assert atmospheres(4250, 1.5, 0.0).n_layers == 12
    assert "spherical, used as plane-parallel" in read_atmosphere(tmp_path / "s4000_1.0.mod").source
    with pytest.raises(AtmosphereError, match="cover"):
        atmospheres(4250, 1.5, -1.0)
    (tmp_path / "notes.mod").write_text("nothing of the kind")
    with pytest.raises(AtmosphereError, match=r"notes\.mod is no model atmosphere"):
        read_atmospheres(tmp_path)
    with pytest.raises(AtmosphereError, match="no folder"):
        read_atmospheres(tmp_path / "none")
