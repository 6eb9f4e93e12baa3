"""The event loop of a gateway process, without gunicorn and without functions."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from localstack import server
from localstack.http_event import Client, Response
from localstack.http_parser import Request
from localstack.server import FunctionWorker
from tests.support.eventually import eventually

GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"


class Loop(FunctionWorker):
    """A worker that `turn` advances, with a gateway that responds to everything."""

    def __init__(self, listener: socket.socket) -> None:
        self.sockets, self.PIPE = [listener], os.pipe()
        self.ppid, self.alive = os.getppid(), True
        self.wsgi = SimpleNamespace(respond=self._respond_to)
        self.requests: list[str] = []
        self.begin()

    def notify(self) -> None:
        """Do nothing, because no gunicorn watches this process."""

    def turns(self, count: int) -> None:
        for _ in range(count):
            os.write(self.PIPE[1], b"1")  # ends the wait for events, as a signal does
            self.turn()

    def wait_for_events(self, count: int) -> None:
        """Wait until this many sockets are readable: the kernel delivers bytes with a delay."""
        eventually(lambda: len(self._selector.select(0)) == count)

    @property
    def connections(self) -> int:
        return len(self._watched)

    def expire(self) -> None:
        """Let all connections be past their deadlines at the next check, which is due."""
        for connection in self._watched:
            connection.deadline = 0
        self._next_check = 0

    def end(self) -> None:
        for connection in self._watched:
            connection.close()
        self._selector.close()
        for descriptor in self.PIPE:
            os.close(descriptor)

    def _respond_to(self, request: Request, client: Client, request_id: str) -> Response:
        self.requests.append(request.target)
        return Response(200, [("Content-Length", "0")], b"")


def connect(loop: Loop, exits: ExitStack) -> socket.socket:
    return exits.enter_context(socket.create_connection(loop.sockets[0].getsockname(), 10))


@pytest.fixture
def loop() -> Iterator[Loop]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop = Loop(listener)
        yield loop
        loop.end()


@pytest.fixture
def clients(loop: Loop) -> Iterator[list[socket.socket]]:
    """Three connections that are accepted."""
    with ExitStack() as exits:
        sockets = [connect(loop, exits) for _ in range(3)]
        eventually(lambda: loop.turns(1) or loop.connections == 3)
        yield sockets


def test_expired_connection_is_closed(loop: Loop, clients: list[socket.socket]) -> None:
    loop.expire()
    loop.turns(1)
    assert [client.recv(1) for client in clients] == [b"", b"", b""]


def test_request_that_arrived_before_the_check_is_handled(loop: Loop, clients: list[socket.socket]) -> None:
    """While a function runs, no request is read, however long ago it arrived."""
    clients[1].sendall(GET)
    loop.wait_for_events(1)
    loop.expire()
    loop.turns(1)
    assert clients[1].recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert [clients[0].recv(1), clients[2].recv(1)] == [b"", b""]


def test_client_with_many_requests_takes_turns_with_others(loop: Loop, clients: list[socket.socket]) -> None:
    clients[0].sendall(GET.replace(b"echo", b"many") * 3)
    loop.wait_for_events(1)
    loop.turns(1)
    clients[1].sendall(GET)
    loop.wait_for_events(1)
    loop.turns(3)
    assert loop.requests == ["/many", "/echo", "/many", "/many"]


def test_process_accepts_one_connection_in_a_turn(loop: Loop) -> None:
    with ExitStack() as exits:
        for _ in range(3):
            connect(loop, exits)
        for accepted in (1, 2, 3):
            loop.wait_for_events(1)
            loop.turns(1)
            assert loop.connections == accepted


def test_process_with_too_many_connections_accepts_none(
    loop: Loop, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONNECTION_LIMIT", 3)
    clients[0].close()
    loop.wait_for_events(1)
    loop.turns(1)
    with ExitStack() as exits:
        connect(loop, exits)
        loop.wait_for_events(1)
        loop.turns(1)
        connect(loop, exits).sendall(GET)
        loop.turns(3)
        assert (loop.connections, loop.requests) == (3, [])
        clients[1].close()
        eventually(lambda: loop.turns(1) or loop.requests == ["/echo"])


def test_process_ends_with_its_parent(loop: Loop, clients: list[socket.socket]) -> None:
    loop.ppid = -1
    loop.expire()
    loop.turns(1)
    assert not loop.alive


def test_response_of_a_process_that_ends_closes_the_connection(
    loop: Loop, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(request: Request, client: Client, request_id: str) -> Response:
        loop.alive = False
        return Response(500, [("Content-Length", "0")], b"")

    loop.wsgi.respond = end
    clients[0].sendall(GET)
    loop.wait_for_events(1)
    loop.turns(1)
    assert b"Connection: close" in clients[0].recv(1000)
    assert clients[0].recv(1) == b""
