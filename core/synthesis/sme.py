"""Synthesis in LTE with the SME library (Valenti and Piskunov 1996; Wehrhahn et al. 2023).

The library is that of pysme-astro, which the extra ``synthesis`` installs. It is used
directly: its wavelengths are then vacuum, isotopologue fractions are in log gf, and
hydrogen lines carry their quantum numbers where other lines have damping.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..atmosphere import Atmospheres, Structure, shipped_atmospheres
from ..errors import LineListError, SynthesisError
from ..labels.label_set import APOGEE_LABELS, LabelSet
from ..linelist import LineList, shipped_lines
from ..spectra.wavelength import APSTAR_GRID, WavelengthGrid
from .broadening import broaden, disc_angles, velocity_width
from .simulator import Continuum

INSTALL = "python -m pip install 'spectrabridge[synthesis]'"

MISSING = (
    "Synthesis needs pysme-astro, which is not installed. Install it in a virtual environment of "
    f"its own, because it needs astropy below 8: {INSTALL}."
)

MARGIN_ANGSTROM = 15.0
"""Angstrom computed beyond the ends of the grid, for the wings of the profile."""

LINE_MARGIN_ANGSTROM = 5.0
"""Angstrom beyond what is computed from which lines are taken; hydrogen is always whole."""

HYDROGEN_STEP_ANGSTROM = 8.0
"""Angstrom between points of the pass that computes hydrogen alone, away from the lines."""

HYDROGEN_OFFSETS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 14.0, 18.0)
"""Angstrom from the centre of a hydrogen line at which it is computed, on both sides."""

MAX_FLUX = 1.02
"""Flux over the continuum above this means that a synthesis has failed."""

DEFAULTS = {"vturb": 1.5, "c12c13": 20.0, "vmacro": 4.0}
"""Values of labels that a label set may leave away."""


class SmeLines:
    """Lines in the form that SME's library takes: it asks for columns by name.

    ``atomic`` has eight columns: unused, stage of ionisation, vacuum wavelength, energy of
    the lower level, log gf and three damping constants, of which 0 asks the library for
    its own estimate. Hydrogen lines have the principal quantum numbers of their levels in
    place of the last two; with zeros the library drops them and goes on.
    """

    def __init__(self, species: NDArray[Any], atomic: NDArray[np.float64]) -> None:
        self._columns = {"species": species, "ionization": atomic[:, 1], "atomic": atomic}

    @classmethod
    def of(cls, lines: LineList, c12c13: float) -> SmeLines:
        """Return lines with the fractions of their isotopologues.

        Raises
        ------
        LineListError
            If log gf or an excitation energy is not known.
        """
        scaled = lines if lines.fractions_included else lines.with_isotope_fractions(c12c13)
        unknown = ~(np.isfinite(scaled.loggf) & np.isfinite(scaled.ep))
        if unknown.any():
            raise LineListError(
                f"{unknown.sum()} lines have no log gf or excitation energy, the first at "
                f"{scaled.wl_vac[unknown][0]:.3f} angstrom; leave them out."
            )
        atomic = np.zeros((len(scaled), 8))
        atomic[:, 0] = 1.0
        atomic[:, 1] = [int(name.rpartition(" ")[2]) for name in scaled.species]
        atomic[:, 2], atomic[:, 3], atomic[:, 4] = scaled.wl_vac, scaled.ep, scaled.loggf
        atomic[:, 5], atomic[:, 6], atomic[:, 7] = scaled.gamma_rad, scaled.gamma_stark, scaled.vdw
        hydrogen = scaled.species == "H 1"
        atomic[hydrogen, 6] = scaled.h_n_low[hydrogen]
        atomic[hydrogen, 7] = scaled.h_n_up[hydrogen]
        if (atomic[hydrogen, 6:8] == 0).any():
            raise LineListError(
                "Hydrogen lines need the principal quantum numbers of their levels; without them "
                "the library leaves the lines out without an error."
            )
        return cls(np.asarray(scaled.species), atomic)

    def __len__(self) -> int:
        return len(self._columns["species"])

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._columns[key]
        return SmeLines(self._columns["species"][key], self._columns["atomic"][key])


def require_pysme() -> tuple[Any, Any]:
    """Return SME's library and its abundances, imported now.

    Raises
    ------
    SynthesisError
        If pysme-astro is not installed; the message has the line that installs it.
    """
    try:
        # Importing it sets up a console log and warns of files it does not need.
        before = logging.getLogger("pysme").level
        logging.getLogger("pysme").setLevel(logging.ERROR)
        with warnings.catch_warnings(), _console_quiet():
            warnings.simplefilter("ignore")
            from pysme.abund import Abund
            from pysme.sme_synth import SME_DLL
        logging.getLogger("pysme").setLevel(max(before, logging.ERROR))
    except ImportError as problem:
        raise SynthesisError(MISSING) from problem
    return SME_DLL, Abund


@contextlib.contextmanager
def _console_quiet() -> Iterator[None]:
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)


def work_in_scratch_folder() -> None:
    """Go to an empty temporary folder: the library writes ``syntherr.log`` where it runs.

    For processes of their own; others would lose their relative paths.
    """
    folder = tempfile.mkdtemp(prefix="spectrabridge-")
    os.chdir(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _hydrogen_points(centres: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return wavelengths for the pass of hydrogen: close together where its lines are."""
    offsets = np.array(HYDROGEN_OFFSETS)
    near = (centres[:, None] + np.concatenate([-offsets[:0:-1], offsets])).ravel()
    points = np.concatenate(
        [np.arange(low, high + HYDROGEN_STEP_ANGSTROM, HYDROGEN_STEP_ANGSTROM), near]
    )
    return np.unique(points[(points >= low) & (points <= high + HYDROGEN_STEP_ANGSTROM)].round(3))


class SmeSimulator:
    """Spectra in LTE by SME, broadened to an instrument.

    Parameters
    ----------
    grid : WavelengthGrid
        Pixels of the spectra.
    labels : LabelSet
        Among ``teff``, ``logg``, ``vturb``, ``c12c13``, ``vmacro`` and abundances [X/H];
        ``Fe`` chooses the atmosphere and is what other elements follow that are no label.
    lines : LineList, optional
        The shipped one if not given.
    atmospheres : Atmospheres, optional
        The shipped ones if not given.
    resolution : float
        Of the instrument: wavelength over full width at half maximum.
    step : float
        Sampling of the synthesis in angstrom at 16,000 angstrom.
    accuracy : float
        Ratio of line to continuum opacity from which the library counts a line.
    hydrogen : bool
        Whether to compute hydrogen lines.

    Raises
    ------
    SynthesisError
        If pysme-astro is missing, the labels lack Teff, log g or Fe or have one that is
        not known, or no line falls on the grid.
    """

    continuum: Continuum = "true"

    def __init__(
        self,
        grid: WavelengthGrid = APSTAR_GRID,
        labels: LabelSet = APOGEE_LABELS,
        lines: LineList | None = None,
        atmospheres: Atmospheres | None = None,
        *,
        resolution: float = 22_500.0,
        step: float = 0.05,
        accuracy: float = 1e-4,
        hydrogen: bool = True,
    ) -> None:
        library, self._abund = require_pysme()
        self.grid, self.labels = grid, labels
        self.atmospheres = shipped_atmospheres() if atmospheres is None else atmospheres
        missing = [name for name in ("teff", "logg", "Fe") if name not in labels]
        if missing:
            raise SynthesisError(
                f"Synthesis needs the labels teff, logg and Fe; missing: {', '.join(missing)}."
            )
        known = {"teff", "logg", *DEFAULTS, *labels.elements}
        strange = [name for name in labels.names if name not in known]
        if strange:
            raise SynthesisError(
                f"SME has no label {', '.join(strange)}; it takes teff, logg, "
                f"{', '.join(DEFAULTS)} and abundances [X/H]."
            )
        velocity_width(0.0, resolution)
        self.resolution, self.accuracy, self.step = resolution, accuracy, step
        low, high = grid.wavelength[0] - MARGIN_ANGSTROM, grid.wavelength[-1] + MARGIN_ANGSTROM
        centre = 16_000.0
        self._wave = np.exp(np.arange(np.log(low), np.log(high), step / centre))
        lines = shipped_lines() if lines is None else lines
        is_hydrogen = lines.species == "H 1"
        self.hydrogen_lines = lines.select(is_hydrogen & hydrogen)
        self._coarse = _hydrogen_points(self.hydrogen_lines.wl_vac, low, high)
        self.lines = lines.select(~is_hydrogen).between(
            low - LINE_MARGIN_ANGSTROM, high + LINE_MARGIN_ANGSTROM
        )
        if not len(self.lines):
            raise SynthesisError(
                f"None of the {len(lines)} lines falls on the grid, {low:.0f} to {high:.0f} "
                "angstrom in vacuum. Give a line list that covers it."
            )
        self._mu, self._weight = disc_angles()
        self._library = library()

    @property
    def description(self) -> dict[str, str]:
        """Code, versions and data, for provenance."""
        import pysme

        return {
            "code": f"pysme-astro {pysme.__version__}, LTE, plane-parallel",
            "lines": f"{len(self.lines) + len(self.hydrogen_lines)} lines; {self.lines.source}",
            "atmospheres": self.atmospheres.description,
            "abundances": "Grevesse, Asplund and Sauval (2007)",
            "resolution": f"{self.resolution:g}",
            "step": f"{self.step:g} angstrom at 16000",
            "accuracy": f"{self.accuracy:g}",
            "hydrogen": "in a pass of its own" if len(self.hydrogen_lines) else "none",
        }

    def outside(self, values: ArrayLike) -> str:
        """Say why a star cannot be computed; an empty text if it can."""
        star = self.labels.mapping(values)
        return self.atmospheres.outside(star["teff"], star["logg"], star["Fe"])

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the flux of a star over its true continuum, shape ``(n_pixels,)``."""
        star = DEFAULTS | self.labels.mapping(values)
        over_iron = {e: star[e] - star["Fe"] for e in self.labels.elements if e != "Fe"}
        fine = self.normalised_flux(
            star["teff"],
            star["logg"],
            star["Fe"],
            star["vturb"],
            over_iron,
            star["c12c13"],
        )
        return self.observed(fine, star["vmacro"])

    def observed(self, fine: NDArray[np.float64], vmacro: float) -> NDArray[np.float64]:
        """Broaden a flux on the fine grid and sample it on the pixels."""
        sigma = velocity_width(vmacro, self.resolution)
        return broaden(fine, self._wave, self.grid.wavelength, sigma)

    @property
    def fine_wavelength(self) -> NDArray[np.float64]:
        """Wavelengths at which the synthesis is computed, vacuum angstrom."""
        return self._wave

    def normalised_flux(
        self,
        teff: float,
        logg: float,
        feh: float,
        vturb: float,
        over_iron: Mapping[str, float] | None = None,
        c12c13: float = 20.0,
        *,
        structure: Structure | None = None,
    ) -> NDArray[np.float64]:
        """Return the flux over the true continuum on :attr:`fine_wavelength`.

        Parameters
        ----------
        teff, logg, feh, vturb : float
            K, log10(cm s^-2), dex, km/s.
        over_iron : mapping, optional
            [X/Fe] in dex by chemical symbol; 0 where not given.
        c12c13 : float
            Number ratio of the isotopes.
        structure : Structure, optional
            Atmosphere to use instead of the one for these labels.

        Raises
        ------
        SynthesisError
            If the star lies outside the range or the library gives no usable flux.
        """
        why = "" if structure is not None else self.atmospheres.outside(teff, logg, feh)
        if why:
            raise SynthesisError(f"The star cannot be computed: {why}.")
        if not vturb >= 0:
            raise SynthesisError(f"Microturbulence must be 0 km/s or more; found {vturb}.")
        structure = self.atmospheres(teff, logg, feh) if structure is None else structure
        star = (teff, logg, vturb, self._model(structure), self._mixture(feh, over_iron or {}))
        out = self._pass(SmeLines.of(self.lines, c12c13), self._wave, star)
        if len(self.hydrogen_lines):
            wide = self._pass(SmeLines.of(self.hydrogen_lines, c12c13), self._coarse, star)
            out = out * np.interp(self._wave, self._coarse, wide)
        if not np.isfinite(out).all() or out.min() <= 0 or out.max() > MAX_FLUX:
            raise SynthesisError(
                f"SME gave no usable flux for Teff {teff:g} K, log g {logg:g}, [Fe/H] {feh:g}: it "
                f"ranges from {np.nanmin(out):.3g} to {np.nanmax(out):.3g} of the continuum."
            )
        return out

    def _mixture(self, feh: float, over_iron: Mapping[str, float]) -> Any:
        mixture = self._abund(pattern="solar", monh=feh)
        for element, value in over_iron.items():
            # The pattern is without metallicity; mixture[element] would be read with it.
            mixture.pattern[element] = mixture.pattern[element] + value
        return mixture

    @staticmethod
    def _model(structure: Structure) -> dict[str, Any]:
        return {
            "depth": "RHOX",
            "RHOX": np.array(structure.rhox),
            "temp": np.array(structure.temperature),
            "xne": np.array(structure.electrons),
            "xna": np.array(structure.atoms),
            "rho": np.array(structure.density),
            "geom": "PP",
            "wlstd": 5000.0,
            "opflag": np.ones(20, dtype=int),
        }

    def _pass(
        self, lines: SmeLines, wave: NDArray[np.float64], star: tuple[Any, ...]
    ) -> NDArray[np.float64]:
        """Return flux over continuum at some wavelengths for some lines."""
        library = self._library
        with library.session(), _console_quiet():
            self._prepare(lines, wave, star)
            _, _, line, continuum = library.Transf(self._mu, wave=wave, accrt=self.accuracy)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((self._weight @ line) / (self._weight @ continuum))

    def _prepare(self, lines: SmeLines, wave: NDArray[np.float64], star: tuple[Any, ...]) -> None:
        """Hand lines and star to the library."""
        teff, logg, vturb, model, mixture = star
        library = self._library
        library.InputLineList(lines)
        library.InputModel(teff, logg, vturb, model)
        library.InputAbund(mixture)
        library.Ionization(7)  # densities follow this star's mixture, not the model's
        library.SetVWscale(1.0)
        library.SetH2broad(True)
        library.InputWaveRange(wave[0] - 2.0, wave[-1] + 2.0)
        library.SetContinuumOpacityGrid(2.0)
        library.Opacity()

    def opacity_ratio(self, structure: Structure) -> NDArray[np.float64]:
        """Return each line's largest opacity over the continuum's in an atmosphere.

        Scaled-solar mixture, v_turb 1.5 km/s, 12C/13C 20.

        Returns
        -------
        ndarray, shape ``(n_lines,)``
            0 for lines that the library leaves out.
        """
        lines = SmeLines.of(self.lines, DEFAULTS["c12c13"])
        model, mixture = self._model(structure), self._mixture(structure.feh, {})
        star = (structure.teff, structure.logg, DEFAULTS["vturb"], model, mixture)
        with self._library.session(), _console_quiet():
            self._prepare(lines, self._wave, star)
            found = self._library.ALMAXRange(accrt=self.accuracy)
        ratio = np.asarray(found[0] if isinstance(found, tuple) else found, dtype=np.float64)
        return np.nan_to_num(ratio.reshape(-1), nan=0.0, posinf=0.0, neginf=0.0)
