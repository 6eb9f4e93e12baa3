"""A fake random.org whose responses a test configures."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "the key of random.org"
HANGING_SECONDS = 30
"""Time after which an unresponsive server closes the connection."""
ResponseBytes = bytes | Iterator[bytes]
Responder = Callable[[dict[str, Any]], ResponseBytes]


class RandomOrg:
    """Respond to the n-th call with the n-th of `responses`, and to all later calls with the last one."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.responses: list[Responder] = [strings]
        self.ended = threading.Event()
        random_org = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                random_org.calls.append(request)
                number = min(len(random_org.calls), len(random_org.responses))
                response = random_org.responses[number - 1](request)
                with suppress(OSError):  # the client may have closed the connection
                    for part in [response] if isinstance(response, bytes) else response:
                        self.wfile.write(part)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/json-rpc/4/invoke"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["RandomOrg"]:
        random_org = cls()
        thread = threading.Thread(target=random_org.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield random_org
        random_org.ended.set()
        random_org.server.shutdown()
        thread.join(10)
        random_org.server.server_close()

    def never_responds(self, _: dict[str, Any]) -> bytes:
        self.ended.wait(HANGING_SECONDS)
        return b""

    def responds_byte_by_byte(self, request: dict[str, Any]) -> Iterator[bytes]:
        """Send a valid response one byte at a time, each before a socket timeout could expire."""
        whole = strings(request)
        for at in range(len(whole)):
            yield whole[at : at + 1]
            self.ended.wait(0.05)


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.0 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


def response(data: object) -> bytes:
    return http(json.dumps({"jsonrpc": "2.0", "result": {"random": {"data": data}}, "id": 1}).encode())


def strings(request: dict[str, Any]) -> bytes:
    return response([f"{i:032d}" for i in range(request["params"]["n"])])


GARBAGE = {
    "a server error": http(b"", "500 Internal Server Error"),
    "no JSON": http(b"<html>"),
    "no UTF-8": http(b"\xff\xfe"),
    "no object": http(b"[]"),
    "an error": http(b'{"error": {"code": 402, "message": "over quota"}}'),
    "half a response": http(b'{"result": {"random": {"data":', length=500),
    "no HTTP": b"SPAM SPAM SPAM\r\n\r\n",
    "nothing": b"",
    "no list": response("a string and no list"),
    "an empty list": response([]),
    "a short string": response(["too short"]),
    "no ASCII": response(["é" * 32]),
    "a number": response([32]),
    "one too many": response(["x" * 32, "y" * 32]),
}
