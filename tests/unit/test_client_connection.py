"""A client's connection: it buffers, never waits, and knows when it ends."""

import socket
from collections.abc import Iterator

import pytest

from localstack.client_connection import ClientConnection
from localstack.http_event import Client, Response
from localstack.http_parser import BODY_LIMIT

GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n"
TOO_LARGE = b"POST /echo HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1)
LARGE = b"x" * 5_000_000
"""More bytes than the buffers of a socket hold."""


class Pair:
    """A connection and its client's socket, on one machine."""

    def __init__(self) -> None:
        accepted, self.client = socket.socketpair()
        self.client.settimeout(10)
        self.connection = ClientConnection(accepted, Client("192.0.2.7", 8080))

    def send(self, data: bytes) -> None:
        self.client.sendall(data)
        self.connection.proceed()

    def respond(self, body: bytes = b"", status: int = 200) -> None:
        response = Response(status, [("Content-Length", str(len(body)))], body)
        self.connection.respond(self.connection.next_request(), response)

    def received(self) -> bytes:
        return self.client.recv(1 << 16)


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.client.close()
    pair.connection.close()


def test_incomplete_request_waits_and_its_time_limit_does_not_move(pair: Pair) -> None:
    pair.send(GET[:10])
    first = pair.connection.deadline
    pair.send(GET[10:20])
    assert (pair.connection.has_request, pair.connection.deadline) == (False, first)
    pair.send(GET[20:])
    assert pair.connection.has_request


def test_response_has_the_head_and_the_body(pair: Pair) -> None:
    pair.send(GET)
    pair.respond(b"hello")
    head, _, body = pair.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert head.endswith(b"Content-Length: 5\r\nConnection: keep-alive")
    assert body == b"hello"
    assert pair.connection.is_open


@pytest.mark.parametrize(("request_line", "status"), [(b"HEAD", 200), (b"GET", 204), (b"GET", 304)])
def test_response_without_a_body_sends_none(pair: Pair, request_line: bytes, status: int) -> None:
    pair.send(GET.replace(b"GET", request_line, 1))
    pair.respond(b"hello", status)
    assert pair.received().endswith(b"\r\n\r\n")


def test_time_limit_of_a_slow_reader_moves_only_with_its_progress(pair: Pair) -> None:
    pair.send(GET)
    pair.respond(LARGE)
    begun = pair.connection.deadline
    pair.connection.proceed()
    assert (pair.connection.is_sending, pair.connection.deadline) == (True, begun)
    received = 0
    while pair.connection.is_sending:
        received += len(pair.received())
        pair.connection.proceed()
    assert pair.connection.deadline > begun
    while received < len(LARGE):
        received += len(pair.received())
    assert pair.connection.is_open


def test_pipelined_request_waits_for_the_response_before_it(pair: Pair) -> None:
    pair.send(GET + LAST)
    pair.respond(LARGE)
    assert not pair.connection.has_request
    while pair.connection.is_sending:
        pair.received()
        pair.connection.proceed()
    assert pair.connection.has_request


def test_connection_closes_after_its_last_response(pair: Pair) -> None:
    pair.send(LAST)
    pair.respond()
    assert not pair.connection.is_open
    assert b"Connection: close" in pair.received()
    assert pair.received() == b""


def test_client_that_still_sends_receives_the_rejection(pair: Pair) -> None:
    pair.send(TOO_LARGE)
    pair.respond(status=413)
    assert pair.connection.is_open
    assert pair.received().startswith(b"HTTP/1.1 413 ")
    assert pair.received() == b""  # the gateway sends no more, but still reads
    for _ in range(3):
        pair.send(b"x" * 10_000)
        assert not pair.connection.has_request
    pair.client.shutdown(socket.SHUT_WR)
    while pair.connection.is_open:
        pair.connection.proceed()


def test_invalid_request_is_rejected_after_the_response_to_a_valid_one(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.send(GET + b"garbage\r\n\r\n")
    pair.respond(b"hello")
    received = pair.received()
    assert b"hello" in received
    assert b"HTTP/1.1 400 Bad Request" in received
    assert not pair.connection.has_request
    assert capsys.readouterr().out == "rejected a request of 192.0.2.7: 400 Bad Request\n"


def test_client_that_closes_ends_the_connection(pair: Pair) -> None:
    pair.send(GET[:10])
    pair.client.close()
    pair.connection.proceed()
    assert not pair.connection.is_open


def test_client_that_closes_before_the_response_ends_the_connection(pair: Pair) -> None:
    pair.send(GET)
    pair.client.close()
    pair.respond(LARGE)
    assert not pair.connection.is_open
