"""The gateway behind gunicorn: several processes, each of which does one request at a time.

`python -m localstack.server` serves until it is told to end, or its parent has gone.
"""

import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, UnsupportedTransferCoding
from gunicorn.workers.gthread import _DEFER, ThreadWorker

from localstack import lifeline
from localstack.gateway import Gateway
from localstack.gateway_error import gateway_error
from localstack.routes import Service
from localstack.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

# How long a process waits, in seconds, for a new connection's request before it looks at others.
FIRST_BYTES = 0.02
_PARSE_ERRORS = {LimitRequestLine: 414, LimitRequestHeaders: 431, UnsupportedTransferCoding: 501}


class Inline(Executor):
    """An executor that does the work in the caller's thread, at once."""

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class FunctionWorker(ThreadWorker):
    """gunicorn's event loop with the requests done in the loop itself, one after the other.

    A busy process accepts no connection, so an idle one takes it, as Lambda would; connections that
    are open and silent (keep-alive, a browser's spare ones) only wait in the loop; and a function
    runs in the main thread, where its time limit can interrupt it.
    """

    def get_thread_pool(self) -> Executor:
        return Inline()

    def handle(self, conn: Any) -> Any:
        if not conn.initialized and not conn.wait_for_data(FIRST_BYTES):
            return _DEFER
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Send the gateway's error for a request that can't be parsed."""
        status = _PARSE_ERRORS.get(type(exc), 400)
        self.log.warning("%s: %s", status, exc)
        response = gateway_error(status)
        headers = [*response.headers, ("Content-Length", str(len(response.body))), ("Connection", "close")]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        client.sendall(f"HTTP/1.1 {response.status_line}\r\n{head}\r\n".encode() + response.body)


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
            # The longest that gunicorn takes; API Gateway takes 10,240 bytes of line and headers.
            "limit_request_line": 8190,
            # A function ends at its own timeout; this is for one that blocks even that.
            "timeout": 90,
            "graceful_timeout": 1,
            "control_socket_disable": True,
            "accesslog": "-",
            "access_log_format": "%(m)s %({raw_uri}e)s %(s)s %(M)s ms",
            "loglevel": "warning",
            "when_ready": _listening,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Gateway:
        self._gateway.preload()
        return self._gateway


def _listening(arbiter: Any) -> None:
    """The kernel keeps a new connection until it has something to say, where it can: no process then
    takes one whose request comes only when it is busy with another."""
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        for listener in arbiter.LISTENERS:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    lifeline.tell_ready()


def retire() -> None:
    """Lets this process end after its present response; gunicorn then makes a new one."""
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    lifeline.hold()
    settings = Settings.from_environment(os.environ)
    Server(settings, Gateway(Service.load(settings.service_file, os.environ), after_timeout=retire)).run()


if __name__ == "__main__":
    main()
