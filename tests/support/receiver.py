"""A receiver of webhooks: an HTTP server that keeps the requests and responds as the test chooses."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any

Respond = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    """A request."""

    path: str
    headers: dict[str, str]
    body: str


def status(code: int, body: bytes = b"", **headers: str) -> Respond:
    """Return a function that responds with a status, a body and headers (`_` stands for `-`)."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


@dataclass
class Receiver:
    """A running receiver. `respond` may be replaced at any time."""

    url: str
    respond: Respond = field(default_factory=lambda: status(200, b"ok"))
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    @property
    def ids(self) -> list[str]:
        """The ids of the received events."""
        return [request.headers["webhook-id"] for request in self.received]

    @classmethod
    @contextmanager
    def running(cls, tls: SSLContext | None = None, host: str = "127.0.0.1") -> Iterator["Receiver"]:
        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def setup(self) -> None:
                receiver.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                try:
                    receiver.respond(self)
                except OSError:  # the sender has closed the connection
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a TLS handshake that the sender rejects

        server = Server((host, 0), Handler)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if tls else "http"
        receiver = cls(f"{scheme}://localhost:{server.server_port}/hook?a=b")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
