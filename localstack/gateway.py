"""API Gateway (HTTP API): responds to requests by invoking the functions of serverless.yml.

All routes come from serverless.yml. A process handles one request at a time, like a Lambda environment.
"""

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

from deploy.cors import Cors
from deploy.serverless_file import Match, Service
from localstack.gateway_error import gateway_error
from localstack.http_event import (
    Client,
    InvalidResponse,
    Response,
    http_event,
    http_response,
    split_target,
)
from localstack.http_parser import Request
from localstack.runtime import FunctionTimedOut, Runtime

HEADERS_LIMIT = 10_240
"""Bytes of the request line and all headers' values
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)."""
EVENT_LIMIT = 6 * 1024 * 1024
"""Bytes of an event (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""


class Gateway:
    """The routes and functions of one process.

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

    def respond(self, request: Request, client: Client, request_id: str) -> Response:
        """Return the response to a request, with the gateway's own headers."""
        cors, origin = self._service.cors, request.headers.get("origin", "")
        if cors and request.method == "OPTIONS":
            response = Response(204, cors.preflight_headers(origin), b"")
            headers = response.headers
        else:
            response = self._respond(request, client, request_id)
            headers = _with_cors(response.headers, cors, origin)
        headers.append(("Apigw-Requestid", request_id))
        if response.status not in (204, 304):
            headers.append(("Content-Length", str(len(response.body))))
        return Response(response.status, headers, response.body)

    def _respond(self, request: Request, client: Client, request_id: str) -> Response:
        path, query = split_target(request.target)
        match = self._service.match(request.method, path)
        if match is None:
            return gateway_error(404)
        if _header_bytes(request) > HEADERS_LIMIT:
            return gateway_error(431)
        if request.body is None:
            return gateway_error(413)
        event = http_event(request, client, match, path, query, request_id)
        if _is_too_large(event):
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


def _with_cors(headers: list[tuple[str, str]], cors: Cors | None, origin: str) -> list[tuple[str, str]]:
    """Replace the function's CORS headers by the API's, if it has any."""
    if cors is None:
        return headers
    kept = [pair for pair in headers if not pair[0].lower().startswith("access-control-")]
    return kept + cors.response_headers(origin)


def _is_too_large(event: dict[str, Any]) -> bool:
    # Skip the encoding of a short body. A JSON escape has at most six bytes, so the event is below the limit.
    if len(event.get("body", "")) * 6 < EVENT_LIMIT - 2 * HEADERS_LIMIT:
        return False
    return len(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")) > EVENT_LIMIT


def _header_bytes(request: Request) -> int:
    return len(request.method) + len(request.target) + sum(map(len, request.headers.values()))


def _log_traceback() -> None:
    sys.stderr.write(traceback.format_exc())
