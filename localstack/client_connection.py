"""A client's connection to the gateway. It buffers a whole request before the process handles it.

A process handles one request at a time, so a read or a write that waits for a slow client would block every
other client. Reads never wait: `Parser.has_request` returns whether the request is complete. Writes are
buffered and sent after the function has returned; a thread sends the bytes that the client does not accept at
once.
"""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from gunicorn import util
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn

from localstack.gateway import BODY_LIMIT

_READ_BUFFER = memoryview(bytearray(1 << 18))
"""The read buffer of `receive`, shared by all connections because only the event loop reads."""
HEAD_LIMIT = 1 << 16
"""Maximum size of the request line and the headers in bytes."""
BUFFER_LIMIT = 2 * BODY_LIMIT
"""Maximum number of buffered bytes of a connection: a body of BODY_LIMIT with its chunk framing."""
REQUEST_SECONDS = 60
"""Time limit from the first byte of a request to the last one."""
SEND_SECONDS = 30
"""Time without progress after which the gateway closes the connection of a client that does not read."""
LINGER_SECONDS = 2
"""Time that a client has to read the last response before the gateway closes the connection."""


class ReceiveBuffer(Unreader):
    """Holds received bytes that are not parsed yet. Unlike gunicorn's own sources it reads no socket."""

    def __init__(self) -> None:
        super().__init__()
        self.received = bytearray()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, or b"" if none are buffered."""
        size = max(size_hint or 0, 8192)
        with memoryview(self.received) as received:
            part = bytes(received[:size])
        del self.received[:size]
        return part

    def gather(self) -> bytearray:
        """Return all bytes that the parser has not consumed, as one bytearray."""
        if held := self.take_buffered():
            self.received[:0] = held
        return self.received

    def unread_all(self) -> None:
        """Move all bytes to the parser's own buffer, where gunicorn expects a pipelined request."""
        if rest := bytes(self.gather()):
            self.unread(rest)
            self.received.clear()


class Chunks:
    """Finds the end of a chunked body that arrives in pieces. gunicorn parses and validates it afterwards."""

    def __init__(self) -> None:
        self._next_size = self.total = 0

    def ended(self, received: bytearray) -> bool:
        """Return whether the body is complete, or invalid so that gunicorn or the gateway rejects it."""
        while (end := received.find(b"\r\n", self._next_size)) >= 0:
            digits = bytes(received[self._next_size : end]).partition(b";")[0].strip()
            if not digits.isalnum():
                return True
            try:
                size = int(digits, 16)
            except ValueError:
                return True
            if size == 0:
                return received.find(b"\r\n\r\n", end) >= 0
            self._next_size = end + 2 + size + 2
            self.total += size
            if self.total > BODY_LIMIT:
                return True
        return False


class Parser(RequestParser):
    """gunicorn's parser over a ReceiveBuffer. Call `next` only after `has_request` has returned True."""

    unreader: ReceiveBuffer

    def __init__(self, config: Any, client: Any) -> None:
        super().__init__(config, (), client)
        self.unreader = ReceiveBuffer()
        self._request: Any = None
        self._error: Exception | None = None
        self._chunks = Chunks()
        self._searched = 0

    def has_request(self) -> bool:
        """Return whether `next` returns a request, or raises, without waiting for the client."""
        if self._request is None and self._error is None and self._has_head():
            self._parse_head()
        return self._error is not None or (self._request is not None and self._has_body())

    def pop_expectation(self) -> bool:
        """Return whether the client waits for `100 Continue` (RFC 9110, section 10.1.1), once per request."""
        if self._request is None or not self._request._expected_100_continue:
            return False
        self._request._expected_100_continue = False
        return True

    def __next__(self) -> Any:
        if self._error is not None:
            raise self._error
        request, self._request = self._request, None
        return request

    def _has_head(self) -> bool:
        received = self.unreader.gather()
        found = received.find(b"\r\n\r\n", self._searched) >= 0
        self._searched = 0 if found else max(0, len(received) - 3)
        return found or len(received) > HEAD_LIMIT

    def _parse_head(self) -> None:
        try:
            self._request = super().__next__()
            self._chunks = Chunks()
        except NoMoreData:
            self._error = LimitRequestHeaders(f"more than {HEAD_LIMIT} bytes")
        except Exception as error:
            self._error = error

    def _has_body(self) -> bool:
        received, reader = self.unreader.gather(), self._request.body.reader
        if isinstance(reader, ChunkedReader):
            whole = self._chunks.ended(received)
            too_large = self._chunks.total > BODY_LIMIT or len(received) > BUFFER_LIMIT
        else:
            whole, too_large = len(received) >= reader.length, reader.length > BODY_LIMIT
        if too_large:
            # The gateway rejects the body without reading it, so the start of the next request is unknown.
            self._request.force_close()
        return whole or too_large


class ClientSocket(socket.socket):
    """A socket whose `sendall` buffers the bytes until `send_now`."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.unsent = bytearray()

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.unsent += data

    def send_now(self) -> bool:
        """Send the bytes that the client accepts without waiting, and return whether all are sent.

        Raises: OSError if the connection is broken.
        """
        try:
            while self.unsent:
                del self.unsent[: self.send(self.unsent, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            return False
        return True

    def send_rest(self) -> bool:
        """Send the remaining bytes, waiting for the client, and return whether all are sent."""
        try:
            self.settimeout(SEND_SECONDS)
            while self.unsent:
                del self.unsent[: self.send(self.unsent)]
        except OSError:
            return False
        return True


class Connection(TConn):
    """gunicorn's connection with a buffered request.

    `closed_by_client` means that the client sends no more bytes.
    """

    sock: ClientSocket
    parser: Parser

    def __init__(self, config: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(config, sock, client, server)
        self.parser = Parser(config, client)
        self.data_ready = True  # otherwise gunicorn would wait for bytes that are buffered already
        self.closed_by_client = False
        self._began = 0.0

    def receive(self) -> None:
        """Buffer the bytes that have arrived."""
        received = self.parser.unreader.gather()
        try:
            while len(received) <= BUFFER_LIMIT:
                size = self.sock.recv_into(_READ_BUFFER, flags=socket.MSG_DONTWAIT)
                received += _READ_BUFFER[:size]
                if size < len(_READ_BUFFER):
                    self.closed_by_client = size == 0
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.closed_by_client = True
        if received and not self._began:
            self._began = time.monotonic()

    def may_become_ready(self) -> bool:
        """Return whether the rest of a request may still arrive."""
        slow = self._began and time.monotonic() - self._began > REQUEST_SECONDS
        return not self.closed_by_client and not slow

    @property
    def pipelined(self) -> bool:
        """Whether bytes of the next request are buffered already."""
        return bool(self.parser.unreader.buf.getbuffer().nbytes)

    def request_done(self) -> None:
        self._began = 0.0
        self.parser.unreader.unread_all()

    def close(self, graceful: bool = False) -> None:
        """Close the connection. With `graceful`, a thread first waits for the client to read the response."""
        if graceful and not self.closed_by_client:
            in_background(lambda: util.close_graceful(self.sock, LINGER_SECONDS, BUFFER_LIMIT))
        else:
            super().close()


def in_background(call: Callable[[], object]) -> None:
    """Run `call` in a daemon thread, which does not keep a retired process alive."""
    threading.Thread(target=call, daemon=True).start()
