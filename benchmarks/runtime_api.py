"""Lambda's runtime API for one process and one event."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from time import perf_counter, time
from typing import Any

PATIENCE = 30.0
"""Seconds for a process to be ready, and to answer."""
INVOCATION = "/2018-06-01/runtime/invocation"


class RuntimeApi(HTTPServer):
    """Serves a function its event, once.

    Args:
        event: what the function is given; without one it is ended when it asks.
        patience: seconds for each of its requests.
    """

    def __init__(self, event: Any = None, patience: float = PATIENCE) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.event, self.timeout = event, patience
        self.path, self.answer = "", b""
        self._ended = 0.0

    def seconds(self, command: Sequence[str], environment: Mapping[str, str]) -> float:
        """From the start of a process until it asks for its event, or has answered it with status 200."""
        told = {**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server_port}"}
        started = perf_counter()
        self._process = subprocess.Popen(
            command, env=told, cwd=told["LAMBDA_TASK_ROOT"], stdout=subprocess.DEVNULL
        )
        try:
            self.handle_request()
            if self.event is not None:
                self.handle_request()
        finally:
            self._process.kill()
            self._process.wait()
        # What else a runtime sends is why its handler can't be imported, or failed.
        if self.event is None:
            assert self.path == f"{INVOCATION}/next", (command, self.path, self.answer)
        else:
            assert self.path == f"{INVOCATION}/1/response", (command, self.path, self.answer)
            assert json.loads(self.answer)["statusCode"] == 200, (command, self.answer)
        return self._ended - started

    def end(self) -> None:
        """While its request has no answer, so that it does not send another."""
        self._ended = perf_counter()
        self._process.terminate()
        self._process.wait(self.timeout)


class _Asked(BaseHTTPRequestHandler):
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
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time() + PATIENCE) * 1000)))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:benchmark"
        )
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.path = self.path
        self.server.answer = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.end()

    def log_message(self, *_: object) -> None:
        pass
