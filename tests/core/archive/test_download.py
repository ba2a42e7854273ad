"""Downloads: complete or partial, never half under the final name; few requests, clear words."""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spectrabridge.core.archive.address import require_safe_url
from spectrabridge.core.archive.download import download
from spectrabridge.core.archive.download_cache import CACHE_NAME
from spectrabridge.core.archive.fits_check import check_fits
from spectrabridge.core.archive.remote_file import RemoteFile, Result, UnreachableError
from spectrabridge.core.errors import DownloadError
from spectrabridge.core.version import __version__

_spec = importlib.util.spec_from_file_location(
    "archive_server", Path(__file__).with_name("archive_server.py")
)
assert _spec and _spec.loader
archive_server: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(archive_server)

CONTENT = archive_server.fits_bytes()
FAST: dict[str, Any] = {"timeout": 0.3, "backoff": 0.01}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty download cache, by the variable that astropy asks."""
    folder = tmp_path / "cache"
    (folder / "spectrabridge").mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.delenv("ASTROPY_CACHE_DIR", raising=False)
    return folder


@pytest.fixture
def server() -> Iterator[Any]:
    with archive_server.ArchiveServer() as running:
        running.files["a.fits"] = CONTENT
        yield running


def remote(server: Any, *names: str) -> list[RemoteFile]:
    return [RemoteFile(f"{server.url}/{name}", name) for name in names or ("a.fits",)]


def one(server: Any, folder: Path, **options: Any) -> Result:
    (result,) = download(remote(server), folder, **FAST | options)
    return result


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_files_arrive_and_are_not_fetched_twice(server: Any, tmp_path: Path) -> None:
    for i in range(12):
        server.files[f"f{i}.fits"] = archive_server.fits_bytes(i, 3000)
    files = remote(server, *(f"f{i}.fits" for i in range(12)))
    told: list[tuple[int, int, int]] = []
    results = download(files, tmp_path / "o", progress=lambda *a: told.append(a), **FAST)
    assert [r.status for r in results] == ["fetched"] * 12
    assert all(r.ok and r.path.read_bytes() == server.files[r.file.name] for r in results)
    assert told[-1] == (12, 12, sum(len(server.files[f.name]) for f in files))
    n = len(server.requests)
    assert n == 12
    agents = {headers["User-Agent"] for _, headers in server.requests}
    assert agents == {f"spectrabridge/{__version__}"}
    assert {r.status for r in download(files, tmp_path / "o", **FAST)} == {"present"}
    assert {r.status for r in download(files, tmp_path / "other", **FAST)} == {"cached"}
    assert len(server.requests) == n
    assert (tmp_path / "other" / "f3.fits").read_bytes() == server.files["f3.fits"]
    results = download(files[:2], tmp_path / "third", cache=False, **FAST)
    assert [r.status for r in results] == ["fetched"] * 2
    assert len(names(tmp_path / "o")) == 12


def test_the_cache_is_astropy_s(server: Any, tmp_path: Path, cache_folder: Path) -> None:
    from astropy.utils.data import get_cached_urls

    result = one(server, tmp_path / "o")
    assert get_cached_urls(pkgname=CACHE_NAME) == [result.file.url]
    (kept,) = cache_folder.rglob("contents")
    result.path.write_bytes(b"changed by the user")  # the copy in the cache is another file
    assert kept.read_bytes() == CONTENT
    kept.write_bytes(CONTENT[:5000])
    assert one(server, tmp_path / "o").status == "fetched"
    assert result.path.read_bytes() == CONTENT
    assert one(server, tmp_path / "p").status == "cached"


def test_a_cache_that_cannot_be_written_does_not_matter(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache" / "spectrabridge").rmdir()
    (tmp_path / "cache" / "spectrabridge").write_text("a file, not a folder")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert one(server, tmp_path / "o").status == "fetched"


def test_at_most_four_connections(server: Any, tmp_path: Path) -> None:
    files = [f"f{i}.fits" for i in range(10)]
    for name in files:
        server.files[name] = archive_server.fits_bytes(0, 8000)
        server.script[name] = ["drip"]
    download(remote(server, *files), tmp_path / "o", workers=99, **FAST)
    assert 2 <= server.most_at_once <= 4


@pytest.mark.parametrize("word", ["503", "502", "429", "truncate", "stall", "silent", "unsized"])
def test_passing_failures_are_tried_again(server: Any, tmp_path: Path, word: str) -> None:
    server.script["a.fits"] = [word, word]
    result = one(server, tmp_path / "o")
    assert result.status == "fetched"
    assert result.size == len(CONTENT)
    assert result.path.read_bytes() == CONTENT
    assert names(tmp_path / "o") == ["a.fits"]
    assert len(server.requests) == 3


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_file_goes_on_where_it_stopped(server: Any, tmp_path: Path, ranges: bool) -> None:
    server.ranges = ranges
    server.script["a.fits"] = ["truncate"]
    failed = one(server, tmp_path / "o", retries=0)
    assert failed.status == "failed"
    assert "in 1 attempts" in failed.reason
    half = len(CONTENT) // 2
    assert f"ended after {half} of {len(CONTENT)} bytes" in failed.reason
    assert names(tmp_path / "o") == ["a.fits.partial"]
    result = one(server, tmp_path / "o")
    assert server.requests[-1][1]["Range"] == f"bytes={half}-"
    assert result.path.read_bytes() == CONTENT
    assert names(tmp_path / "o") == ["a.fits"]


def test_a_file_that_changed_on_the_server_starts_over(server: Any, tmp_path: Path) -> None:
    server.script["a.fits"] = ["truncate"]
    one(server, tmp_path / "o", retries=0)
    server.files["a.fits"] = new = archive_server.fits_bytes(7)
    server.modified = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert one(server, tmp_path / "o").path.read_bytes() == new


def test_a_partial_file_that_is_complete_is_only_checked(server: Any, tmp_path: Path) -> None:
    partial = tmp_path / "o" / "a.fits.partial"
    partial.parent.mkdir()
    partial.write_bytes(CONTENT)  # killed between the last byte and the new name
    assert one(server, tmp_path / "o").path.read_bytes() == CONTENT
    partial.write_bytes(CONTENT + b"x")  # longer than the file on the server
    (tmp_path / "o" / "a.fits").unlink()
    server.script["a.fits"] = []
    first = one(server, tmp_path / "o", cache=False)
    assert first.status == "failed"
    assert "another size" in first.reason
    assert one(server, tmp_path / "o", cache=False).path.read_bytes() == CONTENT


def test_attempts_end(server: Any, tmp_path: Path) -> None:
    server.script["a.fits"] = ["503"] * 9
    result = one(server, tmp_path / "o", retries=2)
    assert result.status == "failed"
    assert "in 3 attempts; the last: HTTP 503." in result.reason
    assert len(server.requests) == 3
    assert names(tmp_path / "o") == []


def test_waits_grow_and_retry_after_is_honoured(server: Any, tmp_path: Path) -> None:
    server.script["a.fits"] = ["503"] * 3
    download(remote(server), tmp_path / "o", timeout=0.3, backoff=0.1)
    waits = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert [w >= least for w, least in zip(waits, (0.1, 0.2, 0.4), strict=True)] == [True] * 3
    server.files["b.fits"] = server.files["c.fits"] = CONTENT
    server.script["b.fits"] = ["503:1"]
    server.times.clear()
    server.requests.clear()
    files = remote(server, "b.fits", "c.fits")
    download(files, tmp_path / "o", workers=1, **FAST)
    assert server.paths() == ["b.fits", "b.fits", "c.fits"]
    assert server.times[1] - server.times[0] >= 1


def test_a_long_pause_is_not_waited_for(server: Any, tmp_path: Path) -> None:
    server.files["b.fits"] = CONTENT
    server.script["b.fits"] = ["503:3600"]
    files = remote(server, "a.fits", "b.fits", "c.fits")
    with pytest.raises(UnreachableError, match="pause of 3600 seconds") as caught:
        download(files, tmp_path / "o", workers=1, **FAST)
    assert [r.status for r in caught.value.results] == ["fetched", "skipped", "skipped"]
    assert server.paths() == ["a.fits", "b.fits"]


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("404", "has no file"),
        ("403", "refuses"),
        ("html", "a web page instead of a FITS file"),
        ("away", "which is not https"),
    ],
)
def test_lasting_failures_are_not_tried_again(
    server: Any, tmp_path: Path, word: str, part: str
) -> None:
    server.files["b.fits"] = CONTENT
    server.script["a.fits"] = [word] * 5
    results = download(remote(server, "a.fits", "b.fits"), tmp_path / "o", **FAST)
    assert [r.status for r in results] == ["failed", "fetched"]
    assert part in results[0].reason
    assert server.url in results[0].reason
    assert server.paths().count("a.fits") == 1
    assert names(tmp_path / "o") == ["b.fits"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (CONTENT[:-100], "ends early"),
        (CONTENT[: 2880 * 3], "ends early"),  # a size in whole blocks, and yet cut
        (CONTENT + b"\0" * 100, "no multiple of 2880"),
        (b"", "is empty"),
        (b"PK\x03\x04" + b"\0" * 2876, "does not start as a FITS file"),
        (gzip.compress(CONTENT)[:-20], "gzip data end early"),
        (gzip.compress(b"no"), "does not start as a FITS file"),
    ],
    # gzip writes the time into its header: names made of contents would differ between workers.
    ids=["cut", "cut at a block", "no blocks", "empty", "zip", "gzip cut", "gzip of other things"],
)
def test_wrong_sizes_and_contents(server: Any, tmp_path: Path, content: bytes, part: str) -> None:
    server.files["a.fits"] = content
    result = one(server, tmp_path / "o")
    assert result.status == "failed"
    assert part in result.reason
    assert len(server.requests) == 1
    assert names(tmp_path / "o") == []


def test_compressed_and_other_files(server: Any, tmp_path: Path) -> None:
    server.files["a.fits"] = gzip.compress(CONTENT)
    server.files["notes.txt"] = b"hello"
    results = download(remote(server, "a.fits", "notes.txt"), tmp_path / "o", **FAST)
    assert [r.status for r in results] == ["fetched"] * 2
    check_fits(tmp_path / "o" / "a.fits")
    with pytest.raises(DownloadError, match=r"notes.txt is no complete FITS file"):
        check_fits(tmp_path / "o" / "notes.txt")
    with pytest.raises(DownloadError, match="cannot be read"):
        check_fits(tmp_path / "none.fits")


def test_a_half_file_under_the_final_name_is_replaced(server: Any, tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "a.fits").write_bytes(CONTENT[:5000])  # by another program
    result = one(server, tmp_path / "o")
    assert result.status == "fetched"
    assert result.path.read_bytes() == CONTENT


def _closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the addresses that connections were tried to, as they come."""
    tried: list[Any] = []
    connect = socket.create_connection

    def counted(address: Any, *rest: Any, **more: Any) -> socket.socket:
        tried.append(address)
        return connect(address, *rest, **more)

    monkeypatch.setattr(socket, "create_connection", counted)
    return tried


def test_no_network_is_said_after_one_attempt(tmp_path: Path, attempts: list[Any]) -> None:
    address = f"127.0.0.1:{_closed_port()}"
    files = [RemoteFile(f"http://{address}/f{i}.fits", f"f{i}.fits") for i in range(1000)]
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "f0.fits").write_bytes(CONTENT)
    with pytest.raises(UnreachableError) as caught:
        download(files, tmp_path / "o", workers=1)
    assert len(attempts) == 1
    text = str(caught.value)
    assert text.startswith(f"{address} could not be reached (Connection refused)")
    assert "Connect this machine to the network" in text
    statuses = [r.status for r in caught.value.results]
    assert statuses == ["present"] + ["skipped"] * 999
    assert names(tmp_path / "o") == ["f0.fits"]


def test_an_unknown_host_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    file = RemoteFile("https://archive.invalid/a.fits", "a.fits")
    with pytest.raises(UnreachableError, match=r"^archive.invalid could not be reached \(Name"):
        download([file], tmp_path / "o")
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy.invalid:3128")
    with pytest.raises(UnreachableError, match=r"through the proxy proxy.invalid") as caught:
        download([file], tmp_path / "o")
    assert "secret" not in str(caught.value)


def test_certificates_are_verified(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(words, check=True, capture_output=True)
    server.speak_tls(certificate, key)
    file = RemoteFile(f"https://localhost:{server.url.rpartition(':')[2]}/a.fits", "a.fits")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(UnreachableError, match=r"certificate of localhost:\d+ could not be"):
        download([file], tmp_path / "o", **FAST)
    assert server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert download([file], tmp_path / "o", **FAST)[0].status == "fetched"


def test_astropy_s_switch_is_respected(server: Any, tmp_path: Path) -> None:
    from astropy.utils.data import conf

    with (
        conf.set_temp("allow_internet", False),
        pytest.raises(UnreachableError, match="allow_internet"),
    ):
        one(server, tmp_path / "o")
    assert server.requests == []


def test_a_server_that_only_fails_is_left_alone(server: Any, tmp_path: Path) -> None:
    files = [f"f{i}.fits" for i in range(50)]
    for name in files:
        server.script[name] = ["500"] * 9
    with pytest.raises(UnreachableError, match="8 files one after the other"):
        download(remote(server, *files), tmp_path / "o", retries=1, workers=1, **FAST)
    assert len(server.requests) <= 2 * 10


def test_a_network_that_goes_away_ends_the_call(tmp_path: Path) -> None:
    with archive_server.ArchiveServer() as server:
        files = [f"f{i}.fits" for i in range(60)]
        server.files |= dict.fromkeys(files, CONTENT)

        def unplug(done: int, *_: int) -> None:
            if done == 1:
                server.close()

        with pytest.raises(UnreachableError, match="one after the other") as caught:
            options: dict[str, Any] = {"workers": 1, "retries": 1, "progress": unplug}
            download(remote(server, *files), tmp_path / "o", **FAST | options)
    statuses = [r.status for r in caught.value.results]
    assert statuses[0] == "fetched"
    assert statuses[-1] == "skipped"
    assert statuses.count("failed") >= 8
    assert all(name.endswith(".fits") for name in names(tmp_path / "o"))


@pytest.mark.parametrize(
    "url",
    [
        "http://data.sdss.org/sas",
        "ftp://data.sdss.org/sas",
        "file:///etc/passwd",
        "data.sdss.org",
        "https://me:secret@data.sdss.org/sas",
        "http://127.0.0.1.example.org/",
        "http://localhost:99999999/",
        "",
    ],
)
def test_addresses_must_be_https_or_local(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="Expected an address"):
        require_safe_url(url)
    with pytest.raises(DownloadError):
        download([RemoteFile(url, "a.fits")], tmp_path / "o")
    assert not (tmp_path / "o").exists()
    for fine in ("https://data.sdss.org/sas", "http://localhost:80", "http://[::1]:8000/sas"):
        require_safe_url(fine)


def test_names_must_be_plain_and_differ(tmp_path: Path) -> None:
    url = "https://archive.invalid/a.fits"
    for name in ("", "../a.fits", ".hidden", "a/b.fits", "..\\a.fits", "C:a.fits", "a\0.fits"):
        with pytest.raises(DownloadError, match="plain file name"):
            download([RemoteFile(url, name)], tmp_path)
    with pytest.raises(DownloadError, match="one address per file"):
        download([RemoteFile(url, "a.fits"), RemoteFile(url + "x", "a.fits")], tmp_path)


def test_a_folder_that_cannot_be_made_or_written(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DownloadError, match=r"cannot be made .* Choose another"):
        one(server, tmp_path / "file" / "o")
    (tmp_path / "o" / "a.fits").mkdir(parents=True)
    with pytest.raises(DownloadError, match=r"Writing to .* failed"):
        one(server, tmp_path / "o")


def test_no_files_at_all(tmp_path: Path) -> None:
    assert download([], tmp_path / "o") == []


PROGRAM = """
import sys
from spectrabridge.core.archive.download import download
from spectrabridge.core.archive.remote_file import RemoteFile
files = [RemoteFile(f"{sys.argv[1]}/{name}", name) for name in sys.argv[3:]]
print([r.status for r in download(files, sys.argv[2], timeout=5.0, backoff=0.01)])
"""


def start(url: str, folder: Path, *files: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, url, str(folder), *files]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, cwd=folder.parent)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_download_leaves_no_half_file_and_goes_on(
    server: Any, tmp_path: Path, sign: signal.Signals
) -> None:
    out = tmp_path / "o"
    server.files["b.fits"] = big = archive_server.fits_bytes(1, 200_000)
    server.script["b.fits"] = ["drip"]
    server.pause = 0.1  # 20 s in all: the signal comes in time on a busy machine too
    process = start(server.url, out, "a.fits", "b.fits")
    partial = out / "b.fits.partial"
    until(lambda: partial.exists() and partial.stat().st_size > 20_000)
    until((out / "a.fits").exists)
    process.send_signal(sign)
    process.communicate(timeout=20)
    assert process.returncode != 0
    left = {"a.fits", "b.fits.partial"}  # and the lock of a process that could not take it away
    assert set(names(out)) - {"b.fits.partial.lock"} == left
    have = partial.stat().st_size
    assert 20_000 < have < len(big)
    again = start(server.url, out, "a.fits", "b.fits")
    said, complained = again.communicate(timeout=30)
    assert again.returncode == 0, complained
    assert said.strip() == "['present', 'fetched']"
    assert server.requests[-1][1]["Range"] == f"bytes={have}-"
    assert (out / "b.fits").read_bytes() == big
    assert names(out) == ["a.fits", "b.fits"]


def test_two_processes_share_one_folder(server: Any, tmp_path: Path) -> None:
    server.script["a.fits"] = ["drip"]
    both = [start(server.url, tmp_path / "o", "a.fits") for _ in range(2)]
    said = sorted(p.communicate(timeout=30)[0].strip() for p in both)
    assert said == ["['fetched']", "['present']"]
    assert len(server.requests) == 1
    assert (tmp_path / "o" / "a.fits").read_bytes() == CONTENT
    assert names(tmp_path / "o") == ["a.fits"]
