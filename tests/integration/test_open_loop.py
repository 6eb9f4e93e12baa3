"""The load's generator: a server that falls behind shows in the latencies."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from benchmarks.open_loop import Call, offer, wait_for_each

BUSY = 0.02
"""Seconds that the server takes for each call, one after the other: 50 a second at the most."""
OK, REFUSED = Call("GET", "/", "a token"), Call("GET", "/refused", "a token")


class OneByOne(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(BUSY)
        self.send_response(402 if self.path == "/refused" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Patient(HTTPServer):
    request_queue_size = 1000


@pytest.fixture
def url() -> Iterator[str]:
    with Patient(("127.0.0.1", 0), OneByOne) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_calls_are_sent_when_they_are_due_and_their_wait_counts(url: str) -> None:
    answers = offer(url, [OK], rate=200, seconds=0.5)
    assert len(answers.latencies) == len(answers.lateness) > 50
    # Whoever came last waited for all before it, but for those answered while it was not yet due.
    assert max(answers.latencies) >= (len(answers.latencies) * BUSY - 0.5) * 1000
    assert answers.rate <= 1 / BUSY


def test_a_closed_loop_sends_no_more_than_is_answered(url: str) -> None:
    answers = wait_for_each(url, [OK], at_once=2, seconds=0.3)
    assert 0 < len(answers.latencies) <= answers.seconds / BUSY


def test_a_refused_call_ends_it(url: str) -> None:
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        offer(url, [REFUSED], rate=100, seconds=0.3)
