"""A TCP proxy before a server. It can close connections, stop forwarding, or delay data, and recover."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Connect = Callable[[], socket.socket]
Direction = Literal["requests", "responses"]

BLOCK = 1 << 16
"""Bytes forwarded at a time."""


class Breaks:
    """The numbers of bytes after which connections are to break, one after another."""

    def __init__(self, after: list[int]) -> None:
        self.after = after
        self._carried = dict[socket.socket, int]()

    def kept(self, source: socket.socket, data: bytes) -> bytes:
        """Return the data, or only its beginning if the connection breaks."""
        before = self._carried.get(source, 0)
        self._carried[source] = before + len(data)
        if not self.after or before + len(data) <= self.after[0]:
            return data
        return data[: self.after.pop(0) - before]


class Hold:
    """The number of bytes that still pass, all connections together, before the others wait."""

    def __init__(self, after: int) -> None:
        self._left = after
        self._lock = threading.Lock()
        self.released = threading.Event()

    def wait(self, size: int) -> None:
        """Count the bytes of a block, and wait if they are too many."""
        with self._lock:
            self._left -= size
            passes = self._left >= 0
        if not passes:
            self.released.wait()


class TcpProxy:
    """A local TCP port that forwards each connection to the socket that `connect` returns."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._flows = threading.Event()
        self._flows.set()
        self._delay = 0.0
        self._breaks = dict[Direction, Breaks]()
        self._holds = dict[Direction, Hold]()
        self._ends = set[socket.socket]()
        self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    @classmethod
    def to(cls, port: int) -> "TcpProxy":
        return cls(lambda: socket.create_connection(("127.0.0.1", port)))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Close all connections and refuse new ones within the block."""
        self.close()
        try:
            yield
        finally:
            self._listen(self.port)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Accept connections but forward no data within the block."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Delay each block of data within the block."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    @contextmanager
    def breaking(self, direction: Direction, *after: int) -> Iterator[None]:
        """Close one connection for each number of bytes, once it has carried that many within the block.

        0 bytes of responses loses a response to a request that the server has received.
        """
        breaks = self._breaks[direction] = Breaks(list(after))
        try:
            yield
            assert not breaks.after, "a connection that was to break has not carried enough"
        finally:
            self._breaks.pop(direction)

    @contextmanager
    def holding(self, direction: Direction, after: int) -> Iterator[None]:
        """Forward about that many bytes, and hold back all that follow until the block ends."""
        hold = self._holds[direction] = Hold(after)
        try:
            yield
        finally:
            self._holds.pop(direction)
            hold.released.set()

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._flows.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)  # the proxy itself must not time out
                self._ends |= {client, server}
                flows: tuple[tuple[socket.socket, socket.socket, Direction], ...]
                flows = ((client, server, "requests"), (server, client, "responses"))
                for flow in flows:
                    threading.Thread(target=self._carry, args=flow, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        """Forward data from `source` to `target`. When one closes, close both."""
        with suppress(OSError):
            while data := source.recv(BLOCK):
                time.sleep(self._delay)
                self._flows.wait()
                if hold := self._holds.get(direction):
                    hold.wait(len(data))
                breaks = self._breaks.get(direction)
                kept = breaks.kept(source, data) if breaks else data
                target.sendall(kept)
                if kept is not data:
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        # The thread of the other direction closes `target`: a second close could hit a reused descriptor.
        self._ends.discard(source)
        source.close()
