"""The load generator: latencies include the time that a call waits for a slow server."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pytest

from benchmarks.open_loop import Call, offer, wait_for_each

RESPONSE_SECONDS = 0.02
"""The time in seconds that a server takes for each call."""
OK, REFUSED = Call("GET", "/", "a token"), Call("GET", "/refused", "a token")


class SlowHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with self.server.counted() if isinstance(self.server, CountingServer) else nullcontext():
            time.sleep(RESPONSE_SECONDS)
        self.send_response(402 if self.path == "/refused" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class SequentialServer(HTTPServer):
    """Handle one call at a time: at most 50 per second."""

    request_queue_size = 1000


class CountingServer(ThreadingHTTPServer):
    """Handle all calls concurrently and count them."""

    request_queue_size = 1000

    lock = threading.Lock()
    at_once = max_at_once = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.lock:
            self.at_once += 1
            self.max_at_once = max(self.max_at_once, self.at_once)
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
    with served(SequentialServer(("127.0.0.1", 0), SlowHandler)) as url:
        yield url


@pytest.fixture
def counting_server() -> CountingServer:
    return CountingServer(("127.0.0.1", 0), SlowHandler)


def test_calls_are_sent_on_schedule_and_latency_includes_the_wait(url: str) -> None:
    results = offer(url, [OK], rate=200, seconds=0.5)
    assert len(results.latencies) == len(results.lateness) > 50
    # The last call waited for all earlier calls, except those that ended before it was due.
    assert max(results.latencies) >= (len(results.latencies) * RESPONSE_SECONDS - 0.5) * 1000
    assert results.rate <= 1 / RESPONSE_SECONDS


def test_open_loop_sends_while_earlier_calls_wait(counting_server: CountingServer) -> None:
    with served(counting_server) as url:
        offer(url, [OK], rate=400, seconds=0.5)  # eight concurrent calls on average
    assert counting_server.max_at_once > 2


def test_closed_loop_has_at_most_as_many_calls_as_callers(counting_server: CountingServer) -> None:
    with served(counting_server) as url:
        results = wait_for_each(url, [OK], at_once=2, seconds=0.5)
    assert len(results.latencies) > 2
    assert counting_server.max_at_once == 2


def test_failed_call_stops_the_load(url: str) -> None:
    with pytest.raises(ExceptionGroup, match="TaskGroup"):
        offer(url, [REFUSED], rate=100, seconds=0.3)
