"""The gateway behind gunicorn: several processes, each of which handles one request at a time.

`python -m localstack.server` serves until SIGTERM, or until its parent process ends.
"""

import os
import signal
import socket
from concurrent.futures import Future
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, UnsupportedTransferCoding
from gunicorn.workers.gthread import _DEFER, ThreadWorker

from deploy.serverless_file import Service
from localstack import lifeline
from localstack.client_connection import ClientSocket, Connection, in_background
from localstack.gateway import Gateway
from localstack.gateway_error import gateway_error
from localstack.stack_settings import Settings

_PARSE_ERRORS = {LimitRequestLine: 414, LimitRequestHeaders: 431, UnsupportedTransferCoding: 501}


class FunctionWorker(ThreadWorker):
    """gunicorn's event loop, which runs the functions itself, one at a time.

    A busy process accepts no connection, so an idle process accepts it, as on Lambda. A function runs in the
    main thread, because its time limit can interrupt it only there. Clients never block the loop: it buffers
    a request until it is complete (`localstack.client_connection`), and a thread sends the rest of a response
    to a slow client.
    """

    def accept(self, listener: Any) -> None:
        try:
            accepted, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another process accepted the connection, or the client closed it
        self.nr_conns += 1
        self.enqueue_req(Connection(self.cfg, ClientSocket(accepted), client, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:
        """Handle the connection's request, or return it to the loop until its request is complete."""
        outcome = self.handle(conn)
        try:
            sent = conn.sock.send_now()
        except OSError:
            sent, outcome = True, False
        if not sent:
            in_background(lambda: self._finish_later(conn, conn.sock.send_rest() and outcome))
        elif conn.pipelined:
            # finish_request would handle the next request here, recursively.
            self._finish_later(conn, outcome)
        else:
            self.finish_request(conn, _done(outcome))

    def _finish_later(self, conn: Connection, outcome: object) -> None:
        self.method_queue.defer(self.finish_request, conn, _done(outcome))

    def handle(self, conn: Connection) -> Any:
        """Handle a complete request and return whether the connection stays open; else return `_DEFER`."""
        conn.receive()
        if not conn.parser.has_request():
            if conn.parser.pop_expectation():
                conn.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            return _DEFER if conn.may_become_ready() else False
        outcome = super().handle(conn)
        conn.request_done()
        return outcome

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Send the gateway's error for a request that can't be parsed."""
        status = _PARSE_ERRORS.get(type(exc), 400)
        self.log.warning("%s: %s", status, exc)
        response = gateway_error(status)
        headers = [*response.headers, ("Content-Length", str(len(response.body))), ("Connection", "close")]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        client.sendall(f"HTTP/1.1 {response.status_line}\r\n{head}\r\n".encode() + response.body)


def _done(outcome: object) -> Future[object]:
    """Return the future that gunicorn's `finish_request` expects from its thread pool, which is not used."""
    future: Future[object] = Future()
    future.set_result(outcome)
    return future


class Server(BaseApplication):
    """gunicorn with the gateway: the functions are imported once, before the processes are forked."""

    def __init__(self, settings: Settings, gateway: Gateway) -> None:
        self._settings, self._gateway = settings, gateway
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": self._settings.gateway_workers,
            "worker_class": FunctionWorker,
            "preload_app": True,
            "keepalive": 60,
            # gunicorn's maximum. API Gateway accepts 10,240 bytes of request line and headers.
            "limit_request_line": 8190,
            # Seconds. A function ends at its own timeout; this limit is for a handler that blocks signals.
            "timeout": 90,
            "graceful_timeout": 1,
            "control_socket_disable": True,
            "accesslog": "-",
            "access_log_format": "%(m)s %({raw_uri}e)s %(s)s %(M)s ms [%({apigw-requestid}o)s]",
            "loglevel": "warning",
            "when_ready": _listening,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Gateway:
        self._gateway.preload()
        return self._gateway


def _listening(arbiter: Any) -> None:
    """Let the kernel hold new connections until their first bytes arrive, if it supports that.

    Otherwise a process may accept a connection whose request arrives while the process is busy with another.
    """
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        for listener in arbiter.LISTENERS:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    lifeline.signal_ready()


def retire() -> None:
    """Stop this process after its current response. gunicorn then starts a new one."""
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    lifeline.hold()
    settings = Settings.from_environment(os.environ)
    Server(settings, Gateway(Service.load(settings.service_file, os.environ), after_timeout=retire)).run()


if __name__ == "__main__":
    main()
