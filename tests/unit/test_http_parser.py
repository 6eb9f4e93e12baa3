"""Requests from bytes: framing, limits, and what is no valid HTTP."""

import pytest

from localstack.http_parser import BODY_LIMIT, HEAD_LIMIT, LINE_LIMIT, REQUEST_LIMIT, Request, RequestParser

GET = b"GET /echo?a=1 HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


def parse(data: bytes, part: int = 1 << 20) -> RequestParser:
    """Feed the bytes in parts of that size."""
    parser = RequestParser()
    for start in range(0, len(data), part):
        parser.feed(data[start : start + part])
    return parser


def only(parser: RequestParser) -> Request:
    assert parser.error == 0
    (request,) = parser.requests
    return request


@pytest.mark.parametrize("part", [1, 7, 1000])
def test_request_has_the_same_parts_however_it_arrives(part: int) -> None:
    chunks = CHUNKED + b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: 1\r\n\r\n"
    parser = parse(GET + POST + chunks, part)
    assert parser.error == 0
    assert [(r.method, r.target, r.version, r.body, r.is_last) for r in parser.requests] == [
        ("GET", "/echo?a=1", "1.1", b"", False),
        ("POST", "/echo", "1.1", b"hello", False),
        ("POST", "/echo", "1.1", b"hello world", False),
    ]
    assert "trailer" not in parser.requests[2].headers


def test_header_names_are_lower_case_and_repeated_values_are_joined() -> None:
    head = (
        b"GET / HTTP/1.1\r\nX-A: 1 \t\r\nx-a: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX_B: \xe9\r\nEmpty:\r\n\r\n"
    )
    assert only(parse(head)).headers == {
        "x-a": "1,2",
        "cookie": "a=1; b=2",
        "x_b": "é",
        "empty": "",
    }


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\ngarbage",
    ],
)
def test_bytes_after_the_last_request_are_ignored(head: bytes) -> None:
    parser = parse(head)
    parser.feed(GET)
    assert only(parser).is_last


def test_client_may_keep_a_connection_of_http_1_0() -> None:
    assert not only(parse(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")).is_last


def test_offer_of_another_protocol_is_ignored_with_the_body_intact() -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n"
    for part in (1, 1000):
        parser = parse(POST.replace(b"Content", offer + b"Content") + GET, part)
        assert [(request.method, request.body) for request in parser.requests] == [
            ("POST", b"hello"),
            ("GET", b""),
        ]
        assert parser.error == 0


@pytest.mark.parametrize("size", [BODY_LIMIT, BODY_LIMIT + 1])
def test_body_over_the_limit_is_dropped_and_ends_the_connection(size: int) -> None:
    declared = parse(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
    declared.feed(b"x" * size)
    chunk = b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n"
    for request in (only(declared), only(parse(CHUNKED + chunk, 1 << 18))):
        assert (request.body is None, request.is_last) == (size > BODY_LIMIT, size > BODY_LIMIT)


def test_declared_body_over_the_limit_is_rejected_before_it_arrives() -> None:
    assert only(parse(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1))).body is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA B: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: 1\r\n 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nA: 1\n\n", 400),
        (b"GET / HTTP/1.1\r\nA: \0\r\n\r\n", 400),
        (b"CONNECT a:80 HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (CHUNKED + b"5\r\nhello!!0\r\n\r\n", 400),
        (b"GET /" + b"a" * LINE_LIMIT + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"a" * LINE_LIMIT, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * (LINE_LIMIT + 1) + b"\r\n\r\n", 431),
    ],
)
def test_invalid_request_is_rejected_after_the_valid_ones(data: bytes, status: int) -> None:
    for part in (1000, 1 << 20):
        parser = parse(GET + data, part)
        assert (parser.error, len(parser.requests)) == (status, 1)
        parser.feed(GET)
        assert (parser.error, len(parser.requests)) == (status, 1)


def test_head_that_does_not_end_is_rejected() -> None:
    head = b"GET / HTTP/1.1\r\nA: "
    assert parse(head + b"a" * (HEAD_LIMIT - 1000), 1000).error == 0
    assert parse(head + b"a" * (HEAD_LIMIT + 1000), 1000).error == 431
    assert parse(b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * HEAD_LIMIT, 1000).error == 431


@pytest.mark.parametrize(
    ("begin", "part"), [(b"", b"1;" + b"x" * 1000 + b"\r\na\r\n"), (b"0\r\n", b"Trailer: x\r\n" * 100)]
)
def test_framing_that_does_not_end_is_rejected(begin: bytes, part: bytes) -> None:
    parser = parse(CHUNKED + begin)
    for _ in range(REQUEST_LIMIT // len(part) + 1):
        parser.feed(part)
    assert (parser.error, len(parser.requests)) == (413, 0)


def test_expectation_is_reported_once_and_only_before_the_body() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n"
    parser = parse(head)
    assert [parser.pop_expectation(), parser.pop_expectation()] == [True, False]
    assert not parse(head + b"h").pop_expectation()
    assert not parse(head + b"hello").pop_expectation()
    assert not parse(head.replace(b"1.1", b"1.0")).pop_expectation()
