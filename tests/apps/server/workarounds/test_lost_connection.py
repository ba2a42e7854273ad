"""A browser that does not answer is taken off its session, and then its socket closes."""

from types import SimpleNamespace

import pytest
from bokeh.server.connection import ServerConnection
from bokeh.server.views.ws import WSHandler

from spectrabridge.apps.server.workarounds.lost_connection import is_detached, session_of


class Session:
    def __init__(self) -> None:
        self.lost = 0

    def subscribe(self, connection: object) -> None: ...

    def unsubscribe(self, connection: object) -> None: ...

    def notify_connection_lost(self) -> None:
        self.lost += 1


@pytest.fixture
def connection() -> ServerConnection:
    return ServerConnection(None, SimpleNamespace(), None, Session())  # type: ignore[arg-type]


def test_bokeh_alone_fails_when_the_socket_closes_later(connection: ServerConnection) -> None:
    connection.detach_session()
    socket = SimpleNamespace(
        connection=connection, close_code=1000, close_reason="", application=SimpleNamespace()
    )
    with pytest.raises(AssertionError):
        WSHandler.on_close(socket)  # type: ignore[arg-type]


def test_it_is_told_whether_there_is_a_session(connection: ServerConnection) -> None:
    socket = SimpleNamespace(connection=None)
    assert (session_of(socket), is_detached(socket)) == (None, False)  # type: ignore[arg-type]
    socket.connection = connection
    assert isinstance(session_of(socket), Session)  # type: ignore[arg-type]
    assert not is_detached(socket)  # type: ignore[arg-type]
    connection.detach_session()
    assert session_of(socket) is None  # type: ignore[arg-type]
    assert is_detached(socket)  # type: ignore[arg-type]
