"""``fetch-apogee`` against a server on this machine: files, exit codes, words."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner, Result

from spectrabridge.apps.cli import Program
from spectrabridge.apps.fetch_apogee import fetch_apogee_command

_spec = importlib.util.spec_from_file_location(
    "archive_server", Path(__file__).parents[1] / "core" / "archive" / "archive_server.py"
)
assert _spec and _spec.loader
archive_server: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(archive_server)

# The group that turns errors into one line on stderr, with this command alone.
PROGRAM = Program("spectrabridge", commands=[fetch_apogee_command])
IDS = [f"2M0000000{i}+0000000" for i in range(6)]
STARS = "dr17/apogee/spectro/redux/dr17/stars"


def path_of(i: int) -> str:
    return f"{STARS}/apo25m/N7789/apStar-dr17-{IDS[i]}.fits"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache" / "spectrabridge").mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ASTROPY_CACHE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[Any]:
    with archive_server.ArchiveServer() as running:
        for i in range(6):
            running.files[path_of(i)] = archive_server.fits_bytes(i)
        yield running


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "allStar.fits"
    _write_catalogue(path)
    return path


def _write_catalogue(path: Path, version: str = "dr17") -> None:
    columns = [
        fits.Column("APOGEE_ID", "18A", array=np.array(IDS)),
        fits.Column("FILE", "40A", array=np.array([f"apStar-{version}-{i}.fits" for i in IDS])),
        fits.Column("TELESCOPE", "8A", array=np.array(["apo25m"] * 6)),
        fits.Column("FIELD", "16A", array=np.array(["N7789"] * 6)),
        fits.Column("LOCATION_ID", "I", array=np.full(6, 4424)),
        fits.Column("TEFF", "E", array=np.array([4000, 4200, 4400, 5100, 5300, -9999])),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)


def run(server: Any, *words: str | Path) -> Result:
    address = server if isinstance(server, str) else server.url
    line = ["fetch-apogee", *(str(w) for w in words), "--server", address, "--out", "o"]
    return CliRunner().invoke(PROGRAM, [*line, "--timeout", "0.5", "--retries", "1"])


def line_of(result: Result) -> str:
    (line,) = (x for x in result.stderr.splitlines() if x.startswith("spectrabridge: "))
    assert "Traceback" not in result.output + result.stderr
    return line


def test_by_id(server: Any, catalogue: Path) -> None:
    result = run(server, IDS[2], IDS[0], "--catalogue", catalogue, "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert [f["id"] for f in figures["files"]] == [IDS[2], IDS[0]]
    assert figures["release"] == "dr17"
    assert (figures["n_fetched"], figures["n_failed"]) == (2, 0)
    for f in figures["files"]:
        content = Path(f["path"]).read_bytes()
        assert content == server.files[f["url"].removeprefix(server.url + "/")]
        assert f["bytes"] == len(content)
    assert sorted(server.paths()) == [path_of(0), path_of(2)]
    again = json.loads(run(server, *IDS[:3], "--catalogue", catalogue, "--json").stdout)
    assert [f["status"] for f in again["files"]] == ["present", "fetched", "present"]
    assert len(server.requests) == 3


def test_by_query(server: Any, catalogue: Path) -> None:
    words = ["--catalogue", catalogue, "--query", "teff<5000", "--limit", "2", "--seed", "3"]
    plan = run(server, *words, "--dry-run")
    assert plan.exit_code == 0
    assert server.requests == []
    assert not Path("o").exists()
    result = run(server, *words)
    assert result.exit_code == 0, result.stderr
    assert "n_fetched                        2" in result.stdout
    assert sorted(plan.stdout.split()) == sorted(f"{server.url}/{p}" for p in server.paths())
    assert len(list(Path("o").glob("apStar-dr17-*.fits"))) == 2
    everything = run(server, "--catalogue", catalogue, "--query", "teff<5000", "--json")
    assert [f["id"] for f in json.loads(everything.stdout)["files"]] == IDS[:3]


def test_without_a_catalogue(server: Any) -> None:
    words = [IDS[0], "--field", "N7789", "--telescope", "apo25m"]
    assert run(server, *words).exit_code == 0
    old = f"dr14/apogee/spectro/redux/r8/stars/apo25m/4424/apStar-r8-{IDS[0]}.fits"
    server.files[old] = archive_server.fits_bytes()
    assert run(server, IDS[0], "--release", "dr14", "--location", "4424").exit_code == 0
    fit = f"dr17/apogee/spectro/aspcap/dr17/synspec_rev1/apo25m/N7789/aspcapStar-dr17-{IDS[0]}.fits"
    server.files[fit] = archive_server.fits_bytes()
    assert run(server, *words, "--product", "aspcapStar").exit_code == 0
    assert server.paths() == [path_of(0), old, fit]
    assert len(list(Path("o").iterdir())) == 3


def test_some_fail_and_the_rest_stays(server: Any, catalogue: Path) -> None:
    server.script[path_of(1)] = ["html"]
    server.script[path_of(2)] = ["truncate"] * 5
    server.script[path_of(3)] = ["503", ""]
    del server.files[path_of(4)]
    result = run(server, *IDS[:5], "2M99999999+0000000", "--catalogue", catalogue, "--json")
    assert result.exit_code == 1
    figures = json.loads(result.stdout)
    status = {f["id"]: f["status"] for f in figures["files"]}
    assert list(status.values()) == ["fetched", "failed", "failed", "fetched", "failed", "failed"]
    assert figures["n_failed"] == 4
    reasons = {f["id"]: f["reason"] for f in figures["files"]}
    assert "web page" in reasons[IDS[1]]
    assert "attempts" in reasons[IDS[2]]
    assert "has no file" in reasons[IDS[4]]
    assert "does not have this star" in reasons["2M99999999+0000000"]
    assert all(f"failed: {r}" in result.stderr for r in reasons.values() if r)
    have = sorted(p.name for p in Path("o").iterdir())
    assert have == [f"apStar-dr17-{IDS[i]}.fits{'.partial' * (i == 2)}" for i in (0, 2, 3)]


def test_no_network(catalogue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    connect = socket.create_connection

    def counted(address: tuple[str, int], *rest: object, **more: object) -> socket.socket:
        attempts.append(address)
        return connect(address, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_connection", counted)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    result = run(f"http://{address}", *IDS, "--catalogue", catalogue, "--json")
    assert 1 <= len(attempts) <= len(IDS), "what cannot be reached is not tried again"
    assert result.exit_code == 1
    assert f"{address} could not be reached (Connection refused)" in line_of(result)
    figures = json.loads(result.stdout)
    assert figures["n_skipped"] == 6
    assert list(Path("o").iterdir()) == []


def test_the_catalogue_is_fetched_only_when_asked_for(server: Any, catalogue: Path) -> None:
    table = "dr17/apogee/spectro/aspcap/dr17/synspec_rev1/allStarLite-dr17-synspec_rev1.fits"
    words = ["--fetch-catalogue", "--query", "teff>5200", "--json"]
    assert "is not there yet" in line_of(run(server, *words, "--dry-run"))
    assert "has no file" in line_of(run(server, *words))
    server.files[table] = catalogue.read_bytes()
    result = run(server, *words)
    assert result.exit_code == 0, result.stderr
    assert [f["id"] for f in json.loads(result.stdout)["files"]] == [IDS[4]]
    assert run(server, *words, "--dry-run").exit_code == 0
    assert server.paths().count(table) == 2


def test_the_release_is_that_of_the_catalogue(server: Any, tmp_path: Path) -> None:
    _write_catalogue(tmp_path / "old.fits", "r8")
    plan = run(server, IDS[0], "--catalogue", tmp_path / "old.fits", "--dry-run", "--json")
    figures = json.loads(plan.stdout)
    assert figures["release"] == "dr14"
    assert "/r8/stars/apo25m/4424/apStar-r8-" in figures["files"][0]["url"]
    wrong = run(server, IDS[0], "--catalogue", tmp_path / "old.fits", "--release", "dr17")
    assert wrong.exit_code == 1
    assert "Expected a star of dr17" in line_of(wrong)


def test_nothing_found(server: Any, catalogue: Path) -> None:
    result = run(server, "--catalogue", catalogue, "--query", "teff>9000")
    assert result.exit_code == 1
    assert "No star of allStar.fits matches the query." in line_of(result)
    result = run(server, "2M99", "--catalogue", catalogue)
    assert "is one of the ids" in line_of(result)
    result = run(server, "--catalogue", catalogue, "--query", "tef>9000")
    assert "near it are TEFF" in line_of(result)


@pytest.mark.parametrize(
    "words",
    [
        [],
        [IDS[0]],
        [IDS[0], "--field", "N7789"],
        [IDS[0], "--release", "dr14"],
        [IDS[0], "--release", "dr16", "--field", "x", "--telescope", "apo25m"],
        ["--query", "teff<5000"],
        ["--catalogue", "allStar.fits"],
        ["--catalogue", "none.fits", IDS[0]],
        ["--catalogue", "allStar.fits", "--fetch-catalogue", IDS[0]],
        ["--catalogue", "allStar.fits", IDS[0], "--field", "N7789"],
        ["--catalogue", "allStar.fits", "--query", "4000<teff<5000"],
        ["--catalogue", "allStar.fits", IDS[0], "--workers", "9"],
        ["--catalogue", "allStar.fits", IDS[0], "--product", "apVisit"],
        ["--catalogue", "allStar.fits", IDS[0], "--limit", "0"],
    ],
)
def test_wrong_usage(server: Any, catalogue: Path, words: list[str]) -> None:
    result = run(server, *words)
    assert result.exit_code == 2
    assert "Error: " in result.stderr
    assert server.requests == []


def test_plain_http_to_other_machines_is_refused(catalogue: Path) -> None:
    result = run("http://data.sdss.org/sas", IDS[0], "--catalogue", catalogue)
    assert result.exit_code == 2
    assert "https://" in result.stderr


def test_ctrl_c_and_the_same_command_again(server: Any, catalogue: Path, tmp_path: Path) -> None:
    big = archive_server.fits_bytes(9, 200_000)
    server.files[path_of(1)] = big
    server.script[path_of(1)] = ["drip"]
    server.pause = 0.1  # 20 s in all: the signal comes in time on a busy machine too
    program = (
        "from spectrabridge.apps.cli import Program\n"
        "from spectrabridge.apps.fetch_apogee import fetch_apogee_command as command\n"
        "Program('spectrabridge', commands=[command])()\n"
    )
    words = [sys.executable, "-c", program, "fetch-apogee", *IDS[:2], "--out", "o"]
    words += ["--catalogue", str(catalogue), "--server", server.url, "--json"]
    start: dict[str, Any] = {"cwd": tmp_path, "text": True, "env": dict(os.environ)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdout=pipe, stderr=pipe, **start)
    partial = tmp_path / "o" / f"apStar-dr17-{IDS[1]}.fits.partial"
    done = tmp_path / "o" / f"apStar-dr17-{IDS[0]}.fits"
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 20_000 and done.exists()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "interrupted after 1 of 2 files. Give the same command again" in complained
    assert "Traceback" not in complained
    assert sorted((tmp_path / "o").iterdir()) == sorted([done, partial])
    again = subprocess.run(words, capture_output=True, timeout=60, check=False, **start)
    assert again.returncode == 0, again.stderr
    assert [f["status"] for f in json.loads(again.stdout)["files"]] == ["present", "fetched"]
    assert partial.with_suffix("").read_bytes() == big


def test_help_is_quick() -> None:
    program = (
        "import sys; import spectrabridge.apps.fetch_apogee; "
        "sys.exit(any(m in sys.modules for m in ('astropy', 'torch', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert "Usage" in CliRunner().invoke(PROGRAM, ["fetch-apogee", "--help"]).output


def test_sdss_v_by_number(server: Any) -> None:
    star = "dr19/spectro/astra/0.6.0/spectra/star/00/01/mwmStar-0.6.0-60000001.fits"
    visit = "dr20/spectro/astra/0.8.1/spectra/visit/00/01/mwmVisit-0.8.1-60000001.fits"
    server.files |= {star: archive_server.fits_bytes(), visit: archive_server.fits_bytes()}
    result = run(server, "60000001", "--release", "dr19", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["product"] == "mwmStar"
    visits = ["--release", "dr20", "--product", "mwmVisit"]
    assert run(server, "60000001", *visits).exit_code == 0
    assert server.paths() == [star, visit]
    wrong = run(server, IDS[0], "--release", "dr19")
    assert "give its sdss_id" in line_of(wrong)
    needless = run(server, "60000001", "--release", "dr20", "--field", "N7789")
    assert needless.exit_code == 2 and "sdss_id alone" in needless.stderr
