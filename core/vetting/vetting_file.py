"""The SQLite file that holds decisions: opened without harm to what is not ours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Protocol
from urllib.parse import quote

from ..errors import LinesError
from ..files import open_regular, understood
from ..user_data import user_data_folder

APPLICATION = 0x53425654
"""Marks the file as ours, in its header (``SBVT``)."""

SCHEMA = 1
"""Version of the layout, in the header's user version."""

BUSY_SECONDS = 10.0
"""How long another program's lock is waited for."""

_LAYOUT = """
CREATE TABLE about (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL);
CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    candidate TEXT NOT NULL,
    wavelength REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    vetter TEXT NOT NULL,
    status TEXT NOT NULL,
    element TEXT NOT NULL,
    comment TEXT NOT NULL,
    time TEXT NOT NULL,
    undoes INTEGER REFERENCES changes (number)
);
CREATE INDEX of_vetter ON changes (vetter, candidate, number);
CREATE INDEX of_candidate ON changes (candidate, number);
"""

_IN_WORDS = {
    sqlite3.SQLITE_FULL: "the disk, or the space this file may take, is full; make room",
    sqlite3.SQLITE_READONLY: "the file or its folder cannot be written to; give another file, or "
    "allow writing",
    sqlite3.SQLITE_PERM: "the file may not be used; allow it, or give another file",
    sqlite3.SQLITE_BUSY: f"another program has kept the file locked for {BUSY_SECONDS:.0f} s; "
    "close it, or wait and try again",
    sqlite3.SQLITE_LOCKED: "another program keeps the file locked; wait and try again",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work; keep the file on a local disk",
    sqlite3.SQLITE_IOERR: "the disk refused; it may be full, or gone",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; give a file in a folder that can be "
    "written to",
    sqlite3.SQLITE_NOTADB: "it is no vetting file; give another file, this one stays as it is",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it from a copy",
}


class _Named(Protocol):
    """A bundle."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...


def default_folder() -> Path:
    """Return the folder of vetting files of which nobody said where they should be."""
    return user_data_folder("vetting")


def default_vetting_path(bundle: _Named) -> Path:
    """Return where decisions about a bundle are kept if nobody says otherwise."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in bundle.name)[:60]
    return default_folder() / f"{safe}-{bundle.fingerprint[:8]}.sqlite"


@contextmanager
def in_words(path: Path, what: str) -> Iterator[None]:
    """Turn SQLite's errors into sentences.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What did not happen: ``the decision was not kept``.

    Raises
    ------
    LinesError
        Whatever SQLite raises.
    """
    try:
        yield
    except sqlite3.Error as problem:
        code = getattr(problem, "sqlite_errorcode", None)
        reason = _IN_WORDS.get((code or 0) & 0xFF, f"SQLite says: {problem}")
        raise LinesError(f"{path}: {what}: {reason}.") from problem
    except UnicodeDecodeError as problem:
        reason = _IN_WORDS[sqlite3.SQLITE_CORRUPT]
        raise LinesError(f"{path}: {what}: {reason}.") from problem


def connect(path: Path, about: dict[str, str], read_only: bool) -> sqlite3.Connection:
    """Open a vetting file, or begin one, once it is known to be ours and of this bundle.

    Parameters
    ----------
    path : Path
        The file; it is made if there is none, unless `read_only`.
    about : dict
        ``bundle`` and ``fingerprint``. Without a fingerprint any bundle's file will do.
    read_only : bool
        Change nothing at all.

    Raises
    ------
    LinesError
        If the file is another program's, a newer version's or another bundle's, or cannot be
        used; it is left as it was.
    """
    if path.is_dir():
        raise LinesError(f"{path} is a folder; give a file for the decisions.")
    if read_only and not path.exists():
        raise LinesError(f"There is no vetting file {path}.")
    if not path.parent.is_dir():
        raise LinesError(f"There is no folder {path.parent} for the vetting file {path.name}.")
    _require_database(path)
    connection = _open(path, read_only)
    try:
        with in_words(path, "the vetting file cannot be used"):
            if _is_empty(connection):
                if read_only:
                    raise LinesError(f"{path} is empty; it is no vetting file.")
                _begin(connection, about)
            _check(connection, path, about)
            if not read_only:
                _make_durable(connection)
                # A file that cannot be written to says so now, not at the first decision.
                connection.execute("DELETE FROM changes WHERE 0")
    except BaseException:
        connection.close()
        raise
    return connection


def _require_database(path: Path) -> None:
    """Refuse a file that is no SQLite file; SQLite itself would write over a very short one."""
    if not path.exists():
        return
    with (
        open_regular(path, "a vetting file", LinesError) as file,
        understood(path, "a vetting file", LinesError),
    ):
        start = file.read(16)
    if start and start != b"SQLite format 3\0":
        raise LinesError(
            f"{path} is no vetting file; it was left as it is. Give another file for the decisions."
        )


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    with in_words(path, "the vetting file cannot be opened"):
        if not read_only:
            # Resolved, because SQLite keeps a file that is called ":memory:" nowhere.
            return _session(path.resolve())
        uri = sqlite_uri(path.resolve())
        try:
            connection = _session(f"{uri}?mode=ro", uri=True)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as problem:
            # A write-ahead log cannot be read where its index cannot be made. If it is empty, the
            # file alone says everything.
            log = path.with_name(path.name + "-wal")
            code = problem.sqlite_errorcode & 0xFF
            unwritable = code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
            if not unwritable or (log.exists() and log.stat().st_size):
                raise
            connection = _session(f"{uri}?immutable=1", uri=True)
        return connection


def sqlite_uri(path: PurePath) -> str:
    """Return the address of a file as SQLite takes it, network shares of Windows included.

    Parameters
    ----------
    path : PurePath
        An absolute path.

    Examples
    --------
    >>> from pathlib import PurePosixPath
    >>> sqlite_uri(PurePosixPath("/data/giants 1.sqlite"))
    'file:///data/giants%201.sqlite'
    """
    text = path.as_posix()
    return "file://" + quote(text if text.startswith("/") else f"/{text}", safe="/:")


def _session(database: str | Path, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        database, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=uri
    )
    # A stranger's file runs no functions by its views and triggers.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _value(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether it is a new file, or one without a table and without anybody's mark."""
    tables = _value(connection, "SELECT count(*) FROM sqlite_master")
    return not tables and _value(connection, "PRAGMA application_id") in (0, APPLICATION)


def _begin(connection: sqlite3.Connection, about: dict[str, str]) -> None:
    """Write the layout, unless another program has done so in the meantime."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            for statement in _LAYOUT.split(";"):
                connection.execute(statement)
            connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def read_about(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what the file says about itself: ``bundle`` and ``fingerprint``."""
    return {str(k): str(v) for k, v in connection.execute("SELECT key, value FROM about")}


def _check(connection: sqlite3.Connection, path: Path, about: dict[str, str]) -> None:
    if _value(connection, "PRAGMA application_id") != APPLICATION:
        raise LinesError(
            f"{path} is another program's SQLite file; it was left as it is. Give another file "
            "for the decisions."
        )
    schema = _value(connection, "PRAGMA user_version")
    if schema > SCHEMA:
        raise LinesError(
            f"{path} has layout {schema}; this spectrabridge reads up to {SCHEMA}. Update it."
        )
    found = read_about(connection)
    if "fingerprint" not in found or "bundle" not in found:
        raise LinesError(f"{path} does not say which bundle it is about; it is damaged.")
    wanted = about.get("fingerprint")
    if wanted and found["fingerprint"] != wanted:
        raise LinesError(
            f"{path} holds decisions about bundle {found['bundle']} ({found['fingerprint'][:8]}), "
            f"not about {about['bundle']} ({wanted[:8]}); nothing was changed there. Give another "
            "file, and import those decisions by wavelength if they are wanted."
        )


def _make_durable(connection: sqlite3.Connection) -> None:
    """Let nothing that was decided be lost, whatever is killed or loses its power."""
    connection.execute("PRAGMA synchronous = FULL")
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as problem:
            # Changing the mode does not wait for locks by itself.
            if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
    # The log is emptied into the file after each decision: a copy of the file alone, made after a
    # crash, has everything.
    connection.execute("PRAGMA wal_autocheckpoint = 1")
