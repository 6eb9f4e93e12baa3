"""The gateway behind its real server: processes, connections, limits, timeouts."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from localstack.http_parser import BODY_LIMIT
from localstack.stack import Stack
from tests.support.offline_service import settings_of

TIMEOUT = 25
"""Seconds; less than the 30 s and more for which the gateway waits for a slow client."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(settings_of(tmp_path_factory.mktemp("gateway"))) as running:
        yield running


def connect(stack: Stack) -> socket.socket:
    return socket.create_connection((stack.settings.host, stack.settings.port), timeout=TIMEOUT)


def meet(stack: Stack, name: str) -> set[int]:
    """Send four requests that respond only once all four are being handled. Return their process ids."""
    with httpx.Client(timeout=TIMEOUT, verify=False) as client, ThreadPoolExecutor(4) as threads:
        responses = list(threads.map(lambda _: client.get(f"{stack.url}/meet/{name}"), range(4)))
    assert [response.status_code for response in responses] == [200] * 4
    return {response.json()["pid"] for response in responses}


def test_four_requests_run_concurrently_in_four_processes(stack: Stack) -> None:
    assert len(meet(stack, "plain")) == 4


def test_idle_connections_block_no_process(stack: Stack) -> None:
    with ExitStack() as idle:
        for _ in range(12):
            idle.enter_context(connect(stack))  # silent, like a browser's spare connections
            client = idle.enter_context(httpx.Client(verify=False))
            assert client.post(f"{stack.url}/echo", content="x").status_code == 200  # then kept alive
        assert len(meet(stack, "beside_idle_ones")) == 4


HALF_SENT = (
    b"GET /ec",
    b"GET /echo HTTP/1.1\r\nHost: x\r\n",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
    b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /ec",
)


@pytest.mark.parametrize("part", HALF_SENT)
def test_incomplete_requests_do_not_delay_other_clients(stack: Stack, part: bytes) -> None:
    with ExitStack() as slow:
        for _ in range(50):
            slow.enter_context(connect(stack)).sendall(part)
        assert len(meet(stack, f"beside_{HALF_SENT.index(part)}")) == 4
        for _ in range(20):
            assert httpx.get(f"{stack.url}/echo", timeout=TIMEOUT, verify=False).status_code == 200


def test_clients_that_do_not_read_or_close_do_not_delay_other_clients(stack: Stack) -> None:
    size = 3_000_000  # larger than the buffers of a socket
    head = f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
    with ExitStack() as slow:
        for _ in range(8):
            unread = slow.enter_context(connect(stack))
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            unread.sendall(head.encode() + b"x" * size)
            slow.enter_context(connect(stack)).sendall(b"GET /echo HTTP/1.0\r\n\r\n")
        for _ in range(20):
            assert httpx.get(f"{stack.url}/echo", timeout=TIMEOUT, verify=False).status_code == 200


def test_slow_reader_receives_the_whole_response(stack: Stack) -> None:
    body = b"0123456789" * 300_000
    with ExitStack() as closing:
        client = closing.enter_context(connect(stack))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        client.sendall((head % len(body)).encode() + body)
        response = closing.enter_context(http.client.HTTPResponse(client))
        response.begin()
        assert response.read() == body
        client.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")  # the connection is still usable
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 11", b"hello world"),
        (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"b\r\nhello world\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    ],
)
def test_request_that_arrives_byte_by_byte_is_handled(stack: Stack, framing: bytes, body: bytes) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n" + framing + b"\r\n\r\n"
    with ExitStack() as closing:
        client = closing.enter_context(connect(stack))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head + body:
            client.sendall(bytes([byte]))
        response = closing.enter_context(http.client.HTTPResponse(client))
        response.begin()
        assert (response.status, response.read()) == (200, b"hello world")


def test_client_that_expects_100_continue_receives_it(stack: Stack) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
    with connect(stack) as client:
        client.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        received = b""
        while not received.endswith(b"hello"):
            received += client.recv(1000)
        assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "chunks", [b"z\r\n", b"-5\r\nx\r\n", b"5\r\nhello!!0\r\n\r\n", b"\r\n\r\n", b"1_0\r\nx\r\n0\r\n\r\n"]
)
def test_malformed_chunks_do_not_block_the_server(stack: Stack, chunks: bytes) -> None:
    with connect(stack) as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        client.shutdown(socket.SHUT_WR)
        assert not client.recv(1000).startswith(b"HTTP/1.1 200")
    assert httpx.get(f"{stack.url}/echo", timeout=TIMEOUT, verify=False).status_code == 200


def test_process_handles_one_request_at_a_time(stack: Stack) -> None:
    with httpx.Client(timeout=TIMEOUT, verify=False) as client, ThreadPoolExecutor(16) as threads:
        responses = threads.map(lambda _: client.get(f"{stack.url}/alone"), range(120))
    assert {response.status_code for response in responses} == {200}


def test_connection_serves_several_requests(stack: Stack) -> None:
    connection = http.client.HTTPConnection(stack.settings.host, stack.settings.port, timeout=TIMEOUT)
    with ExitStack() as closing:
        closing.callback(connection.close)
        connection.connect()
        first = connection.sock
        for number in range(3):
            connection.request("POST", "/echo", str(number), {"Content-Type": "text/plain"})
            assert connection.getresponse().read() == str(number).encode()
        assert connection.sock is first


def test_pipelined_requests_all_get_responses(stack: Stack) -> None:
    with connect(stack) as client:
        client.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 3:
            received += client.recv(65536)


def test_body_over_the_limit_returns_413_with_a_message(stack: Stack) -> None:
    response = httpx.post(f"{stack.url}/echo", content=b"x" * (BODY_LIMIT + 1), timeout=TIMEOUT, verify=False)
    assert (response.status_code, response.json()) == (413, {"message": "Request Entity Too Large"})


def test_chunked_body_over_the_limit_returns_413(stack: Stack) -> None:
    chunks = (b"x" * 100_000 for _ in range(BODY_LIMIT // 100_000 + 2))
    assert httpx.post(f"{stack.url}/echo", content=chunks, timeout=TIMEOUT, verify=False).status_code == 413


def test_failing_handler_returns_500_without_the_reason(stack: Stack) -> None:
    response = httpx.get(f"{stack.url}/fail", verify=False)
    assert (response.status_code, response.json()) == (500, {"message": "Internal Server Error"})


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /echo HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: smoke\r\n\r\n", 501),
    ],
)
def test_malformed_request_returns_an_error_of_the_gateway(
    stack: Stack, request_head: bytes, status: int
) -> None:
    with ExitStack() as closing:
        client = closing.enter_context(connect(stack))
        client.sendall(request_head)
        response = closing.enter_context(http.client.HTTPResponse(client))
        response.begin()
        assert (response.status, response.getheader("Content-Type")) == (status, "application/json")
        assert json.loads(response.read())["message"]


def test_function_that_times_out_returns_500_and_its_process_is_replaced(stack: Stack) -> None:
    before = meet(stack, "before_hanging")
    assert httpx.get(f"{stack.url}/hang", timeout=TIMEOUT, verify=False).status_code == 500
    after = meet(stack, "after_hanging")
    assert len(before & after) == 3
