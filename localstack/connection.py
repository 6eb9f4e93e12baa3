"""A client's connection to the gateway, which buffers a whole request before the process works on it.

A process handles one request at a time, so a read or a write that waits for a slow client would block every
other client. Reads never wait: `Parser.has_request` says whether the request is complete. Writes are kept and
sent after the function has returned; a thread sends what the client does not take at once.
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

_READ = memoryview(bytearray(1 << 18))
"""Where `receive` reads to: one allocation for all, since only the event loop reads."""
HEAD_LIMIT = 1 << 16
"""Bytes in which the request line and the headers must end."""
BUFFER_LIMIT = 2 * BODY_LIMIT
"""Bytes of one connection that are kept. The framing of chunks counts, so it is more than a body may have."""
REQUEST_SECONDS = 60
"""Seconds from the first byte of a request to its last."""
SEND_SECONDS = 30
"""Seconds without progress after which a client that does not read its response is cut off."""
LINGER_SECONDS = 2


class Inbox(Unreader):
    """Bytes received and not parsed yet. Unlike gunicorn's own source it never reads the socket itself."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = bytearray()

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, or none where the parser would have to wait."""
        size = max(size_hint or 0, 8192)
        with memoryview(self.waiting) as waiting:
            part = bytes(waiting[:size])
        del self.waiting[:size]
        return part

    def gather(self) -> bytearray:
        """Return all bytes that the parser has not used, in one piece."""
        if held := self.take_buffered():
            self.waiting[:0] = held
        return self.waiting

    def give_back(self) -> None:
        """Hand everything to the parser: gunicorn looks only there for a pipelined request."""
        if rest := bytes(self.gather()):
            self.unread(rest)
            self.waiting.clear()


class Chunks:
    """Finds the end of a chunked body that arrives in pieces. gunicorn parses and checks it afterwards."""

    def __init__(self) -> None:
        self._next_size = self.total = 0

    def ended(self, received: bytearray) -> bool:
        """Return True for a whole body, and for one that gunicorn or the gateway rejects as it is."""
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
    """gunicorn's parser over an Inbox, asked for a request only when all of it is there."""

    unreader: Inbox

    def __init__(self, config: Any, client: Any) -> None:
        super().__init__(config, (), client)
        self.unreader = Inbox()
        self._request: Any = None
        self._error: Exception | None = None
        self._chunks = Chunks()
        self._searched = 0

    def has_request(self) -> bool:
        """Whether `next` returns a request, or raises, without waiting for the client."""
        if self._request is None and self._error is None and self._has_head():
            self._parse_head()
        return self._error is not None or (self._request is not None and self._has_body())

    def take_expectation(self) -> bool:
        """Whether the client waits for `100 Continue` (RFC 9110, section 10.1.1); True once per request."""
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
            # The gateway refuses it unread, so the next request's start is unknown.
            self._request.force_close()
        return whole or too_large


class ClientSocket(socket.socket):
    """A socket whose `sendall` keeps the bytes until `send_now`."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(fileno=accepted.detach())
        self.unsent = bytearray()

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.unsent += data

    def send_now(self) -> bool:
        """Send what the client takes at once; whether that was all. Raises: OSError."""
        try:
            while self.unsent:
                del self.unsent[: self.send(self.unsent, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            return False
        return True

    def send_rest(self) -> bool:
        """Send what is left, waiting for the client; whether it took all."""
        try:
            self.settimeout(SEND_SECONDS)
            while self.unsent:
                del self.unsent[: self.send(self.unsent)]
        except OSError:
            return False
        return True


class Connection(TConn):
    """gunicorn's connection with a buffered request. `closed_by_client`: no more bytes come."""

    sock: ClientSocket
    parser: Parser

    def __init__(self, config: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(config, sock, client, server)
        self.parser = Parser(config, client)
        self.data_ready = True  # else gunicorn waits for the bytes that are buffered already
        self.closed_by_client = False
        self._began = 0.0

    def receive(self) -> None:
        """Buffer what has arrived."""
        waiting = self.parser.unreader.gather()
        try:
            while len(waiting) <= BUFFER_LIMIT:
                size = self.sock.recv_into(_READ, flags=socket.MSG_DONTWAIT)
                waiting += _READ[:size]
                if size < len(_READ):
                    self.closed_by_client = size == 0
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.closed_by_client = True
        if waiting and not self._began:
            self._began = time.monotonic()

    def may_become_ready(self) -> bool:
        """Whether the rest of a request may still come."""
        slow = self._began and time.monotonic() - self._began > REQUEST_SECONDS
        return not self.closed_by_client and not slow

    @property
    def pipelined(self) -> bool:
        """Whether bytes of a next request are here already."""
        return bool(self.parser.unreader.buf.getbuffer().nbytes)

    def request_done(self) -> None:
        self._began = 0.0
        self.parser.unreader.give_back()

    def close(self, graceful: bool = False) -> None:
        """A client that has not closed its side gets seconds to read the response, but not of this thread."""
        if graceful and not self.closed_by_client:
            in_background(lambda: util.close_graceful(self.sock, LINGER_SECONDS, BUFFER_LIMIT))
        else:
            super().close()


def in_background(call: Callable[[], object]) -> None:
    """In a thread that does not keep a retired process alive."""
    threading.Thread(target=call, daemon=True).start()
