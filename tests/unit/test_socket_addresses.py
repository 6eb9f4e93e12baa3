"""With IPv6 as the only route out, clients skip IPv4 addresses instead of waiting for their timeout."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shared import aws
from shared.operations import random_string
from shared.settings import settings
from shared.socket_addresses import skip_unreachable_ipv4

HOST = "remote.test"
FAST_SECONDS = 1.0
"""A connection faster than this did not wait for IPv4: each client's timeout is at least 3 seconds."""


class Ipv6Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Remote(BaseHTTPRequestHandler):
    """Respond like SQS and random.org."""

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        strings = ["x" * random_string.LENGTH] * sent.get("params", {}).get("n", 0)
        body = json.dumps({"MessageId": "1", "result": {"random": {"data": strings}}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server on ::1; the same port of 127.0.0.1 accepts no connection and rejects none."""
    with ExitStack() as ended:
        # IPv4 first, because few other processes use the ports of ::1.
        port = swallow_connections(ended)
        server = ended.enter_context(Ipv6Server(("::1", port), Remote))
        ended.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield port


def swallow_connections(ended: ExitStack) -> int:
    """Listen with a full backlog: the kernel drops further connection requests, as a missing route does.

    Return the port.
    """
    listener = ended.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port: int = listener.getsockname()[1]
    for _ in range(3):
        client = ended.enter_context(socket.socket())
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
    return port


@pytest.fixture
def addresses(environment: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Make HOST resolve to an IPv4 and an IPv6 address, in this order."""

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        assert host == HOST
        stream = (socket.SOCK_STREAM, 6, "")
        return [
            (socket.AF_INET, *stream, ("127.0.0.1", port)),
            (socket.AF_INET6, *stream, ("::1", port, 0, 0)),
        ]

    environment.setattr(socket, "getaddrinfo", resolve)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.setenv(name, "test")
    environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
    environment.setenv("RANDOM_STRING_API_KEY", "key")
    clear_caches()
    yield environment
    clear_caches()


def clear_caches() -> None:
    settings.cache_clear()
    skip_unreachable_ipv4.cache_clear()
    aws.sqs.cache_clear()
    random_string._ready.clear()


def seconds_to_enqueue(addresses: pytest.MonkeyPatch, port: int) -> float:
    addresses.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{port}")
    addresses.setenv("QUEUE_URL", f"http://{HOST}:{port}/queue")
    settings.cache_clear()
    began = time.monotonic()
    aws.enqueue("uploads/a.csv")
    return time.monotonic() - began


def seconds_to_random_string(addresses: pytest.MonkeyPatch, port: int) -> float:
    addresses.setattr(random_string, "ENDPOINT", f"http://{HOST}:{port}/")
    began = time.monotonic()
    assert random_string.next_string() == "x" * random_string.LENGTH
    return time.monotonic() - began


def test_enqueue_skips_ipv4_if_outbound_is_ipv6_only(addresses: pytest.MonkeyPatch, port: int) -> None:
    addresses.setenv("OUTBOUND_IPV6_ONLY", "true")
    assert seconds_to_enqueue(addresses, port) < FAST_SECONDS


def test_random_string_skips_ipv4_if_outbound_is_ipv6_only(addresses: pytest.MonkeyPatch, port: int) -> None:
    addresses.setenv("OUTBOUND_IPV6_ONLY", "true")
    assert seconds_to_random_string(addresses, port) < FAST_SECONDS


def test_order_of_the_resolver_is_kept_by_default(addresses: pytest.MonkeyPatch) -> None:
    skip_unreachable_ipv4()
    families = [address[0] for address in socket.getaddrinfo(HOST, 1)]
    assert families == [socket.AF_INET, socket.AF_INET6]


def test_host_without_ipv6_keeps_its_ipv4_addresses(environment: pytest.MonkeyPatch) -> None:
    only = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 5432))]
    environment.setattr(socket, "getaddrinfo", lambda *_: only)
    environment.setenv("OUTBOUND_IPV6_ONLY", "true")
    clear_caches()
    skip_unreachable_ipv4()
    assert socket.getaddrinfo("database.test", 5432) == only
    clear_caches()
