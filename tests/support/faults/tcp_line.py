"""A line before a server that can be cut, go silent, or become slow, and be well again."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Connect = Callable[[], socket.socket]

BLOCK = 1 << 16
"""Bytes that are carried at a time."""


class Line:
    """A TCP port of this machine that leads to where `connect` does."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._flows = threading.Event()
        self._flows.set()
        self._delay = 0.0
        self._ends = set[socket.socket]()
        self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    @classmethod
    def to(cls, port: int) -> "Line":
        return cls(lambda: socket.create_connection(("127.0.0.1", port)))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Every connection is reset, and no new one is taken."""
        self.close()
        try:
            yield
        finally:
            self._listen(self.port)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Connections are taken, and not a byte passes until it is over."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Each block comes so much later."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    def close(self) -> None:
        """Stop listening, and end all connections."""
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
                server.settimeout(None)  # a line has no patience to lose
                self._ends |= {client, server}
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        """What `source` sends, to `target`; the end of one is the end of both."""
        with suppress(OSError):
            while data := source.recv(BLOCK):
                time.sleep(self._delay)
                self._flows.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        # Its other thread closes the other one: a number that is free again may be another's.
        self._ends.discard(source)
        source.close()
