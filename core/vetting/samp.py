"""Sends tables to TOPCAT, Aladin and others through a SAMP hub on this machine.

SAMP is a standard of the IVOA (Taylor et al. 2012, "Simple Application Messaging
Protocol", version 1.3). The table is a VOTable file; the message says where it lies.
"""

from __future__ import annotations

import socket
import tempfile
import warnings
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from astropy.table import Table

from ..errors import LinesError
from ..io.table_writer import write_table
from ..version import __version__

LOAD = "table.load.votable"
"""The message that tells a program to load a table."""

_HERE = ("127.0.0.1", "localhost", "::1", "[::1]")


@dataclass(frozen=True)
class Listener:
    """A program that takes tables.

    Parameters
    ----------
    id : str
        Its name at the hub.
    name : str
        Its name for people.
    """

    id: str
    name: str


@dataclass(frozen=True)
class Sent:
    """What a program made of a table.

    Parameters
    ----------
    name : str
        The program.
    problem : str
        Why it did not load the table; empty if it did.
    """

    name: str
    problem: str = ""


@contextmanager
def _hub(hub: Mapping[str, str] | None) -> Iterator[Any]:
    """Be a client of the running hub for a while."""
    with warnings.catch_warnings():
        # Newer versions of astropy announce that this part of it moves to pyvo.
        warnings.simplefilter("ignore")
        try:
            from astropy.samp import SAMPHubError, SAMPIntegratedClient, conf
            from astropy.samp.lockfile_helpers import get_main_running_hub
        except ImportError as problem:
            raise LinesError("This version of astropy has no SAMP; install astropy 8.") from problem
        try:
            # Looking for a way out to the internet is none of a hub's business.
            with conf.set_temp("use_internet", False):
                found = dict(hub) if hub is not None else get_main_running_hub()
                _require_local(found)
                client = SAMPIntegratedClient(
                    name="spectrabridge",
                    metadata={"spectrabridge.version": __version__},
                    addr="127.0.0.1",
                )
                client.connect(hub_params=found)
        except (SAMPHubError, KeyError, OSError, xmlrpc.client.Error) as problem:
            raise LinesError(
                "No SAMP hub is running here. Start TOPCAT or Aladin, which bring one, and try "
                "again."
            ) from problem
    try:
        yield client
    finally:
        # The hub may have gone in the meantime.
        with suppress(OSError, xmlrpc.client.Error):
            client.disconnect()


def _require_local(hub: Mapping[str, str]) -> None:
    host = urlsplit(hub["samp.hub.xmlrpc.url"].replace("\\", "")).hostname or ""
    if host not in (*_HERE, socket.gethostname().lower()):
        raise LinesError(
            f"The SAMP hub is on {host}; tables are sent to programs on this machine only."
        )


def _listening(client: Any) -> list[Listener]:
    out = []
    for name in sorted(client.get_subscribed_clients(LOAD)):
        about = client.get_metadata(name)
        out.append(Listener(str(name), str(about.get("samp.name") or name)))
    return out


def listeners(hub: Mapping[str, str] | None = None) -> list[Listener]:
    """Return the programs that take tables.

    Parameters
    ----------
    hub : mapping, optional
        What a hub's lock file says; that of the running hub is found if not given.

    Raises
    ------
    LinesError
        If no hub runs on this machine.
    """
    with _hub(hub) as client:
        return _listening(client)


def send_table(
    table: Table,
    name: str,
    to: str | None = None,
    timeout: float = 30.0,
    hub: Mapping[str, str] | None = None,
) -> list[Sent]:
    """Send a table to the programs that take tables, and wait until they have it.

    Parameters
    ----------
    table : Table
        See :func:`~spectrabridge.core.vetting.decision_table.decision_table`.
    name : str
        What they should call it.
    to : str, optional
        Only to programs of this name, whatever its capitals.
    timeout : float
        How long to wait for each, seconds.
    hub : mapping, optional
        See :func:`listeners`.

    Returns
    -------
    list of Sent
        One per program.

    Raises
    ------
    LinesError
        If no hub runs on this machine, or nobody there takes tables.
    """
    with _hub(hub) as client:
        known = _listening(client)
        wanted = [k for k in known if to is None or to.lower() in (k.name.lower(), k.id.lower())]
        if not wanted:
            others = ", ".join(k.name for k in known) or "none"
            who = f"no {to!r} that takes" if to else "no program that takes"
            raise LinesError(f"The SAMP hub has {who} tables; those that do: {others}.")
        folder = Path(tempfile.mkdtemp(prefix="spectrabridge-"))
        path = folder / "decisions.vot"
        write_table(table, path)
        message = {
            "samp.mtype": LOAD,
            "samp.params": {
                "url": path.as_uri(),
                "table-id": f"spectrabridge-{name}",
                "name": name,
            },
        }
        sent = [_send(client, one, message, timeout) for one in wanted]
        # Whoever has not answered may still be reading.
        if not any(s.problem.endswith(_LATE) for s in sent):
            path.unlink()
            folder.rmdir()
        return sent


_LATE = "did not answer in time"


def _send(client: Any, to: Listener, message: dict[str, Any], timeout: float) -> Sent:
    try:
        answer = client.call_and_wait(to.id, message, str(max(1, round(timeout))))
    except (OSError, xmlrpc.client.Error) as problem:
        late = "timeout" in str(problem).lower()
        return Sent(to.name, _LATE if late else f"could not be reached ({problem})")
    if answer.get("samp.status") == "samp.error":
        said = (answer.get("samp.error") or {}).get("samp.errortxt", "without a reason")
        return Sent(to.name, f"refused: {said}")
    return Sent(to.name)
