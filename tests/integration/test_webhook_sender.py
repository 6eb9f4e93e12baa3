"""One request to a webhook over real sockets: what the receiver gets, what the sender refuses and limits."""

import datetime
import errno
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook

from shared.webhook_url import Target
from tests.support.receiver import Receiver, status
from tests.support.webhooks import SECRET
from webhooks import addresses, request
from webhooks.messages import Attempt
from webhooks.request import AttemptFailed, Response, send
from webhooks.signature import sign

BODY = '{"type" : "task.completed", "data" : {"filename" : "gr\u00fc\u00dfe.csv"}}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.running() as running:
        yield running


def attempt(url: str) -> Attempt:
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "an-id",
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign([SECRET], "an-id", timestamp, BODY),
    }
    return Attempt("a", "d", "w", 1, url, headers, BODY, time.time() + 60)


def to_loopback(url: str) -> Response:
    return send(attempt(url), allows_loopback=True)


def reason(url: str, *, allows_loopback: bool = True) -> str:
    """Return why an attempt fails."""
    with pytest.raises(AttemptFailed) as caught:
        send(attempt(url), allows_loopback=allows_loopback)
    return str(caught.value)


def test_receiver_gets_a_post_that_the_library_verifies(receiver: Receiver) -> None:
    assert to_loopback(receiver.url) == Response(200, "ok", None)
    (received,) = receiver.received
    assert (received.path, received.body) == ("/hook?a=b", BODY)
    assert Webhook(SECRET).verify(received.body, received.headers)["type"] == "task.completed"


@pytest.mark.parametrize("code", [204, 300, 302, 304, 404, 410, 500])
def test_any_status_is_a_response(receiver: Receiver, code: int) -> None:
    receiver.respond = status(code)
    assert to_loopback(receiver.url).status == code


@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 305, 306, 307, 308])
def test_redirect_is_not_followed(receiver: Receiver, code: int) -> None:
    with Receiver.running() as internal:
        receiver.respond = status(code, Location=internal.url)
        assert to_loopback(receiver.url).status == code
        assert internal.connections == 0


@pytest.mark.parametrize("scheme", ["HTTP", "HTTPS", "ALL"])
def test_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """A proxy would connect to an address that the service has not checked."""
    with Receiver.running() as proxy:
        for name in (f"{scheme}_PROXY", f"{scheme}_PROXY".lower()):
            monkeypatch.setenv(name, proxy.url)
        assert to_loopback(receiver.url).status == 200
        assert (receiver.connections, proxy.connections) == (1, 0)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"OK" * 50_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n" + b"a: b\r\n" * 101 + b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["101 headers", "long header", "long status line", "101 headers of an interim response"],
)
def test_response_with_headers_beyond_the_limits_is_a_failure(receiver: Receiver, response: bytes) -> None:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(response)

    receiver.respond = respond
    assert reason(receiver.url) == "The response is not valid HTTP."


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("999999999999", 24 * 3600),
        ("-5", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_retry_after_is_read_and_limited(receiver: Receiver, header: str, seconds: int | None) -> None:
    receiver.respond = status(503, Retry_After=header)
    assert to_loopback(receiver.url).retry_after == seconds


def test_only_the_beginning_of_an_endless_response_is_read(receiver: Receiver) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    receiver.respond = endless
    assert to_loopback(receiver.url) == Response(200, "x" * request.RESPONSE_CHARACTERS, None)


def test_response_is_kept_as_text_that_the_database_can_store(receiver: Receiver) -> None:
    receiver.respond = status(200, b"a\0b\xff")
    assert to_loopback(receiver.url).text == "a\ufffdb\ufffd"


def drip(handler: BaseHTTPRequestHandler, before: bytes, drop: bytes) -> None:
    """Send a byte at a time, each within the timeout of a read, and never end."""
    handler.wfile.write(before)
    while True:
        handler.wfile.write(drop)
        time.sleep(0.01)


@pytest.fixture(params=["http", "https"])
def receiver_of_scheme(request: pytest.FixtureRequest) -> Receiver:
    """A receiver without TLS, and one whose certificate is trusted."""
    if request.param == "https":
        request.getfixturevalue("trusted")
        return cast(Receiver, request.getfixturevalue("https"))
    return cast(Receiver, request.getfixturevalue("receiver"))


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "header", "headers", "interim responses"],
)
def test_receiver_that_sends_slowly_and_never_ends_does_not_hold_the_sender(
    receiver_of_scheme: Receiver, monkeypatch: pytest.MonkeyPatch, before: bytes, drop: bytes
) -> None:
    monkeypatch.setattr(request, "TIME_LIMIT", 0.3)
    receiver_of_scheme.respond = lambda handler: drip(handler, before, drop)
    assert reason(receiver_of_scheme.url) in (
        "No complete response within 0 seconds.",
        "The response is not valid HTTP.",
    )


@pytest.fixture
def deadline(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event that stands for the deadline of a request: the speed of the machine decides nothing."""
    reached = threading.Event()

    class Timer(threading.Timer):
        def run(self) -> None:
            if reached.wait(60):
                self.function(*self.args)

    monkeypatch.setattr(threading, "Timer", Timer)
    yield reached
    reached.set()


@pytest.fixture
def deadline_in_the_body(deadline: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach the deadline when the headers have been read."""
    read = request._beginning

    def read_at_the_deadline(response: http.client.HTTPResponse) -> bytes:
        deadline.set()
        return read(response)

    monkeypatch.setattr(request, "_beginning", read_at_the_deadline)


@pytest.mark.parametrize(
    ("headers", "drop"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["HTTP/1.0", "no length", "length", "chunks", "chunks, closed", "length of a chunk"],
)
@pytest.mark.usefixtures("deadline_in_the_body")
def test_body_that_arrives_slowly_does_not_hold_the_sender_and_the_status_counts(
    receiver_of_scheme: Receiver, headers: bytes, drop: bytes
) -> None:
    ended_by_sender = threading.Event()

    def begin(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(headers)
        try:
            for _ in range(500):  # ends, so that a sender without a limit fails this test
                handler.wfile.write(drop)
                time.sleep(0.01)
        except OSError:
            ended_by_sender.set()

    receiver_of_scheme.respond = begin
    received = to_loopback(receiver_of_scheme.url)
    assert (received.status, received.text.strip("x")) == (200, "")
    assert ended_by_sender.wait(30)


@pytest.mark.usefixtures("deadline_in_the_body")
def test_success_needs_no_end_of_the_body(receiver_of_scheme: Receiver) -> None:
    ended = threading.Event()

    def begin(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nbeginning")
        ended.wait(30)

    receiver_of_scheme.respond = begin
    assert to_loopback(receiver_of_scheme.url) == Response(200, "beginning", None)
    ended.set()


def test_time_for_the_connection_counts(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow handshake and a slow response together must not take longer than one attempt may."""
    connect, limits, seconds = request._Connection.connect, list[float](), [0.0]

    def connect_slowly(connection: request._Connection) -> None:
        connect(connection)
        seconds[0] = request.TIME_LIMIT - 1

    class Timer(threading.Timer):
        def __init__(self, interval: float, *arguments: Any) -> None:
            limits.append(interval)
            super().__init__(interval, *arguments)

    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(request._Connection, "connect", connect_slowly)
    monkeypatch.setattr(threading, "Timer", Timer)
    assert to_loopback(receiver.url).status == 200
    assert limits == [1.0]


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (Target(True, "a.example", 443, "/"), "a.example"),
        (Target(True, "a.example", 8443, "/"), "a.example:8443"),
        (Target(False, "localhost", 80, "/"), "localhost"),
        (Target(False, "localhost", 443, "/"), "localhost:443"),
    ],
)
def test_host_header_omits_the_port_of_the_scheme(target: Target, host: str) -> None:
    near, far = socket.socketpair()
    with near, far:
        connection = request._Connection(target, [], 0)
        connection.sock = near
        connection.request("POST", target.path, b"")
        assert f"\r\nHost: {host}\r\n".encode() in far.recv(65536)


def test_receiver_that_never_responds_does_not_hold_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "TIME_LIMIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert reason(url) == "No complete response within 0 seconds."


def test_handshake_that_arrives_slowly_does_not_hold_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte arrives within the timeout of a read."""
    monkeypatch.setattr(request, "TIME_LIMIT", 0.3)
    ended_by_sender = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def begin() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB
                    for _ in range(1000):  # ends, so that a sender without a limit fails this test
                        connection.sendall(b"\x02")
                        time.sleep(0.01)
                except OSError:
                    ended_by_sender.set()

        thread = threading.Thread(target=begin)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        assert reason(url) == "No complete response within 0 seconds."
        assert ended_by_sender.wait(30)
        thread.join()


def test_response_that_is_not_http_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert reason(url) == "The response is not valid HTTP."
        thread.join()


def test_closed_port_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert reason(f"http://127.0.0.1:{port}/") == "The connection was refused."


def test_name_that_does_not_resolve_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert reason("https://hooks.example.com/") == "The host name does not resolve."


def test_receiver_on_this_machine_is_not_even_connected_to(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
        assert "not allowed" in reason(f"https://{host}:{port}", allows_loopback=False)
        assert "not allowed" in reason(f"http://{host}:{port}", allows_loopback=False)
    assert receiver.connections == 0


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that makes names resolve to these addresses, one after the other, and the names."""
    real = socket.getaddrinfo

    def to(*answers: str) -> list[str]:
        names, left = list[str](), list(answers)

        def getaddrinfo(host: str, port: int, *arguments: Any, **named: Any) -> Any:
            try:
                ipaddress.ip_address(host)
            except ValueError:
                names.append(host)
                host = left.pop(0)
            return real(host, port, *arguments, **named)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return names

    return to


def test_name_that_resolves_to_this_machine_is_not_connected_to(
    receiver: Receiver, resolved: Callable[..., list[str]]
) -> None:
    resolved("127.0.0.1")
    url = f"https://hooks.example.com:{receiver.url.rpartition(':')[2]}"
    assert reason(url, allows_loopback=False) == "The URL's host has an address that is not public."
    assert receiver.connections == 0


@pytest.fixture
def without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let connections to IPv6 addresses fail, as in a Lambda function outside a VPC."""
    connect = socket.create_connection

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        if ":" in address[0]:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", create_connection)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """Let the names of all URLs resolve to these addresses."""
    monkeypatch.setattr(request, "resolve", lambda *_, **__: list(found))


@pytest.mark.usefixtures("without_ipv6")
def test_host_with_only_ipv6_addresses_is_a_failure_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "2606:4700:4700::1111", "2606:4700:4700::1001")
    assert reason("https://hooks.example.com/").startswith("The host has only IPv6 addresses")


@pytest.mark.usefixtures("without_ipv6")
def test_host_with_both_kinds_of_addresses_is_reached_by_ipv4(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "2606:4700:4700::1111", "127.0.0.1")
    assert to_loopback(receiver.url).status == 200


@pytest.mark.usefixtures("without_ipv6")
def test_failure_of_the_ipv4_address_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "2606:4700:4700::1111", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert reason(f"http://localhost:{port}/") == "The connection was refused."


def test_name_is_resolved_once_so_that_a_second_answer_changes_nothing(
    receiver: Receiver, resolved: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the first answer passes the check, the second one is private."""
    monkeypatch.setattr(addresses, "is_public", lambda address: str(address) == "127.0.0.1")
    names = resolved("127.0.0.1", "127.0.0.2")
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    assert reason(f"https://hooks.example.com:{port}/", allows_loopback=False) == "The TLS handshake failed."
    assert names == ["hooks.example.com"]
    assert receiver.connections == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a self-signed certificate for `localhost` and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def https(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Receiver.running(context) as running:
        yield running


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the certificate as one of a public authority."""
    context = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(request, "_tls", lambda: context)


@pytest.mark.usefixtures("trusted")
def test_https_verifies_the_name_of_the_url_at_the_checked_address(https: Receiver) -> None:
    assert to_loopback(https.url).status == 200
    (received,) = https.received
    assert received.headers["host"].startswith("localhost:")


@pytest.mark.usefixtures("trusted")
def test_certificate_of_another_name_is_rejected(https: Receiver) -> None:
    assert "certificate is not valid" in reason(https.url.replace("localhost", "127.0.0.1"))
    assert https.received == []


def test_certificate_of_an_unknown_authority_is_rejected(https: Receiver) -> None:
    assert reason(https.url) == "The certificate is not valid: self-signed certificate."
    assert https.received == []


def test_plain_server_at_an_https_url_is_a_failure(receiver: Receiver) -> None:
    assert reason(receiver.url.replace("http://", "https://")) == "The TLS handshake failed."
