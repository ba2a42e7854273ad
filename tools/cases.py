"""Run the cases of a folder beside the repository, and print how many give the right value.

Each case is a folder with ``cmd.sh``, its input, and ``expected.json``. The command runs in a copy
of the folder with this tree's ``spectrabridge``. Cases whose expectation needs more than labels of
stars have a judge here.

    python tools/cases.py [FOLDER] [--only TEXT] [--python PATH] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT.parent / "shared" / "cases"

LABELS = ("teff", "logg", "Fe")
RESULTS = ("velocity", "reduced_chi2", "n_pixels")

Outcome = tuple[bool, str]
"""Whether a case is passed, and what was found."""

MOVED = {"spectrabridge.core.wavelength": "spectrabridge.core.spectra.wavelength"}
"""Modules that a case's script imports by the name that they had in 0.1."""

CHECK_LINES = """
import json, sys
from spectrabridge.core.linelist import read_lines
table = read_lines(sys.argv[1])
print(json.dumps({"isotopologue": sorted(set(map(str, table.isotopologue))),
                  "vdw": [float(v) for v in table.vdw],
                  "notes": [table.source]}))
"""


def main() -> int:
    """Run the cases and print the result of each; return 0 if all are passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=CASES)
    parser.add_argument("--only", default="", help="Cases whose name holds this text.")
    parser.add_argument(
        "--python", default=sys.executable, help="Interpreter that runs spectrabridge."
    )
    parser.add_argument("--json", action="store_true", help="Print the results as JSON.")
    given = parser.parse_args()
    if not given.folder.is_dir():
        print(f"There is no folder {given.folder}; nothing was run.")
        return 0
    cases = sorted(p.parent for p in given.folder.glob("*/expected.json"))
    chosen = [case for case in cases if given.only in case.name]
    results = {}
    for case in chosen:
        passed, found = run(case, given.python)
        results[case.name] = {"passed": passed, "found": found}
        if not given.json:
            print(f"{'pass' if passed else 'FAIL'}  {case.name:32s} {found}", flush=True)
    n_passed = sum(r["passed"] for r in results.values())
    if given.json:
        print(json.dumps({"passed": n_passed, "of": len(chosen), "cases": results}, indent=1))
    else:
        print(f"passed {n_passed} of {len(chosen)}")
    return 0 if n_passed == len(chosen) else 1


def run(case: Path, python: str = sys.executable) -> Outcome:
    """Run one case in a copy of its folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / case.name
        shutil.copytree(case, folder)
        for script in folder.glob("*.py"):
            text = script.read_text(encoding="utf-8")
            for old, new in MOVED.items():
                text = text.replace(f"{old} ", f"{new} ")
            script.write_text(text, encoding="utf-8")
        (folder.parent / "check_lines.py").write_text(CHECK_LINES, encoding="utf-8")
        tools = Path(scratch) / "bin"
        tools.mkdir()
        package = Path(scratch) / "path"
        package.mkdir()
        (package / "spectrabridge").symlink_to(ROOT, target_is_directory=True)
        # A link to the interpreter of a virtual environment would not find its packages.
        for word, module in (("spectrabridge", "-m spectrabridge.apps.cli"), ("python", "")):
            command = tools / word
            start = f'#!/bin/sh\nexec "{python}" {module} "$@"\n'
            command.write_text(start, encoding="utf-8")
            command.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]),
        }
        done = subprocess.run(
            ["sh", "cmd.sh"], cwd=folder, env=environment, capture_output=True, text=True
        )
        expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        judge = JUDGES.get(case.name.partition("-")[0], by_labels)
        try:
            return judge(expected, done)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as problem:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            return False, f"{type(problem).__name__}: {problem}; {last}"


Done = subprocess.CompletedProcess[str]


def rows_of(done: Done) -> list[dict[str, Any]]:
    """Return the stars that ``fit --json`` printed."""
    start = done.stdout.index("{")
    return list(json.loads(done.stdout[start:])["spectra"])


def fit_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the fit of a star: with adapted spectra, else with the plain emulator."""
    return dict(row.get("adapted") or row["raw"])


def differences(
    fit: dict[str, Any], right: dict[str, Any], tolerance: dict[str, float], i: int | None = None
) -> list[str]:
    """Return what is off, a text each."""
    out = []
    for key in (*LABELS, *RESULTS, "error of teff"):
        if key not in right:
            continue
        want = right[key] if i is None else right[key][i]
        got = fit["errors"]["teff"] if key == "error of teff" else None
        if got is None:
            got = fit["labels"][key] if key in LABELS else fit[key]
        if not abs(got - want) <= tolerance.get(key, 0.0) + 1e-9:
            out.append(f"{key} {got:.4g}, expected {want:g}")
    return out


def by_labels(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge the first star by its labels."""
    fit = fit_of(rows_of(done)[0])
    wrong = differences(fit, expected["right"], expected.get("tolerance", {}))
    labels = fit["labels"]
    found = f"T_eff {labels['teff']:.0f}, log g {labels['logg']:.3f}, [Fe/H] {labels['Fe']:.3f}"
    return not wrong, "; ".join(wrong) or found


def by_second_star(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge a file with two stars by the velocity of the second."""
    rows = rows_of(done)
    velocity = fit_of(rows[1])["velocity"]
    off = abs(velocity - expected["right"]["second"]["velocity"])
    right = len(rows) == expected["right"]["rows"] and off <= expected["tolerance"]["velocity"]
    return right, f"{len(rows)} rows, the second at {velocity:.1f} km/s"


def by_every_star(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge all stars by lists of labels."""
    wrong = [
        text
        for i, row in enumerate(rows_of(done))
        for text in differences(fit_of(row), expected["right"], expected["tolerance"], i)
    ]
    return not wrong, "; ".join(wrong) or "labels of all stars"


def by_id(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge the name of the star."""
    found = rows_of(done)[0]["id"]
    return found == expected["right"]["id"], repr(found)


def by_distinct_rows(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge whether rows can be told apart."""
    pairs = [(r["id"], r["file"]) for r in rows_of(done)]
    return len(set(pairs)) == len(pairs) == 2, str(pairs)


def by_ids_in_text(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge ids that the command printed from its table."""
    missing = [i for i in expected["right"]["ids"] if i not in done.stdout]
    return not missing, f"missing {missing}" if missing else "both ids as they are"


def by_isotopologue(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge which nucleus a line list's code means."""
    found = json.loads(done.stdout)["isotopologue"]
    return found == [expected["right"]["isotopologue"]], str(found)


def by_damping(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge whether damping is used, or said to be left out."""
    found = json.loads(done.stdout)
    said = any("C6" in note and "left out" in note for note in found["notes"])
    return said or all(v != 0 for v in found["vdw"]), f"vdw {found['vdw']}"


def by_equivalent_widths(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge widths of lines with isotopes against those of the lines without."""
    if "needs pysme" in done.stderr:
        return False, "not run: synthesis needs pysme-astro; give --python of its environment"
    numbers = [float(n) for n in re.findall(r"\d+\.\d+", done.stdout)]
    want = expected["right"]["ratio to the line once"]
    ratios = numbers[-len(want) :]
    tolerance = expected["tolerance"]["ratio to the line once"]
    right = len(ratios) == len(want) and all(
        abs(a - b) <= tolerance for a, b in zip(ratios, want, strict=True)
    )
    return right, f"ratios {ratios}"


def by_resolution(expected: dict[str, Any], done: Done) -> Outcome:
    """Judge whether another resolution is told."""
    row = rows_of(done)[0]
    fit = fit_of(row)
    said = " ".join([fit["remarks"], *fit["flags"], *row["notes"]])
    return "resolution" in said, fit["remarks"]


JUDGES: dict[str, Callable[[dict[str, Any], Done], Outcome]] = {
    "10": by_second_star,
    "17": by_every_star,
    "19": by_id,
    "21": by_distinct_rows,
    "43": by_ids_in_text,
    "50": by_isotopologue,
    "52": by_damping,
    "54": by_equivalent_widths,
    "60": by_resolution,
}
"""How a case is judged, by its number; the others by labels."""

if __name__ == "__main__":
    sys.exit(main())
