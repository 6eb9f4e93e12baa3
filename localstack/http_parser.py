"""Parse the bytes of a client's connection into HTTP requests, within the gateway's limits.

httptools, a binding of Node.js' parser, decides what is valid HTTP. It calls the methods `on_…`.
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

BODY_LIMIT = 10_000_000
"""Bytes (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)."""
LINE_LIMIT = 8190
"""Bytes of a request's target, and of a header's value."""
HEAD_LIMIT = 1 << 16
"""Bytes of the request line and all headers that are received. The gateway's own limit is lower."""
REQUEST_LIMIT = 2 * BODY_LIMIT
"""Bytes of a whole request that are received: a body of BODY_LIMIT with the framing of its chunks."""


@dataclass(slots=True)
class Request:
    """A whole HTTP request.

    Args:
        target: the path and the query, as the client sent them.
        headers: values by lower-case name. Repeated headers are joined by commas, cookies by semicolons.
        body: None if it is larger than BODY_LIMIT.
        is_last: whether the connection closes after the response.
    """

    method: str
    target: str
    version: str
    headers: dict[str, str]
    body: bytes | None
    is_last: bool = False


class _Stop(Exception):
    """Raised by a callback to end the parsing."""


class RequestParser:
    """The requests of one connection.

    `requests` are complete. `error` is 0, or the status of the response to bytes that are no valid request,
    which arrived after those requests.
    """

    def __init__(self) -> None:
        self.requests: deque[Request] = deque()
        self.error = 0
        self.is_idle = True
        """Whether no part of a further request has arrived."""
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        self._method = ""
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._size = 0
        self._has_head = self._expects_continue = False

    def feed(self, data: bytes) -> None:
        """Parse received bytes. Bytes after an error or after the last request are ignored."""
        if self._parser is None:
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            (end,) = upgrade.args
            self._ignore_upgrade(data[end:])
            return
        except HttpParserError:
            if not (self.error or (self.requests and self.requests[-1].is_last)):
                self.error = 400
        if not self.is_idle and not self.error:
            if not self._has_head and self._size > HEAD_LIMIT:
                self.error = 431
            elif self._size > REQUEST_LIMIT:
                self.error = 413
        if self.error:
            self.close()

    def pop_expectation(self) -> bool:
        """Return whether the client waits for `100 Continue` (RFC 9110, section 10.1.1), once per request."""
        expected, self._expects_continue = self._expects_continue, False
        return expected

    def close(self) -> None:
        """Ignore further bytes. This also breaks the reference cycle with httptools' parser."""
        self._parser = None

    def on_message_begin(self) -> None:
        self.is_idle = self._has_head = False
        self._target, self._fields, self._body, self._size = b"", [], bytearray(), 0

    def on_url(self, part: bytes) -> None:
        self._target += part
        if len(self._target) > LINE_LIMIT:
            self._reject(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # otherwise it is a trailer
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        self._has_head = True
        self._headers = headers = self._joined_fields()
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            self._reject(501)
        if int(headers.get("content-length", 0)) > BODY_LIMIT:
            self._complete(None, is_last=True)
            raise _Stop
        if "expect" in headers:
            self._expects_continue = headers["expect"].lower() == "100-continue" and self._version != "1.0"

    def on_body(self, part: bytes) -> None:
        self._expects_continue = False
        self._body += part
        if len(self._body) > BODY_LIMIT:
            self._complete(None, is_last=True)
            raise _Stop

    def on_message_complete(self) -> None:
        if not self._running.should_upgrade():
            self._complete(bytes(self._body), is_last=not self._running.should_keep_alive())

    @property
    def _running(self) -> HttpRequestParser:
        assert self._parser is not None  # noqa: S101  (for mypy: only a parser calls the callbacks)
        return self._parser

    @property
    def _version(self) -> str:
        return self._running.get_http_version()

    def _joined_fields(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for name, value in self._fields:
            if len(value) > LINE_LIMIT:
                self._reject(431)
            key, text = _lower_name(name), value.decode("latin-1").rstrip(" \t")
            if key in headers:
                text = f"{headers[key]}{'; ' if key == 'cookie' else ','}{text}"
            headers[key] = text
        return headers

    def _complete(self, body: bytes | None, *, is_last: bool) -> None:
        method, target = self._running.get_method().decode("ascii"), self._target.decode("latin-1")
        self.requests.append(Request(method, target, self._version, self._headers, body, is_last))
        self.is_idle, self._expects_continue = True, False
        if is_last:
            self.close()

    def _reject(self, status: int) -> None:
        self.error = status
        raise _Stop

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse the request again without its Upgrade header, which API Gateway ignores.

        For example, Java's HTTP client offers HTTP/2 in its first request. httptools would skip the body.
        """
        method = self._running.get_method()
        if method == b"CONNECT":
            self.error = 400
            self.close()
            return
        lines = [b"%s %s HTTP/%s" % (method, self._target, self._version.encode("ascii"))]
        lines += [
            f"{name}: {value}".encode("latin-1")
            for name, value in self._headers.items()
            if name not in ("connection", "upgrade")
        ]
        self._parser = HttpRequestParser(self)
        self.feed(b"\r\n".join([*lines, b"", rest]))


@lru_cache(maxsize=1000)
def _lower_name(name: bytes) -> str:
    return name.decode("latin-1").lower()
