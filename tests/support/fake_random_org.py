"""A server that stands in random.org's place, and answers as a test wants."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "the key of random.org"
Answer = bytes | Iterator[bytes]
Answerer = Callable[[dict[str, Any]], Answer]


class RandomOrg:
    """Answers the n-th call with the n-th of `answers`, and all further ones with the last."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.answers: list[Answerer] = [strings]
        self.ended = threading.Event()
        organisation = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                organisation.calls.append(request)
                number = min(len(organisation.calls), len(organisation.answers))
                answer = organisation.answers[number - 1](request)
                with suppress(OSError):  # who asked may have gone
                    for part in [answer] if isinstance(answer, bytes) else answer:
                        self.wfile.write(part)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/json-rpc/4/invoke"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["RandomOrg"]:
        organisation = cls()
        thread = threading.Thread(target=organisation.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield organisation
        organisation.ended.set()
        organisation.server.shutdown()
        thread.join(10)
        organisation.server.server_close()

    def says_nothing(self, _: dict[str, Any]) -> bytes:
        self.ended.wait(30)
        return b""

    def drips(self, request: dict[str, Any]) -> Iterator[bytes]:
        """An answer as it should be, a byte at a time, each before anybody's patience with a socket ends."""
        whole = strings(request)
        for at in range(len(whole)):
            yield whole[at : at + 1]
            self.ended.wait(0.05)


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.0 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


def answer(data: object) -> bytes:
    return http(json.dumps({"jsonrpc": "2.0", "result": {"random": {"data": data}}, "id": 1}).encode())


def strings(request: dict[str, Any]) -> bytes:
    return answer([f"{i:032d}" for i in range(request["params"]["n"])])


GARBAGE = {
    "a server error": http(b"", "500 Internal Server Error"),
    "no JSON": http(b"<html>"),
    "no UTF-8": http(b"\xff\xfe"),
    "no object": http(b"[]"),
    "an error": http(b'{"error": {"code": 402, "message": "over quota"}}'),
    "half an answer": http(b'{"result": {"random": {"data":', length=500),
    "no HTTP": b"SPAM SPAM SPAM\r\n\r\n",
    "nothing": b"",
    "no list": answer("a string and no list"),
    "an empty list": answer([]),
    "a short string": answer(["too short"]),
    "no ASCII": answer(["é" * 32]),
    "a number": answer([32]),
    "one too many": answer(["x" * 32, "y" * 32]),
}
