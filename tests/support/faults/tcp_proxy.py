"""A TCP proxy before a server. It can reset connections, stop forwarding, or delay data, and recover."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Connect = Callable[[], socket.socket]

BLOCK = 1 << 16
"""Bytes forwarded at a time."""


class TcpProxy:
    """A local TCP port that forwards each connection to the socket that `connect` returns."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._flows = threading.Event()
        self._flows.set()
        self._delay = 0.0
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
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        """Forward data from `source` to `target`. When one closes, close both."""
        with suppress(OSError):
            while data := source.recv(BLOCK):
                time.sleep(self._delay)
                self._flows.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        # The thread of the other direction closes `target`: a second close could hit a reused descriptor.
        self._ends.discard(source)
        source.close()
