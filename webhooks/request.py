"""Send one request to a webhook, limited in time and size, without following redirects."""

import errno
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache

from shared.webhook_url import HTTPS_PORT, InvalidUrl, Target, parse
from webhooks.addresses import RefusedAddress, resolve
from webhooks.messages import Attempt

TIME_LIMIT = 15.0
"""Seconds for a whole attempt, from the resolution of the name to the last byte that is read."""
CONNECT_TIMEOUT = 5.0
"""Seconds for a connection to one address."""
RESPONSE_BYTES = 1024
"""Bytes of the response's body that are read."""
RESPONSE_CHARACTERS = 256
"""Characters of the response that are kept for the user."""
LONGEST_RETRY_AFTER = 24 * 3600
"""Seconds."""
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH}
"""The errors of a connection to an IPv6 address without an IPv6 network, which Lambda functions outside a VPC
lack."""


@dataclass(frozen=True, slots=True)
class Response:
    """The response of a receiver. `retry_after` is in seconds."""

    status: int
    text: str
    retry_after: int | None


class AttemptFailed(Exception):
    """No response came. The message is for the user."""


class _OnlyIpv6(OSError):
    """The host has no IPv4 address, and this machine has no IPv6 network."""


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was checked, with TLS for the name of the URL."""

    def __init__(self, target: Target, addresses: list[str], deadline: float) -> None:
        super().__init__(target.host, target.port, timeout=CONNECT_TIMEOUT)
        # Host has no port if it is the scheme's own (RFC 9110, section 4.2.2). Some receivers compare it.
        self.default_port = HTTPS_PORT if target.is_https else http.client.HTTP_PORT
        self._target, self._addresses, self._deadline = target, addresses, deadline

    def connect(self) -> None:
        raw = self._connected()
        try:
            raw.settimeout(_left(self._deadline))
            self.sock = _tls().wrap_socket(raw, server_hostname=self.host) if self._target.is_https else raw
        except BaseException:
            raw.close()
            raise

    def _connected(self) -> socket.socket:
        """Connect to the first address that accepts the connection. If none does, raise the first error."""
        failures = list[OSError]()
        ipv4_first = sorted(self._addresses, key=lambda address: ":" in address)
        for address in ipv4_first:
            try:
                timeout = min(CONNECT_TIMEOUT, _left(self._deadline))
                return socket.create_connection((address, self.port), timeout)
            except OSError as error:
                failures.append(error)
        if ":" in ipv4_first[0] and failures[0].errno in _NO_IPV6:
            raise _OnlyIpv6
        raise failures[0]


def send(attempt: Attempt, *, allows_loopback: bool = False) -> Response:
    """Send an attempt and return the response, whatever its status.

    Args:
        allows_loopback: whether the URL may be of this machine.

    Raises:
        AttemptFailed: the URL is refused, or no response came within TIME_LIMIT.
    """
    deadline = time.monotonic() + TIME_LIMIT
    try:
        target = parse(attempt.url, allows_loopback=allows_loopback)
        addresses = resolve(target, allows_loopback=allows_loopback)
        return _exchange(_Connection(target, addresses, deadline), target, attempt, deadline)
    except InvalidUrl as error:
        raise AttemptFailed(f"The URL is not allowed: {error}.") from None
    except RefusedAddress as error:
        raise AttemptFailed(str(error)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= deadline:
            raise AttemptFailed(f"No complete response within {TIME_LIMIT:.0f} seconds.") from None
        raise AttemptFailed(_reason(error)) from None


def _exchange(connection: _Connection, target: Target, attempt: Attempt, deadline: float) -> Response:
    try:
        connection.connect()
        # Pass the socket itself: http.client drops its own reference before the body of a response without a
        # length is read.
        with _shut_down_at(deadline, connection.sock):
            connection.request("POST", target.path, attempt.body.encode(), dict(attempt.headers))
            with connection.getresponse() as response:
                _left(deadline)  # http.client treats the end of the connection as the end of the headers
                retry_after = response.getheader("Retry-After")
                return Response(response.status, _text(_beginning(response)), _seconds(retry_after))
    finally:
        connection.close()


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """Return the first RESPONSE_BYTES of a body, or less if it fails or lasts until the deadline.

    The status has already decided on success, so the end of the body does not matter.
    """
    body = b""
    with suppress(OSError, http.client.HTTPException, ValueError):
        while len(body) < RESPONSE_BYTES and (part := response.read1(RESPONSE_BYTES - len(body))):
            body += part
    return body


@contextmanager
def _shut_down_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """End the reads and writes of a socket at the deadline.

    The socket's timeout limits each read only, so a receiver that sends a byte a second would hold the
    sender.
    """
    limit = threading.Timer(_left(deadline), _shut_down, [connected])
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


def _shut_down(connected: socket.socket) -> None:
    """End the reads and writes of a socket in another thread."""
    with suppress(OSError):
        # Not SSLSocket.shutdown: it also removes TLS, so a later read would return encrypted bytes.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _left(deadline: float) -> float:
    """Return the seconds until the deadline. Raises: TimeoutError if none are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _text(body: bytes) -> str:
    """Return the beginning of a body as text that Postgres can store."""
    return body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")[:RESPONSE_CHARACTERS]


def _seconds(retry_after: str | None) -> int | None:
    """Return the seconds of a Retry-After header: a number or a date (RFC 9110, section 10.2.3)."""
    if retry_after is None:
        return None
    try:
        seconds = (
            int(retry_after)
            if retry_after.isascii() and retry_after.isdigit()
            else int(parsedate_to_datetime(retry_after).timestamp() - time.time())
        )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0, seconds), LONGEST_RETRY_AFTER)


def _reason(error: Exception) -> str:
    """Return why there is no response, for the user."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not valid: {error.verify_message}."
    if isinstance(error, ssl.SSLError):
        return "The TLS handshake failed."
    if isinstance(error, socket.gaierror):
        return "The host name does not resolve."
    if isinstance(error, TimeoutError):
        return f"No connection within {CONNECT_TIMEOUT:.0f} seconds."
    if isinstance(error, _OnlyIpv6):
        return "The host has only IPv6 addresses, which the service can't reach. Give it an IPv4 address."
    if isinstance(error, ConnectionRefusedError):
        return "The connection was refused."
    if isinstance(error, http.client.HTTPException | ValueError):
        return "The response is not valid HTTP."
    return "The connection failed."


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
