"""API Gateway (HTTP API) as a WSGI application that invokes the functions of serverless.yml.

All routes come from serverless.yml. A process handles one request at a time, like a Lambda environment.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from uuid import uuid4

from deploy.serverless_file import Match, Service
from localstack.gateway_error import gateway_error
from localstack.http_event import Environ, InvalidResponse, Response, decoded_path, http_event, http_response
from localstack.runtime import FunctionTimedOut, Runtime

BODY_LIMIT = 10_000_000
"""Bytes (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)."""
HEADERS_LIMIT = 10_240
"""Bytes of the request line and all headers (the same page)."""
EVENT_LIMIT = 6 * 1024 * 1024
"""Bytes of an event (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""


class StartResponse(Protocol):
    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object: ...


class TooLarge(Exception):
    """The request exceeds a limit of API Gateway or Lambda."""


class Gateway:
    """A WSGI application.

    It calls `after_timeout` after it has interrupted a function, because the state of the process is then
    unknown. Lambda does not reuse such a process either.
    """

    def __init__(self, service: Service, after_timeout: Callable[[], None] = lambda: None) -> None:
        self._service = service
        self._runtime = Runtime()
        self._after_timeout = after_timeout

    def preload(self) -> None:
        """Import every function with a route. Log a failed import; requests to the function then get 500."""
        for route in self._service.routes:
            try:
                self._runtime.handler(route.function)
            except Exception:
                _log_traceback()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = str(uuid4())
        response = self._respond(environ, request_id)
        headers = self._with_cors(response.headers, environ.get("HTTP_ORIGIN", ""))
        headers.append(("Apigw-Requestid", request_id))
        if response.status not in (204, 304):
            headers.append(("Content-Length", str(len(response.body))))
        start_response(response.status_line, headers)
        return [response.body]

    def _respond(self, environ: Environ, request_id: str) -> Response:
        cors, method = self._service.cors, environ["REQUEST_METHOD"]
        if cors and method == "OPTIONS":
            return Response(204, cors.preflight_headers(environ.get("HTTP_ORIGIN", "")), b"")
        match = self._service.match(method, decoded_path(environ))
        if match is None:
            return gateway_error(404)
        if _header_bytes(environ) > HEADERS_LIMIT:
            return gateway_error(431)
        try:
            event = http_event(environ, match, _read_body(environ), request_id)
            _check_event(event)
        except TooLarge:
            return gateway_error(413)
        return self._invoke(match, event, request_id)

    def _invoke(self, match: Match, event: dict[str, Any], request_id: str) -> Response:
        try:
            return http_response(self._runtime.invoke(match.route.function, event, request_id))
        except FunctionTimedOut:
            _log_traceback()
            self._after_timeout()
        except InvalidResponse as error:
            print(f"{match.route.function.handler}: {error}", file=sys.stderr)
        except Exception:
            _log_traceback()
        return gateway_error(500)

    def _with_cors(self, headers: list[tuple[str, str]], origin: str) -> list[tuple[str, str]]:
        """Replace the function's CORS headers by the gateway's, except in a preflight response."""
        cors = self._service.cors
        preflight = any(name == "Access-Control-Allow-Methods" for name, _ in headers)
        if cors is None or preflight:
            return headers
        kept = [pair for pair in headers if not pair[0].lower().startswith("access-control-")]
        return kept + cors.response_headers(origin)


def _read_body(environ: Environ) -> bytes:
    """Return the body, or raise TooLarge without reading more than the limit.

    The client's Content-Length may be wrong.
    """
    if int(environ.get("CONTENT_LENGTH") or 0) > BODY_LIMIT:
        raise TooLarge
    body: bytes = environ["wsgi.input"].read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise TooLarge
    return body


def _check_event(event: dict[str, Any]) -> None:
    # Skip the encoding of a short body. A JSON escape has at most six bytes, so the event is below the limit.
    if len(event.get("body", "")) * 6 < EVENT_LIMIT - 2 * HEADERS_LIMIT:
        return
    if len(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")) > EVENT_LIMIT:
        raise TooLarge


def _header_bytes(environ: Environ) -> int:
    line = len(environ.get("RAW_URI", "")) + len(environ["REQUEST_METHOD"])
    return line + sum(len(str(value)) for name, value in environ.items() if name.startswith("HTTP_"))


def _log_traceback() -> None:
    sys.stderr.write(traceback.format_exc())
