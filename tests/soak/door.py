"""A port that leads to another one, and can be shut: then it refuses, and what went through it breaks off."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"
BLOCK = 1 << 16


class Door:
    def __init__(self, target: int) -> None:
        self._target = target
        self._open = set[socket.socket]()
        self._listener = socket.create_server((HOST, 0))
        self._port = int(self._listener.getsockname()[1])
        self.url = f"http://{HOST}:{self._port}"
        self._serve()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Nobody gets through in the block."""
        self.close()
        try:
            yield
        finally:
            self._listener = socket.create_server((HOST, self._port))
            self._serve()

    def close(self) -> None:
        _end(self._listener)
        self._listener.close()
        for end in list(self._open):
            _end(end)

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                threading.Thread(target=self._lead, args=(caller,), daemon=True).start()

    def _lead(self, caller: socket.socket) -> None:
        with caller, socket.create_connection((HOST, self._target)) as service:
            self._open |= {caller, service}
            back = threading.Thread(target=_carry, args=(service, caller), daemon=True)
            back.start()
            _carry(caller, service)
            back.join()
            self._open -= {caller, service}


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BLOCK):
            sink.sendall(data)
    _end(source)
    _end(sink)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
