"""The manual and the README: commands have their options, Python runs, links lead somewhere."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from spectrabridge.apps.cli import main

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ("_build", "api", "notebooks")
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not any(part in GENERATED for part in path.relative_to(ROOT).parts)
    ),
]
README_LINES = 120


def named(path: Path) -> str:
    """Return how a page is called in the list of tests."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page that are in a language; "" is none."""
    text = path.read_text(encoding="utf-8")
    # Every block is matched, whatever its language: the end of one is not the start of another.
    found = re.findall(r"^```(.*?)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [body for kind, body in found if kind.strip() == language]


def commands(path: Path) -> list[str]:
    """Return the spectrabridge commands of a page, in blocks and in the text."""
    text = path.read_text(encoding="utf-8")
    found = [
        line.strip().split("    #")[0]
        for block in blocks(path, "")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    found += re.findall(r"`(spectrabridge [a-z][^`]*)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return [line for line in found if line.startswith("spectrabridge ")]


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the click command of a line, and what follows its name."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


COMMANDS = [(named(path), line) for path in PAGES for line in commands(path)]
SNIPPETS = [path for path in PAGES if blocks(path, "python")]


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_there_are_commands_and_snippets() -> None:
    assert len(COMMANDS) > 30
    assert len(SNIPPETS) > 4


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_command_has_the_options_that_it_is_given(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    command, rest = command_of(words)
    assert command is not main or words[0].startswith("-") or words[0] == "VERB", line
    known = {
        option
        for parameter in (*command.params, *main.params)
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help", "-h"}
    given = {word.split("=")[0] for word in rest if word.startswith("--")}
    assert given <= known, f"{line}: {sorted(given - known)}"


@pytest.mark.slow
@pytest.mark.parametrize("path", SNIPPETS, ids=named)
def test_python_on_a_page_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "page.py"
    script.write_text("\n\n".join(blocks(path, "python")), encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(str(script))


def test_every_page_is_linked_and_every_link_leads_somewhere() -> None:
    broken = []
    for path in PAGES:
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file = target.split("#")[0]
            if file and "://" not in file and not (path.parent / file).exists():
                broken.append(f"{named(path)}: {target}")
    assert not broken


def test_verbs_of_the_command_line_are_in_the_manual() -> None:
    used = {line.split()[1] for _, line in COMMANDS}
    assert set(main.commands) <= used, sorted(set(main.commands) - used)


NAMED = re.compile(r"`[^`]*?~?(spectrabridge(?:\.\w+)+)(?:\(\))?>?`")
SOURCES = sorted(p for part in ("core", "explorer", "apps") for p in (ROOT / part).rglob("*.py"))


def is_there(name: str) -> bool:
    """Tell whether a full name is that of a module or of something in one."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if part not in fields and not hasattr(found, part):
                return False
            found = getattr(found, part, None)
        return True
    return False


def test_names_in_docstrings_and_pages_are_there() -> None:
    """Sphinx leaves a name without a link in silence."""
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*SOURCES, *PAGES]
        for name in NAMED.findall(path.read_text(encoding="utf-8"))
        if not is_there(name)
    ]
    assert gone == []
