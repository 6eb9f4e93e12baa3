"""A client's connection to the gateway. Its reads and writes never wait for the client.

A process handles one request at a time, so a read or a write that waited for a slow client would block every
other client. A connection therefore buffers a request until it is complete, and the bytes of a response that
the client has not accepted yet.
"""

import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

from localstack.gateway_error import gateway_error
from localstack.http_event import Client, Response
from localstack.http_parser import Request, RequestParser

READ_BYTES = 1 << 16
"""Bytes that one read receives at most."""
IDLE_SECONDS = 60
"""Time without a request after which the gateway closes the connection."""
REQUEST_SECONDS = 60
"""Time limit from the first byte of a request to the last one."""
SEND_SECONDS = 30
"""Time without progress after which the gateway closes the connection of a client that does not read."""
LINGER_SECONDS = 2
"""Time that a client has to read a response that rejects the rest of its request.

If the gateway closed the connection with bytes of the request unread, the kernel would discard the response.
"""


class ClientConnection:
    """The state of one connection. Its owner calls `proceed` when the socket is ready, and `close` after
    `deadline`, a time of `time.monotonic`.
    """

    def __init__(self, accepted: socket.socket, client: Client) -> None:
        accepted.setblocking(False)
        self.client = client
        self.descriptor = accepted.fileno()
        self.is_open = True
        self.deadline = time.monotonic() + IDLE_SECONDS
        self._socket = accepted
        self._parser = RequestParser()
        self._unsent = memoryview(b"")
        self._end: Callable[[], None] | None = None
        """Ends the connection after the last response."""
        self._lingers = False

    @property
    def is_sending(self) -> bool:
        """Whether the client has not accepted all bytes of a response yet."""
        return bool(self._unsent)

    @property
    def has_request(self) -> bool:
        """Whether a request is complete, and all responses to earlier ones are sent."""
        return bool(self._parser.requests) and not self._unsent and self._end is None and self.is_open

    def next_request(self) -> Request:
        """Return a complete request. `respond` must follow."""
        return self._parser.requests.popleft()

    def respond(self, request: Request, response: Response) -> None:
        """Send a response, as far as the client accepts it at once."""
        if request.is_last:
            self._end = self._linger if request.body is None else self.close
        head = response_head(response, request.version, is_last=request.is_last)
        bodiless = request.method == "HEAD" or response.status in (204, 304)
        self._unsent = memoryview(head if bodiless else head + response.body)
        self.proceed()

    def proceed(self) -> None:
        """Send or receive as many bytes as possible without waiting."""
        try:
            if self._unsent:
                self._send()
            elif self._lingers:
                self._discard()
            elif not self._parser.requests:
                self._receive()
        except BlockingIOError:
            pass
        except OSError:  # the client has closed the connection
            self.close()

    def close(self) -> None:
        self.is_open = False
        self._parser.close()
        self._socket.close()

    def _receive(self) -> None:
        parser, was_idle = self._parser, self._parser.is_idle
        if not (received := self._socket.recv(READ_BYTES)):
            self.close()
            return
        parser.feed(received)
        if parser.requests:
            return
        if was_idle:
            self.deadline = time.monotonic() + REQUEST_SECONDS
        if parser.error:
            self._reject()
        elif parser.pop_expectation():
            self._unsent = memoryview(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._send()

    def _send(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
            self.deadline = time.monotonic() + SEND_SECONDS
        parser = self._parser
        if self._end is not None:
            self._end()
        elif parser.error and not parser.requests:
            self._reject()
        else:
            self.deadline = time.monotonic() + (IDLE_SECONDS if parser.is_idle else REQUEST_SECONDS)

    def _reject(self) -> None:
        """Send the gateway's error for bytes that are no valid request."""
        response = gateway_error(self._parser.error)
        print(f"rejected a request of {self.client.address}: {response.status_line}")
        response.headers.append(("Content-Length", str(len(response.body))))
        self._end = self._linger
        self._unsent = memoryview(response_head(response, "1.1", is_last=True) + response.body)
        self._send()

    def _linger(self) -> None:
        """Wait until the client has read the response and closes the connection."""
        self._socket.shutdown(socket.SHUT_WR)
        self._lingers, self.deadline = True, time.monotonic() + LINGER_SECONDS

    def _discard(self) -> None:
        if not self._socket.recv(READ_BYTES):
            self.close()


def response_head(response: Response, version: str, *, is_last: bool) -> bytes:
    """Return the status line and the headers."""
    lines = [f"HTTP/{version} {response.status_line}", f"Date: {_date(int(time.time()))}"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    lines.append("Connection: close\r\n\r\n" if is_last else "Connection: keep-alive\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1")


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
