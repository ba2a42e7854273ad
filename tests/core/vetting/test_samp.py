from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from astropy.table import Table

from spectrabridge.core.errors import LinesError
from spectrabridge.core.lines import Candidates
from spectrabridge.core.vetting import open_vetting
from spectrabridge.core.vetting.decision_table import decision_table
from spectrabridge.core.vetting.samp import LOAD, listeners, send_table

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient, conf


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """astropy's own hub, found as any other is: by its lock file."""
    lock = tmp_path / "hub.lock"
    with conf.set_temp("use_internet", False):
        server = SAMPHubServer(web_profile=False, lockfile=str(lock), addr="127.0.0.1")
        server.start()
        monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{lock}")
        try:
            yield server
        finally:
            server.stop()


Program = Callable[..., list[Table]]


@pytest.fixture
def program(hub: Any) -> Iterator[Program]:
    """Start a program at the hub; return the list of the tables that it has loaded."""
    clients = []

    def start(name: str, refuse: str = "", silent: bool = False) -> list[Table]:
        client = SAMPIntegratedClient(name=name, addr="127.0.0.1")
        with conf.set_temp("use_internet", False):
            client.connect(hub_params=hub.params)
        clients.append(client)
        loaded: list[Table] = []

        def load(
            key: str, sender: str, message: str, mtype: str, params: dict[str, str], extra: Any
        ) -> None:
            if silent:
                return
            if refuse:
                failure = {"samp.status": "samp.error", "samp.result": {}}
                client.reply(message, failure | {"samp.error": {"samp.errortxt": refuse}})
                return
            path = url2pathname(urlsplit(params["url"]).path)
            table = Table.read(path, format="votable")
            table.meta["name"] = params["name"]
            loaded.append(table)
            client.reply(message, {"samp.status": "samp.ok", "samp.result": {}})

        client.bind_receive_call(LOAD, load)
        return loaded

    yield start
    for client in clients:
        client.disconnect()


@pytest.fixture
def table(tmp_path: Path, thirty: Candidates) -> Table:
    with open_vetting(tmp_path / "v.sqlite", thirty) as vetting:
        for c in thirty[:3]:
            vetting.decide(c, "ann", status="accepted", element="Si", comment="Ångström")
        return decision_table(vetting, thirty)


def test_a_program_receives_the_table(program: Program, table: Table) -> None:
    loaded = program("topcat")
    sent = send_table(table, "toy decisions")
    assert [(s.name, s.problem) for s in sent] == [("topcat", "")]
    (received,) = loaded
    assert received.meta["name"] == "toy decisions"
    assert list(received["id"]) == list(table["id"])
    assert list(received["comment"]) == ["Ångström"] * 3
    assert str(received["wavelength"].unit) == "Angstrom"


def test_programs_are_listed_and_chosen_by_name(program: Program, table: Table) -> None:
    topcat, aladin = program("topcat"), program("Aladin")
    assert [p.name for p in listeners()] == ["topcat", "Aladin"]
    send_table(table, "t", to="ALADIN")
    assert len(aladin) == 1 and not topcat
    with pytest.raises(LinesError, match="no 'ds9' that takes tables; those that do: topcat, Al"):
        send_table(table, "t", to="ds9")


def test_what_a_program_refuses_is_said(program: Program, table: Table) -> None:
    program("a", refuse="out of memory")
    loaded = program("b")
    sent = send_table(table, "t")
    assert [s.problem for s in sent] == ["refused: out of memory", ""]
    assert len(loaded) == 1


def test_a_program_that_never_answers_is_not_waited_for(program: Program, table: Table) -> None:
    program("stuck", silent=True)
    (sent,) = send_table(table, "t", timeout=1)
    assert sent.problem == "did not answer in time"


def test_a_hub_without_programs_is_said(hub: Any, table: Table) -> None:
    assert listeners() == []
    with pytest.raises(LinesError, match="no program that takes tables"):
        send_table(table, "t")


def test_no_hub_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Table) -> None:
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{tmp_path / 'none'}")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LinesError, match="No SAMP hub is running"):
        listeners()
    # A lock file that a crashed hub has left.
    gone = {"samp.hub.xmlrpc.url": "http://127.0.0.1:9/", "samp.secret": "x"}
    with pytest.raises(LinesError, match="No SAMP hub is running"):
        send_table(table, "t", hub=gone)


def test_a_hub_elsewhere_is_refused(table: Table) -> None:
    away = {"samp.hub.xmlrpc.url": "http://hub.example.org:21012/", "samp.secret": "x"}
    with pytest.raises(LinesError, match=r"on hub\.example\.org"):
        send_table(table, "t", hub=away)
