"""Serve Lambda's runtime API for one process and one event."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import perf_counter, time
from typing import Any

TIMEOUT_SECONDS = 30.0
"""Time limit for a process to be ready, and for its response."""
INVOCATION = "/2018-06-01/runtime/invocation"


class RuntimeApi(HTTPServer):
    """Serves a function its event, once.

    Args:
        event: the event for the function. Without an event the process is ended at its first request.
        timeout: seconds for each of the process's requests.
    """

    def __init__(self, event: Any = None, timeout: float = TIMEOUT_SECONDS) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.event, self.timeout = event, timeout
        self.path, self.body = "", b""
        self._ended = 0.0

    def seconds(self, command: Sequence[str], environment: Mapping[str, str]) -> float:
        """Start a process and return the seconds until it requests its event, or until its response (200)."""
        variables = {**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server_port}"}
        started = perf_counter()
        self._process = subprocess.Popen(
            command, env=variables, cwd=variables["LAMBDA_TASK_ROOT"], stdout=subprocess.DEVNULL
        )
        try:
            self.handle_request()
            if self.event is not None:
                self.handle_request()
        finally:
            self._process.kill()
            self._process.wait()
        # At another path the runtime reports why the handler can't be imported, or failed.
        if self.event is None:
            assert self.path == f"{INVOCATION}/next", (command, self.path, self.body)
        else:
            assert self.path == f"{INVOCATION}/1/response", (command, self.path, self.body)
            assert json.loads(self.body)["statusCode"] == 200, (command, self.body)
        return self._ended - started

    def end(self) -> None:
        """End the process before its request gets a response, so that it does not send another request."""
        self._ended = perf_counter()
        self._process.terminate()
        self._process.wait(self.timeout)


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi

    def do_GET(self) -> None:
        self.server.path = self.path
        if self.server.event is None:
            self.server.end()
            return
        body = json.dumps(self.server.event).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", "1")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time() + TIMEOUT_SECONDS) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:benchmark"
        )
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.path = self.path
        self.server.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.end()

    def log_message(self, *_: object) -> None:
        pass
