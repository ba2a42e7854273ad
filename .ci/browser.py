"""Find a Chromium that starts, install one if there is none, and print where it is.

Only the path goes to standard output; what is being done goes to standard error.
The environment variable SPECTRABRIDGE_BROWSER names a browser to use instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC_APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
DOWNLOAD_SECONDS = 300  # for the whole download; no answer at all is given up sooner
CONNECTION_MILLISECONDS = 10_000

MISSING = """\
No Chromium was found and none could be installed, so the browser tests cannot run.
Install one and run the command again:
  Debian       sudo apt-get install chromium
  Fedora       sudo dnf install chromium
  macOS        brew install --cask chromium
  elsewhere    python -m playwright install chromium
or set SPECTRABRIDGE_BROWSER to the path of a Chromium or Chrome."""


def say(text: str) -> None:
    """Tell the person at the terminal what is going on."""
    print(text, file=sys.stderr, flush=True)


def candidates(playwrights_own: str) -> Iterator[str]:
    """Yield the browsers on this machine, Playwright's own first."""
    for path in (playwrights_own, *(shutil.which(name) for name in NAMES), *MAC_APPLICATIONS):
        if path and Path(path).exists():
            yield path


def why_not(path: str) -> str:
    """Start a browser on an empty page; return what went wrong, or nothing if it works."""
    try:
        with sync_playwright() as playwright:
            playwright.chromium.launch(executable_path=path, timeout=60_000).close()
    except Error as problem:
        lines = problem.message.strip().splitlines()
        return lines[0] if lines else "it did not start"
    return ""


def find() -> str:
    """Return the path of the first browser that starts, or nothing."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    for path in candidates(own):
        problem = why_not(path)
        if not problem:
            return path
        say(f"{path} does not start: {problem}")
    return ""


def carry_out(*command: str, seconds: float, **environment: str) -> bool:
    """Run a command, its output on standard error; tell whether it succeeded in time."""
    say("$ " + " ".join(command))
    try:
        done = subprocess.run(
            command, stdout=sys.stderr, timeout=seconds, env={**os.environ, **environment}
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        say(str(problem))
        return False
    return done.returncode == 0


def install_playwrights_own() -> bool:
    """Download Playwright's Chromium, unless the network does not let us."""
    return carry_out(
        *(sys.executable, "-m", "playwright", "install", "chromium"),
        seconds=DOWNLOAD_SECONDS,
        PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT=str(CONNECTION_MILLISECONDS),
    )


def install_system_package() -> bool:
    """Install the Chromium of Debian and its relatives; ask for a password only at a terminal."""
    if not shutil.which("apt-get"):
        return False
    before: list[str] = []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            return False
        before = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    return carry_out(*before, "apt-get", "update", seconds=600, **quiet) and carry_out(
        *before, "apt-get", "install", "-y", "chromium", seconds=1800, **quiet
    )


def main() -> int:
    """Print the path of a working browser; return 1 if there is none."""
    named = os.environ.get("SPECTRABRIDGE_BROWSER", "")
    if named:
        problem = why_not(named)
        if problem:
            say(f"SPECTRABRIDGE_BROWSER is {named}, which does not start: {problem}")
            return 1
        print(named)
        return 0
    path = find()
    for install in (install_playwrights_own, install_system_package):
        if not path:
            say("No working Chromium yet; trying to install one for the browser tests.")
            install()
            path = find()
    if not path:
        say(MISSING)
        return 1
    say(f"Browser for the tests: {path}")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
