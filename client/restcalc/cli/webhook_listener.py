"""A local receiver of webhooks: it verifies each request, prints its event, and responds."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from restcalc.webhooks import InvalidSignature, verify

LARGEST_BODY = 1024 * 1024
"""Bytes."""
PATH = "/webhooks"


class Listener:
    """Receives requests while its context is open. `secret` may be set after the start."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.secret = ""
        self.url = f"http://localhost:{server.server_address[1]}{PATH}"
        self._received = queue.Queue[tuple[str, dict[str, Any]] | InvalidSignature]()

    @classmethod
    @contextmanager
    def running(cls, port: int) -> Iterator[Listener]:
        """Listen on this machine. Port 0 selects a free one. Raises: OSError."""

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                body = self.rfile.read(min(int(length), LARGEST_BODY) if length.isdecimal() else 0)
                self.send_response(listener.receive(dict(self.headers.items()), body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        listener = cls(server)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        try:
            yield listener
        finally:
            server.shutdown()
            server.server_close()

    def receive(self, headers: dict[str, str], body: bytes) -> int:
        """Verify a request, keep its event for `next`, and return the status of the response."""
        if not self.secret:
            return 503
        try:
            event = verify(self.secret, headers, body)
        except InvalidSignature as error:
            self._received.put(error)
            return 401
        (id,) = (value for name, value in headers.items() if name.lower() == "webhook-id")
        self._received.put((id, event))
        return 204

    def next(self) -> tuple[str, dict[str, Any]]:
        """Wait for the next request, and return its webhook-id and its event.

        Raises: InvalidSignature for an invalid one.
        """
        while True:
            try:
                # With a timeout, Ctrl-C ends the wait on every platform.
                received = self._received.get(timeout=1)
            except queue.Empty:
                continue
            if isinstance(received, InvalidSignature):
                raise received
            return received
