"""Random strings from random.org: a server of this test's own answers in its place."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shared import catalog, random_string
from shared.errors import ServiceUnavailable
from shared.settings import settings

KEY = "the key of random.org"
Answerer = Callable[[dict[str, Any]], bytes]


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
                self.wfile.write(organisation.answers[number - 1](request))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/json-rpc/4/invoke"

    def says_nothing(self, _: dict[str, Any]) -> bytes:
        self.ended.wait(30)
        return b""


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.0 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


def answer(data: object) -> bytes:
    return http(json.dumps({"jsonrpc": "2.0", "result": {"random": {"data": data}}, "id": 1}).encode())


def strings(request: dict[str, Any]) -> bytes:
    return answer([f"{i:032d}" for i in range(request["params"]["n"])])


@pytest.fixture
def random_org(environment: pytest.MonkeyPatch) -> Iterator[RandomOrg]:
    organisation = RandomOrg()
    environment.setenv("RANDOM_STRING_API_KEY", KEY)
    settings.cache_clear()
    environment.setattr(random_string, "ENDPOINT", organisation.url)
    environment.setattr(random_string, "TIMEOUT", 2.0)
    random_string._ready.clear()
    thread = threading.Thread(target=organisation.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield organisation
    organisation.ended.set()
    organisation.server.shutdown()
    thread.join(10)
    organisation.server.server_close()
    random_string._ready.clear()


def test_a_string_is_asked_for_as_random_orgs_api_wants(random_org: RandomOrg) -> None:
    assert catalog.compute(catalog.find("random_string"), []) == f"{0:032d}"
    (call,) = random_org.calls
    assert call["method"] == "generateStrings"
    assert call["params"]["apiKey"] == KEY
    assert (call["params"]["n"], call["params"]["length"]) == (1, 32)
    assert set(call["params"]["characters"]) == set(random_string.ALPHABET)


def test_a_batch_fetches_all_its_strings_in_calls_of_at_most_10000(random_org: RandomOrg) -> None:
    prepare = catalog.find("random_string").prepare
    assert prepare is not None
    prepare(25_000)
    assert [call["params"]["n"] for call in random_org.calls] == [10_000, 10_000, 5_000]
    for _ in range(25_000):
        random_string.next_string()
    assert len(random_org.calls) == 3


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


@pytest.mark.parametrize("kind", GARBAGE)
def test_one_garbage_answer_is_tried_again_and_two_are_a_503(random_org: RandomOrg, kind: str) -> None:
    garbage = GARBAGE[kind]
    random_org.answers = [lambda _: garbage, strings, lambda _: garbage]
    assert random_string.next_string() == f"{0:032d}"
    assert len(random_org.calls) == 2
    with pytest.raises(ServiceUnavailable) as caught:
        random_string.next_string()
    assert len(random_org.calls) == 4
    assert int(caught.value.headers["Retry-After"]) > 0
    assert KEY not in caught.value.detail


def test_a_silent_server_is_given_up_after_two_timeouts(
    random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_string, "TIMEOUT", 0.1)
    random_org.answers = [random_org.says_nothing]
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        random_string.next_string()
    assert time.monotonic() - started < 2
    assert len(random_org.calls) == 2


def test_two_timeouts_end_well_before_the_functions_do() -> None:
    assert (random_string.TIMEOUT, random_string.TRIES) == (5.0, 2)


@pytest.mark.usefixtures("environment")
def test_without_a_key_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_string, "ENDPOINT", "http://127.0.0.1:1/")
    random_string.prefetch(1000)
    made = {random_string.next_string() for _ in range(1001)}
    assert len(made) == 1001
    assert {len(text) for text in made} == {random_string.LENGTH}
