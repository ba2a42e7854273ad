"""The package starts where POSIX's modules, UTF-8 locales and renames of open files are missing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from spectrabridge.apps.options import typed_command
from spectrabridge.core.vetting.vetting_file import sqlite_uri

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    path
    for part in ("core", "explorer", "apps")
    for path in (ROOT / part).rglob("*.py")
    if path != ROOT / "apps" / "explorer.py"  # a script that `panel serve` runs
)
NAMES = [
    ".".join(("spectrabridge", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )
    for path in MODULES
]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    *("os.fork", "os.forkpty", "os.geteuid", "os.getuid", "os.getgid", "os.killpg", "os.mkfifo"),
    *("os.setsid", "os.sysconf", "os.statvfs", "os.wait", "os.getpgid"),
    *("signal.SIGKILL", "signal.SIGHUP", "signal.SIGUSR1", "signal.SIGALRM", "signal.alarm"),
}


def functions_around(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield every node with the source of the function that it lies in, or of the module."""

    def walk(node: ast.AST, around: str) -> Iterator[tuple[ast.AST, str]]:
        for child in ast.iter_child_nodes(node):
            inner = around
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = ast.unparse(child)
            yield child, inner
            yield from walk(child, inner)

    return walk(tree, "")


def test_every_module_imports_without_the_modules_of_posix() -> None:
    program = (
        "import sys, importlib\n"
        "sys.modules['fcntl'] = None\n"
        f"for name in {NAMES}: importlib.import_module(name)\n"
        "from spectrabridge.apps.cli import main\n"
        "main(['fetch-apogee', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Fetch spectra of stars" in done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_only_posix_has_is_asked_for_first(path: Path) -> None:
    found = []
    for node, around in functions_around(TREES[path]):
        if isinstance(node, ast.Import | ast.ImportFrom):
            heads = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            heads += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            guarded = "ImportError" in around
            found += [h for h in heads if h in POSIX_MODULES and not guarded]
        if isinstance(node, ast.Attribute) and ast.unparse(node) in POSIX_NAMES:
            guarded = "sys.platform" in around or "hasattr" in around or "os.name" in around
            found += [] if guarded else [f"line {node.lineno}: {ast.unparse(node)}"]
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_text_files_have_an_encoding(path: Path) -> None:
    found = []
    for node in ast.walk(TREES[path]):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        said = any(keyword.arg in ("encoding", None) for keyword in node.keywords)
        if name == "write_text" and not said and len(node.args) < 2:
            found.append(node.lineno)
        if (
            name == "read_text"
            and not said
            and not node.args
            and isinstance(node.func, ast.Attribute)
        ):
            found.append(node.lineno)
        if name == "open" and not said and _opens_text(node):
            found.append(node.lineno)
    assert not found, f"lines {found}"


def _opens_text(call: ast.Call) -> bool:
    """Whether a call is ``open(path)`` or ``path.open("w")``, in a mode of text."""
    if isinstance(call.func, ast.Name):
        mode = call.args[1] if len(call.args) > 1 else None
    else:
        mode = call.args[0] if call.args else None
        if mode is None:
            return False  # many things have an open() without arguments
    mode = next((k.value for k in call.keywords if k.arg == "mode"), mode)
    if mode is None:
        return True
    text = mode.value if isinstance(mode, ast.Constant) else None
    return isinstance(text, str) and set(text) <= set("rwax+t")


def test_a_locale_of_another_encoding_changes_no_file(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from spectrabridge.core.bundle import read_bundle\n"
        "from spectrabridge.core.bundle.bundle import SHIPPED\n"
        "from spectrabridge.core.bundle.writing import store_metrics\n"
        "import shutil\n"
        "shutil.copytree(SHIPPED / 'mock-lines', 'b')\n"
        "store_metrics(read_bundle('b'), {'\\xc5': 1.0})\n"
        "assert read_bundle('b').metrics['\\xc5'] == 1.0\n"
        "import spectrabridge.explorer.share.offline_page\n"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ours = [w for w in done.stderr.splitlines() if "EncodingWarning" in w and "spectrabridge" in w]
    assert not ours


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "/data/of/me/a.h5"], "spectrabridge fit a.h5"),
        (["fit", r"C:\Users\me\a.h5"], "spectrabridge fit a.h5"),
        (["fit", r"D:a.h5", r"\\server\share\a.h5"], "spectrabridge fit a.h5 a.h5"),
        (["fit", r"--line-list=C:\Users\me\a b.lin"], "spectrabridge fit '--line-list=a b.lin'"),
        (
            ["import-grid", r"--column=teff=C:\x\t.csv"],
            "spectrabridge import-grid --column=teff=t.csv",
        ),
        (
            ["fetch-apogee", "--query", "teff<5000"],
            "spectrabridge fetch-apogee --query 'teff<5000'",
        ),
    ],
)
def test_provenance_keeps_names_and_no_folders(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["spectrabridge", *words])
    assert typed_command() == said


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        (PurePosixPath("/data/a b#1?.sqlite"), "file:///data/a%20b%231%3F.sqlite"),
        (PureWindowsPath(r"C:\data\v.sqlite"), "file:///C:/data/v.sqlite"),
        (PureWindowsPath(r"\\server\share\v.sqlite"), "file:////server/share/v.sqlite"),
    ],
)
def test_sqlite_gets_addresses_that_it_takes(
    path: PurePosixPath | PureWindowsPath, uri: str
) -> None:
    assert sqlite_uri(path) == uri
