"""With IPv6 as the only route out, clients skip IPv4 addresses instead of waiting for their timeout."""

import json
import socket
import threading
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
def ipv4() -> Iterator[socket.socket]:
    """A listener at 127.0.0.1 that never responds, as without a route."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture
def port(ipv4: socket.socket) -> Iterator[int]:
    """The port of a server on ::1 and of the IPv4 listener. Few other processes use the ports of ::1."""
    port: int = ipv4.getsockname()[1]
    with ExitStack() as ended:
        server = ended.enter_context(Ipv6Server(("::1", port), Remote))
        ended.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield port


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


def has_client(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_enqueue_skips_ipv4_if_outbound_is_ipv6_only(
    addresses: pytest.MonkeyPatch, ipv4: socket.socket, port: int
) -> None:
    addresses.setenv("OUTBOUND_IPV6_ONLY", "true")
    addresses.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{port}")
    addresses.setenv("QUEUE_URL", f"http://{HOST}:{port}/queue")
    settings.cache_clear()
    aws.enqueue("uploads/a.csv")
    assert not has_client(ipv4)


def test_random_string_skips_ipv4_if_outbound_is_ipv6_only(
    addresses: pytest.MonkeyPatch, ipv4: socket.socket, port: int
) -> None:
    addresses.setenv("OUTBOUND_IPV6_ONLY", "true")
    addresses.setattr(random_string, "ENDPOINT", f"http://{HOST}:{port}/")
    assert random_string.next_string() == "x" * random_string.LENGTH
    assert not has_client(ipv4)


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
