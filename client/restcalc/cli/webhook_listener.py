"""A local receiver of webhooks: it verifies each request, responds, and hands its event over."""

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
Received = tuple[str, dict[str, Any]] | InvalidSignature
"""The webhook-id and the event of a request, or why it is rejected."""


class Listener:
    """Receives requests while its context is open. `secret` may be set after the start."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.secret = ""
        self.url = f"http://localhost:{server.server_address[1]}{PATH}"
        self.received = queue.Queue[Received]()

    @classmethod
    @contextmanager
    def running(cls, port: int) -> Iterator[Listener]:
        """Listen on this machine. Port 0 selects a free one. Raises: OSError."""

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def do_POST(self) -> None:
                length = self.headers.get("Content-Length", "")
                body = self.rfile.read(min(int(length), LARGEST_BODY) if length.isdecimal() else 0)
                status, received = listener.check(dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                # Not before the response: after its last event the command ends, and the service would repeat
                # the request.
                if received:
                    listener.received.put(received)

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

    def check(self, headers: dict[str, str], body: bytes) -> tuple[int, Received | None]:
        """Verify a request. Return the status of the response, and what `next` returns or raises."""
        if not self.secret:
            return 503, None
        try:
            event = verify(self.secret, headers, body)
        except InvalidSignature as error:
            return 401, error
        (id,) = (value for name, value in headers.items() if name.lower() == "webhook-id")
        return 204, (id, event)

    def next(self) -> tuple[str, dict[str, Any]]:
        """Wait for the next request, and return its webhook-id and its event.

        Raises: InvalidSignature for an invalid one.
        """
        while True:
            try:
                # With a timeout, Ctrl-C ends the wait on every platform.
                received = self.received.get(timeout=1)
            except queue.Empty:
                continue
            if isinstance(received, InvalidSignature):
                raise received
            return received
