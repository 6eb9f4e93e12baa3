"""The gateway's processes, each of which handles one request at a time.

`python -m localstack.server` serves until SIGTERM, or until its parent process ends. gunicorn starts and
replaces the processes; `FunctionWorker` is their event loop.
"""

import os
import random
import signal
import socket
import sys
import time
from collections.abc import Set
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from deploy.serverless_file import Service
from localstack import lifeline
from localstack.client_connection import ClientConnection
from localstack.gateway import Gateway
from localstack.http_event import Client
from localstack.stack_settings import Settings

CONNECTION_LIMIT = 1000
"""Open connections of a process, after which it accepts no more."""
CHECK_SECONDS = 1.0
"""Interval of the checks for expired connections and an ended parent."""


class FunctionWorker(Worker):
    """An event loop that runs the functions itself, one at a time.

    A busy process accepts no connection, so an idle process accepts it, as on Lambda. A function runs in the
    main thread, because its time limit can interrupt it only there.
    """

    def run(self) -> None:
        """Serve until gunicorn's signal handler clears `alive`."""
        self.begin()
        while self.alive:
            self.turn()

    def begin(self) -> None:
        """Watch the listener and the pipe of gunicorn's signal handlers."""
        self._selector = DefaultSelector()
        self._selector.register(self.PIPE[0], EVENT_READ)  # wakes the loop after a signal
        (self._listener,) = self.sockets
        self._listener.setblocking(False)
        self._port: int = self._listener.getsockname()[1]
        self._accepting = False
        self._watched: dict[ClientConnection, int] = {}
        self._pipelined: list[ClientConnection] = []
        self._next_check = 0.0
        self._choose_accepting()

    def turn(self) -> None:
        """Wait for events, and handle at most one request of each connection."""
        events = self._selector.select(0 if self._pipelined else CHECK_SECONDS)
        # A dictionary, because a connection may have an event and a pipelined request.
        ready = dict.fromkeys(key.data for key, _ in events if key.data is not None)
        ready.update(dict.fromkeys(self._pipelined))
        self._pipelined.clear()
        if time.monotonic() >= self._next_check:
            self._check(ready.keys())
        for connection in ready:
            self._proceed(connection)
        for key, _ in events:
            if key.fileobj is self._listener:
                self._accept()
            elif key.data is None:
                os.read(self.PIPE[0], 4096)

    def _accept(self) -> None:
        try:
            accepted, address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another process accepted the connection, or the client closed it
        self._proceed(ClientConnection(accepted, Client(address[0], self._port)))

    def _proceed(self, connection: ClientConnection) -> None:
        """Respond to the connection's next request if it is complete, and watch for further events."""
        connection.proceed()
        if connection.has_request and self.alive:
            self._respond(connection)
            if connection.has_request:
                self._pipelined.append(connection)
        self._watch(connection)

    def _respond(self, connection: ClientConnection) -> None:
        request, request_id, began = connection.next_request(), _new_id(), time.monotonic()
        response = self.wsgi.respond(request, connection.client, request_id)
        request.is_last = request.is_last or not self.alive
        connection.respond(request, response)
        elapsed = (time.monotonic() - began) * 1000
        # Not `print`, which writes a line in two parts if PYTHONUNBUFFERED is set.
        sys.stdout.write(
            f"{request.method} {request.target} {response.status} {elapsed:.0f} ms [{request_id}]\n"
        )

    def _watch(self, connection: ClientConnection) -> None:
        before, descriptor = self._watched.get(connection, 0), connection.descriptor
        events = 0
        if connection.is_open:
            events = EVENT_WRITE if connection.is_sending else EVENT_READ
        if events == before:
            return
        if before:
            self._selector.unregister(descriptor)
            del self._watched[connection]
        if events:
            self._selector.register(descriptor, events, connection)
            self._watched[connection] = events
        self._choose_accepting()

    def _choose_accepting(self) -> None:
        accepting = len(self._watched) < CONNECTION_LIMIT
        if accepting == self._accepting:
            return
        self._accepting = accepting
        if accepting:
            self._selector.register(self._listener, EVENT_READ)
        else:
            self._selector.unregister(self._listener)

    def _check(self, ready: Set[ClientConnection]) -> None:
        """Close expired connections, except those with events: their bytes may have arrived in time."""
        now = time.monotonic()
        for connection in self._watched.keys() - ready:
            if connection.deadline < now:
                connection.close()
                self._watch(connection)
        self.notify()
        if os.getppid() != self.ppid:
            self.alive = False
        self._next_check = now + CHECK_SECONDS


def _new_id() -> str:
    """Return the id of a request. It is no secret, so it needs no system call for random bits."""
    return f"{random.getrandbits(128):032x}"


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
            # Seconds. A function ends at its own timeout; this limit is for a handler that blocks signals.
            "timeout": 90,
            "graceful_timeout": 1,
            "control_socket_disable": True,
            "loglevel": "warning",
            "when_ready": _listening,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Gateway:
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
    service = Service.load(settings.service_file, os.environ)
    gateway = Gateway(service, after_timeout=retire)
    gateway.preload()
    Server(settings, gateway).run()


if __name__ == "__main__":
    main()
