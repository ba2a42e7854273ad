"""The package as a whole: what imports what, what is pinned, and whether the wheel works."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from spectrabridge.core.version import __version__

from .tools.test_house import house

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("core", "explorer", "apps")
AT_ROOT = ("__init__.py", "CITATION.cff", "py.typed")  # beside the parts in the package
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CACHES = ("__pycache__", "*.egg-info", ".ipynb_checkpoints", ".DS_Store", "*.pyc")


def sources() -> dict[str, Path]:
    """Every module of the package by its full name; a folder's is that of its ``__init__``."""
    found = {"spectrabridge": ROOT / "__init__.py"}
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            names = path.relative_to(ROOT).with_suffix("").parts
            names = names[:-1] if names[-1] == "__init__" else names
            found[".".join(("spectrabridge", *names))] = path
    return found


MODULES = sources()
TREES = {
    name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()
}


def imports(module: str) -> Iterator[str]:
    """Full names of what a module imports anywhere in it, inside functions too."""
    package = module.split(".")
    if MODULES[module].name != "__init__.py":
        package.pop()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES else base


def tracked_files() -> list[Path]:
    """Files under version control, new ones that are not ignored included."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the sources is not a git checkout")
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def requirements(*extras: str) -> list[Requirement]:
    """Requirements of the package and of the named extras."""
    lines = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        lines += PROJECT["project"]["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def pins() -> dict[str, Version]:
    """Versions in constraints.txt by normalised name."""
    found: dict[str, Version] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9A-Za-z.]+)", line)
            assert match, f"expected NAME==VERSION in constraints.txt, found {line!r}"
            name = canonicalize_name(match[1])
            assert name not in found, f"{name} is pinned twice"
            found[name] = Version(match[2])
    return found


class TestDependencies:
    @pytest.mark.parametrize(
        ("part", "forbidden"),
        [
            ("core", ("explorer", "apps")),
            ("explorer", ("apps",)),
        ],
    )
    def test_point_one_way(self, part: str, forbidden: tuple[str, ...]) -> None:
        wrong = [
            f"{module} imports {name}"
            for module in MODULES
            if module.startswith(f"spectrabridge.{part}")
            for name in imports(module)
            if name.split(".")[:2] in [["spectrabridge", other] for other in forbidden]
        ]
        assert not wrong

    def test_core_has_no_screen(self) -> None:
        screen = {"panel", "panel_material_ui", "bokeh", "holoviews", "hvplot", "datashader"}
        wrong = [
            f"{module} imports {name}"
            for module in MODULES
            if module.startswith("spectrabridge.core")
            for name in imports(module)
            if name.split(".")[0] in screen
        ]
        assert not wrong

    def test_no_circle_in_the_package(self) -> None:
        graph = {
            module: {name for name in imports(module) if name in MODULES} for module in MODULES
        }
        done: set[str] = set()

        def follow(module: str, path: tuple[str, ...]) -> None:
            assert module not in path, " -> ".join((*path[path.index(module) :], module))
            if module not in done:
                for name in sorted(graph[module]):
                    follow(name, (*path, module))
                done.add(module)

        for module in graph:
            follow(module, ())

    def test_the_file_that_panel_serves_runs_by_its_path(self) -> None:
        """As `panel serve apps/explorer.py` runs it: outside any package."""
        names = runpy.run_path(str(ROOT / "apps" / "explorer.py"), run_name="script")
        assert callable(names["build"]) and callable(names["serve"])

    def test_relative_inside_the_package(self) -> None:
        scripts = {"spectrabridge.apps.explorer"}  # `panel serve` runs it outside any package
        wrong = []
        for module in TREES.keys() - scripts:
            for node in ast.walk(TREES[module]):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names = [node.module or ""]
                else:
                    continue
                heads = {name.split(".")[0] for name in names}
                wrong += [f"{module}: {head}" for head in heads & {"spectrabridge", *PARTS}]
        assert not wrong

    def test_importing_the_package_loads_nothing_heavy(self, tmp_path: Path) -> None:
        heavy = ("torch", "panel", "bokeh", "holoviews", "datashader", "numba", "scipy", "astropy")
        code = f"import sys, spectrabridge; print(*[m for m in {heavy} if m in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == []


class TestPrivateParts:
    """What libraries keep to themselves is touched in the folders of workarounds only."""

    @pytest.mark.parametrize("module", sorted(MODULES))
    def test_are_left_alone(self, module: str) -> None:
        if ".workarounds" in module:
            assert module.startswith(
                ("spectrabridge.explorer.workarounds", "spectrabridge.apps.server.workarounds")
            )
            return
        assert list(house.private_accesses(TREES[module])) == []

    @pytest.mark.parametrize(
        "module", sorted(m for m in MODULES if ".workarounds." in m), ids=lambda m: m.split(".")[-1]
    )
    def test_every_workaround_says_what_it_is_for_and_is_tested(self, module: str) -> None:
        text = ast.get_docstring(TREES[module]) or ""
        assert "Without this:" in text
        assert re.search(r"^Versions: .*\d", text, flags=re.MULTILINE)
        path = MODULES[module].relative_to(ROOT)
        beside = list((ROOT / "tests" / path.parent).glob("test_*.py"))
        assert any(path.stem in test.read_text(encoding="utf-8") for test in beside)


class TestSafety:
    UNSAFE_MODULES = frozenset(
        {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    )
    UNSAFE_CALLS = frozenset({"eval", "exec", "torch.load", "torch.save"})

    @pytest.mark.parametrize("module", sorted(MODULES))
    def test_nothing_can_run_what_a_file_says(self, module: str) -> None:
        found = [name for name in imports(module) if name.split(".")[0] in self.UNSAFE_MODULES]
        for node in ast.walk(TREES[module]):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in self.UNSAFE_CALLS or called.endswith(("read_pickle", "to_pickle")):
                found.append(f"line {node.lineno}: {called}()")
            found += [
                f"line {node.lineno}: allow_pickle={ast.unparse(keyword.value)}"
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
            ]
        assert not found

    def test_no_index_addresses_or_machine_paths(self) -> None:
        # Written in pieces so that this file does not find itself.
        patterns = [
            "index" + "-url",
            "find" + "-links",
            r"/sim" + "ple/",
            "pypi" + r"\.org",
            "python" + r"hosted\.org",
            "download.py" + r"torch\.org",
            '"resol' + 'ved":',
            r"(?<![A-Za-z0-9_.])/(?:wor" + "k|roo" + "t|hom" + "e|User" + "s)/",
        ]
        unwanted = re.compile("|".join(patterns))
        found = []
        for path in tracked_files():
            content = path.read_bytes()
            if b"\0" in content:
                continue
            for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
                if match := unwanted.search(line):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
        assert not found


class TestMetadata:
    def test_version_is_the_same_everywhere(self) -> None:
        assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {
            "attr": "spectrabridge.core.version.__version__"
        }
        citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        cited = re.search(r"^version: (\S+)$", citation, flags=re.MULTILINE)
        assert cited
        assert cited[1] == __version__
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        newest = re.search(r"^#+ .*?(\d+\.\d+\.\d+)", changelog, flags=re.MULTILINE)
        assert newest, "CHANGELOG.md has no heading with a version"
        assert newest[1] == __version__

    def test_every_package_folder_is_listed(self) -> None:
        folders = {name for name, path in MODULES.items() if path.name == "__init__.py"}
        listed = PROJECT["tool"]["setuptools"]["packages"]
        assert sorted(listed) == sorted(folders)

    def test_every_folder_of_modules_is_a_package(self) -> None:
        without = {
            str(path.parent.relative_to(ROOT))
            for path in MODULES.values()
            if not (path.parent / "__init__.py").exists()
        }
        assert not without

    def test_constraints_satisfy_the_bounds(self) -> None:
        pinned = pins()
        for requirement in requirements("test", "docs"):
            name = canonicalize_name(requirement.name)
            assert name in pinned, f"{name} is not pinned in constraints.txt"
            assert requirement.specifier.contains(pinned[name]), f"{requirement} {pinned[name]}"
        for requirement in requirements(*PROJECT["project"]["optional-dependencies"]):
            pin = pinned.get(canonicalize_name(requirement.name))
            assert pin is None or requirement.specifier.contains(pin), f"{requirement} {pin}"

    def test_every_requirement_has_a_lower_bound(self) -> None:
        unbounded = [
            str(requirement)
            for requirement in requirements(*PROJECT["project"]["optional-dependencies"])
            if not any(spec.operator in (">=", "~=", "==") for spec in requirement.specifier)
        ]
        assert not unbounded

    def test_commit_hooks_use_the_pinned_ruff(self) -> None:
        hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
        used = set(re.findall(r"ruff==([0-9.]+)", hooks))
        assert used == {str(pins()["ruff"])}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, so that no old build can leak into it."""
    copy = tmp_path_factory.mktemp("sources") / "copy"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", *AT_ROOT):
        shutil.copy(ROOT / name, copy / name)
    for name in (*PARTS, "tests", "benchmarks", "notebooks"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns(*CACHES))
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, copy],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
class TestWheel:
    def test_holds_the_package_and_nothing_else(self, wheel: Path) -> None:
        assert wheel.name == f"spectrabridge-{__version__}-py3-none-any.whl"
        with zipfile.ZipFile(wheel) as archive:
            names = {name for name in archive.namelist() if not name.endswith("/")}
        info = f"spectrabridge-{__version__}.dist-info/"
        assert f"{info}licenses/LICENSE" in names
        contents = {name for name in names if not name.startswith(info)}
        expected = {f"spectrabridge/{name}" for name in AT_ROOT}
        for part in PARTS:
            for path in (ROOT / part).rglob("*"):
                inside = path.relative_to(ROOT)
                if path.is_file() and not any(fnmatch(p, c) for p in inside.parts for c in CACHES):
                    expected.add(f"spectrabridge/{inside.as_posix()}")
        assert contents == expected
        for wanted in (
            "core/spectra/continuum_pixels.json",
            "core/bundles/mock-lines/bundle.json",
            "core/examples/",
            "explorer/",
            "apps/cli.py",
        ):
            assert any(name.startswith(f"spectrabridge/{wanted}") for name in contents), wanted

    def test_works_where_it_is_installed(self, wheel: Path, tmp_path: Path) -> None:
        home = tmp_path / "environment"
        venv.create(home, with_pip=False, symlinks=os.name != "nt")
        scripts = home / ("Scripts" if os.name == "nt" else "bin")
        python = scripts / ("python.exe" if os.name == "nt" else "python")

        def run(*command: str | Path) -> str:
            """Run a command away from the sources and return what it prints."""
            elsewhere = tmp_path / "elsewhere"
            elsewhere.mkdir(exist_ok=True)
            environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
            done = subprocess.run(
                command, cwd=elsewhere, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout.strip()

        pip = (sys.executable, "-m", "pip", "--python", python)
        run(*pip, "install", "--no-deps", "--no-index", "--no-compile", wheel)
        site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
        # Folders named in a .pth file are searched last and their own .pth files are not read: the
        # dependencies of this environment are there, its editable spectrabridge is not.
        shared = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
        (site / "dependencies.pth").write_text("\n".join(shared), encoding="utf-8")

        assert __version__ in run(scripts / "spectrabridge", "--version").split()
        assert f"version = {{{__version__}}}" in run(scripts / "spectrabridge", "--cite")
        code = (
            "import spectrabridge, numpy as np\n"
            "from spectrabridge.core.bundle import open_bundle\n"
            "model = open_bundle('mock-lines').model\n"
            "flux = model.emulate(model.reference)\n"
            "assert flux.shape[-1] == model.grid.n_pixels and np.isfinite(flux).all()\n"
            "print(spectrabridge.__file__)\n"
        )
        used = Path(run(python, "-c", code).splitlines()[-1])
        assert used == site / "spectrabridge" / "__init__.py"
