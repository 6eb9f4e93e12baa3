"""The gateway behind its real server: processes, connections, limits, timeouts."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from localstack.gateway import BODY_LIMIT
from localstack.stack import Stack
from tests.integration.offline_service import settings_of


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(settings_of(tmp_path_factory.mktemp("gateway"))) as running:
        yield running


def connect(stack: Stack) -> socket.socket:
    return socket.create_connection((stack.settings.host, stack.settings.port), timeout=15)


def meet(stack: Stack, name: str) -> set[int]:
    """The processes of four requests, none of which is answered before all are being handled."""
    with httpx.Client(timeout=15) as client, ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: client.get(f"{stack.url}/meet/{name}"), range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    return {answer.json()["pid"] for answer in answers}


def test_four_requests_run_at_the_same_time_in_four_processes(stack: Stack) -> None:
    assert len(meet(stack, "plain")) == 4


def test_idle_connections_block_no_process(stack: Stack) -> None:
    with ExitStack() as idle:
        for _ in range(12):
            idle.enter_context(connect(stack))  # silent from the start, as a browser's spare ones
            client = idle.enter_context(httpx.Client())
            assert client.post(f"{stack.url}/echo", content="x").status_code == 200  # then kept alive
        assert len(meet(stack, "beside_idle_ones")) == 4


def test_a_process_does_one_request_at_a_time(stack: Stack) -> None:
    with httpx.Client(timeout=15) as client, ThreadPoolExecutor(16) as threads:
        answers = threads.map(lambda _: client.get(f"{stack.url}/alone"), range(120))
    assert {answer.status_code for answer in answers} == {200}


def test_a_connection_serves_one_request_after_the_other(stack: Stack) -> None:
    connection = http.client.HTTPConnection(stack.settings.host, stack.settings.port, timeout=10)
    with ExitStack() as closing:
        closing.callback(connection.close)
        connection.connect()
        first = connection.sock
        for number in range(3):
            connection.request("POST", "/echo", str(number), {"Content-Type": "text/plain"})
            assert connection.getresponse().read() == str(number).encode()
        assert connection.sock is first


def test_pipelined_requests_are_all_answered(stack: Stack) -> None:
    with connect(stack) as client:
        client.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 3:
            received += client.recv(65536)


def test_a_body_over_the_limit_is_refused_and_the_client_learns_why(stack: Stack) -> None:
    answer = httpx.post(f"{stack.url}/echo", content=b"x" * (BODY_LIMIT + 1), timeout=15)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_chunked_body_over_the_limit_is_refused(stack: Stack) -> None:
    chunks = (b"x" * 100_000 for _ in range(BODY_LIMIT // 100_000 + 2))
    assert httpx.post(f"{stack.url}/echo", content=chunks, timeout=15).status_code == 413


def test_a_raising_handler_gets_500_without_its_reason(stack: Stack) -> None:
    answer = httpx.get(f"{stack.url}/fail")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


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
def test_a_malformed_request_gets_the_gateway_s_error(stack: Stack, request_head: bytes, status: int) -> None:
    with ExitStack() as closing:
        client = closing.enter_context(connect(stack))
        client.sendall(request_head)
        answer = closing.enter_context(http.client.HTTPResponse(client))
        answer.begin()
        assert (answer.status, answer.getheader("Content-Type")) == (status, "application/json")
        assert json.loads(answer.read())["message"]


def test_a_function_that_times_out_gets_500_and_its_process_is_replaced(stack: Stack) -> None:
    before = meet(stack, "before_hanging")
    assert httpx.get(f"{stack.url}/hang", timeout=10).status_code == 500
    after = meet(stack, "after_hanging")
    assert len(before & after) == 3
