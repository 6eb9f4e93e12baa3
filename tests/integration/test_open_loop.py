"""The load's generator: a server that falls behind shows in the latencies."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pytest

from benchmarks.open_loop import Call, offer, wait_for_each

BUSY = 0.02
"""Seconds that a server takes for each call."""
OK, REFUSED = Call("GET", "/", "a token"), Call("GET", "/refused", "a token")


class Busy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with self.server.counted() if isinstance(self.server, Counting) else nullcontext():
            time.sleep(BUSY)
        self.send_response(402 if self.path == "/refused" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class OneByOne(HTTPServer):
    """50 a second at the most."""

    request_queue_size = 1000


class Counting(ThreadingHTTPServer):
    """As many at once as there are calls, which it counts."""

    request_queue_size = 1000

    lock = threading.Lock()
    at_once = most_at_once = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        yield
        with self.lock:
            self.at_once -= 1


@contextmanager
def served(server: HTTPServer) -> Iterator[str]:
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def url() -> Iterator[str]:
    with served(OneByOne(("127.0.0.1", 0), Busy)) as url:
        yield url


@pytest.fixture
def counting() -> Counting:
    return Counting(("127.0.0.1", 0), Busy)


def test_calls_are_sent_when_they_are_due_and_their_wait_counts(url: str) -> None:
    answers = offer(url, [OK], rate=200, seconds=0.5)
    assert len(answers.latencies) == len(answers.lateness) > 50
    # The last call waited for all earlier calls, except those answered before it was due.
    assert max(answers.latencies) >= (len(answers.latencies) * BUSY - 0.5) * 1000
    assert answers.rate <= 1 / BUSY


def test_an_open_loop_sends_while_others_wait_for_their_answers(counting: Counting) -> None:
    with served(counting) as url:
        offer(url, [OK], rate=400, seconds=0.5)  # eight at once on average
    assert counting.most_at_once > 2


def test_a_closed_loop_has_no_more_calls_at_once_than_callers(counting: Counting) -> None:
    with served(counting) as url:
        answers = wait_for_each(url, [OK], at_once=2, seconds=0.5)
    assert len(answers.latencies) > 2
    assert counting.most_at_once == 2


def test_a_refused_call_ends_it(url: str) -> None:
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        offer(url, [REFUSED], rate=100, seconds=0.3)
