"""The gateway without a server: events, responses, routes, CORS, limits."""

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deploy.serverless_file import Service
from localstack.gateway import Gateway
from localstack.http_event import Client as Caller
from localstack.http_parser import Request
from localstack.runtime import FunctionTimedOut, time_limit

SERVICE = """
provider:
  timeout: 7
  httpApi:
    cors:
      allowedOrigins: ["${env:FRONTEND_URL, 'http://localhost:3000'}"]
      allowedHeaders: [Content-Type, X-CSRF-TOKEN]
      allowedMethods: [GET, POST]
      exposedResponseHeaders: [Location]
      allowCredentials: true
      maxAge: 600
functions:
  me: { handler: offline.result, events: [{ httpApi: GET /users/me }] }
  one: { handler: offline.result, events: [{ httpApi: "GET /users/{id}" }] }
  all: { handler: offline.result, events: [{ httpApi: { method: "*", path: "/users/{id}" } }] }
  credits: { handler: offline.result, events: [{ httpApi: { method: post, path: "/users/{id}/credits" } }] }
  files: { handler: offline.result, events: [{ httpApi: "GET /files/{name+}" }] }
  echo: { handler: offline.result, events: [{ httpApi: POST /echo }, { httpApi: GET /echo }] }
  broken: { handler: nowhere/to/be.found, events: [{ httpApi: GET /broken }] }
  rest: { handler: offline.result, events: [{ httpApi: "*" }] }
  worker: { handler: worker/handler.handler, timeout: 900, memorySize: 2048 }
resources: { Outputs: { Arn: !GetAtt [Queue, Arn], Name: !Sub "${AWS::Region}-x" } }
"""


@dataclass
class Response:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Calls the gateway as its server does. `events` are the events that the functions received."""

    def __init__(self, service: Service, module: ModuleType) -> None:
        self.timeouts = 0
        self.gateway = Gateway(service, after_timeout=self._count)
        self.events: list[dict[str, Any]] = []
        self._module = module
        self.respond("ok")

    def respond(self, result: Any) -> None:
        self.handle_with(lambda event, context: result)

    def handle_with(self, handler: Callable[[dict[str, Any], Any], Any]) -> None:
        def result(event: dict[str, Any], context: Any) -> Any:
            self.events.append(event)
            return handler(event, context)

        self._module.result = result  # type: ignore[attr-defined]
        self.gateway._runtime._handlers.clear()

    def call(self, method: str, target: str, body: bytes | None = b"", **headers: str) -> Response:
        all_headers = {"host": "api.test", **{name.replace("_", "-"): text for name, text in headers.items()}}
        request = Request(method, target, "1.1", all_headers, body)
        response = self.gateway.respond(request, Caller("192.0.2.7", 8080), "the-request-id")
        return Response(response.status, response.headers, response.body)

    def event(self, method: str, path: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
        self.call(method, path, body, **headers)
        return self.events[-1]

    def _count(self) -> None:
        self.timeouts += 1


@pytest.fixture
def service(tmp_path: Path) -> Service:
    file = tmp_path / "serverless.yml"
    file.write_text(SERVICE)
    return Service.load(file, {"FRONTEND_URL": "https://app.test"})


@pytest.fixture
def client(service: Service, monkeypatch: pytest.MonkeyPatch) -> Client:
    module = ModuleType("offline")
    monkeypatch.setitem(sys.modules, "offline", module)
    return Client(service, module)


# ------------------------------------------------------------------------------------------ routes


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/users/me", "GET /users/me"),
        ("GET", "/users/7", "GET /users/{id}"),
        ("DELETE", "/users/me", "ANY /users/{id}"),
        ("POST", "/users/7/credits", "POST /users/{id}/credits"),
        ("GET", "/files/a/b/c", "GET /files/{name+}"),
        ("GET", "/users/7/credits", "$default"),
        ("GET", "/users/", "$default"),
        ("GET", "/users/7/", "$default"),
        ("PUT", "/echo", "$default"),
        ("GET", "/usersXme", "$default"),
        ("GET", "/", "$default"),
        ("GET", "/a\nb", "$default"),
    ],
)
def test_most_specific_route_matches(service: Service, method: str, path: str, key: str) -> None:
    match = service.match(method, path)
    assert match is not None
    assert match.route.key == key


def test_function_has_its_own_limits_or_those_of_the_provider(service: Service) -> None:
    assert (service.functions["me"].timeout, service.functions["worker"].timeout) == (7, 900)
    assert service.functions["worker"].memory == 2048


def test_path_parameters_are_decoded(client: Client) -> None:
    event = client.event("GET", "/users/jos%C3%A9%20%C3%BC")
    assert event["pathParameters"] == {"id": "josé ü"}
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/users/josé ü"


def test_request_without_a_route_returns_404(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "bare.yml"
    file.write_text("functions: {f: {handler: a.b, events: [{httpApi: GET /x}, {sqs: {arn: y}}, schedule]}}")
    client.gateway = Gateway(Service.load(file, {}))
    result = client.call("GET", "/y")
    assert (result.status, result.json) == (404, {"message": "Not Found"})


# ------------------------------------------------------------------------------------------- event


def test_event_has_payload_format_2(client: Client) -> None:
    event = client.event("GET", "/echo", user_agent="curl/8", x_custom="a,b")
    context = event["requestContext"]
    assert (event["version"], event["routeKey"], context["routeKey"]) == ("2.0", "GET /echo", "GET /echo")
    assert event["headers"] == {
        "host": "api.test",
        "user-agent": "curl/8",
        "x-custom": "a,b",
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-port": "8080",
        "x-forwarded-proto": "http",
    }
    assert context["http"] == {
        "method": "GET",
        "path": "/echo",
        "protocol": "HTTP/1.1",
        "sourceIp": "192.0.2.7",
        "userAgent": "curl/8",
    }
    assert (context["stage"], context["domainName"], context["domainPrefix"]) == (
        "$default",
        "api.test",
        "api",
    )
    assert context["timeEpoch"] > 1_600_000_000_000
    assert event["isBase64Encoded"] is False


def test_event_omits_keys_for_absent_parts_of_the_request(client: Client) -> None:
    event = client.event("GET", "/echo")
    assert not {"body", "cookies", "queryStringParameters", "pathParameters"} & event.keys()


def test_event_has_cookies_as_a_list_and_not_as_a_header(client: Client) -> None:
    event = client.event("GET", "/echo", cookie="a=1; b=x=y;  c=3")
    assert event["cookies"] == ["a=1", "b=x=y", "c=3"]
    assert "cookie" not in event["headers"]


def test_repeated_query_parameters_are_joined_and_the_raw_query_stays_encoded(client: Client) -> None:
    event = client.event("GET", "/echo?a=1&a=2&b=x%20y&empty=&c=%C3%A9")
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y", "empty": "", "c": "é"}
    assert event["rawQueryString"] == "a=1&a=2&b=x%20y&empty=&c=%C3%A9"


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "text/csv", "application/xml"]
)
def test_body_of_a_text_type_is_passed_as_text(client: Client, content_type: str) -> None:
    event = client.event("POST", "/echo", "{é}".encode(), content_type=content_type)
    assert (event["body"], event["isBase64Encoded"]) == ("{é}", False)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", b"{}"),
        ("application/octet-stream", b"{}"),
        ("application/x-www-form-urlencoded", b"a=1"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("application/problem+json", b"{}"),
        ("application/json", b'"\xff"'),
    ],
)
def test_body_of_another_type_is_passed_as_base64(client: Client, content_type: str, body: bytes) -> None:
    event = client.event("POST", "/echo", body, content_type=content_type)
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (body, True)


def test_client_address_is_appended_to_x_forwarded_for(client: Client) -> None:
    event = client.event("GET", "/echo", x_forwarded_for="198.51.100.1")
    assert event["headers"]["x-forwarded-for"] == "198.51.100.1, 192.0.2.7"


def test_context_has_the_remaining_time_and_the_functions_name(client: Client) -> None:
    contexts: list[Any] = []
    client.handle_with(lambda event, context: contexts.append(context))
    result = client.call("GET", "/echo")
    (context,) = contexts
    assert 6000 < context.get_remaining_time_in_millis() <= 7000
    assert (context.function_name, context.memory_limit_in_mb) == ("echo", 1024)
    assert context.aws_request_id == client.events[0]["requestContext"]["requestId"]
    assert result.header("apigw-requestid") == context.aws_request_id


# ---------------------------------------------------------------------------------------- response


@pytest.mark.parametrize(
    ("result", "body"),
    [("hello", b"hello"), ({"a": [1]}, b'{"a": [1]}'), ([1, 2], b"[1, 2]"), (None, b"null")],
)
def test_result_without_a_status_becomes_200_with_json(client: Client, result: Any, body: bytes) -> None:
    client.respond(result)
    response = client.call("GET", "/echo")
    assert (response.status, response.header("content-type"), response.body) == (
        200,
        "application/json",
        body,
    )


def test_status_headers_and_body_are_passed_to_the_client(client: Client) -> None:
    client.respond(
        {"statusCode": "201", "headers": {"Location": "/x", "X-Number": 5, "X-Flag": True}, "body": "é"}
    )
    response = client.call("POST", "/echo")
    assert (response.status, response.body) == (201, "é".encode())
    assert [response.header(name) for name in ("location", "x-number", "x-flag")] == ["/x", "5", "true"]
    assert response.header("content-type") == "text/plain;charset=UTF-8"
    assert response.header("content-length") == "2"


def test_each_cookie_has_its_own_header(client: Client) -> None:
    client.respond({"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"]})
    response = client.call("GET", "/echo")
    assert [value for name, value in response.headers if name == "Set-Cookie"] == ["a=1; Path=/", "b=2"]


def test_base64_body_is_sent_as_bytes(client: Client) -> None:
    client.respond({"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(b"\0\xff").decode()})
    assert client.call("GET", "/echo").body == b"\0\xff"


def test_204_response_has_no_content_length(client: Client) -> None:
    client.respond({"statusCode": 204, "body": ""})
    response = client.call("GET", "/echo")
    assert (response.status, response.body, response.header("content-length")) == (204, b"", None)


@pytest.mark.parametrize(
    "garbage",
    [
        {"statusCode": "two hundred"},
        {"statusCode": 99},
        {"statusCode": None},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: b=1"}},
        {"statusCode": 200, "body": "no base64!", "isBase64Encoded": True},
        {"statusCode": 200, "body": b"bytes"},
        object(),
    ],
)
def test_invalid_result_of_a_function_returns_500(
    client: Client, garbage: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    client.respond(garbage)
    response = client.call("GET", "/echo")
    assert (response.status, response.header("content-type")) == (500, "application/json")
    assert response.body == b'{"message":"Internal Server Error"}'
    assert capsys.readouterr().err


def test_exception_in_a_handler_returns_500_and_logs_the_traceback(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(event: Any, context: Any) -> None:
        raise RuntimeError("the secret")

    client.handle_with(fail)
    response = client.call("GET", "/echo")
    assert (response.status, response.json) == (500, {"message": "Internal Server Error"})
    assert response.header("apigw-requestid")
    assert "RuntimeError: the secret" in capsys.readouterr().err


def test_function_that_cannot_be_imported_does_not_affect_others(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    client.gateway.preload()
    assert client.call("GET", "/broken").status == 500
    assert client.call("GET", "/echo").status == 200
    assert "ModuleNotFoundError" in capsys.readouterr().err


def test_timeout_of_a_function_returns_500_and_calls_after_timeout(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    def hang(event: Any, context: Any) -> None:
        raise FunctionTimedOut("Task timed out after 7.00 seconds")

    client.handle_with(hang)
    response = client.call("GET", "/echo")
    assert (response.status, response.json) == (500, {"message": "Internal Server Error"})
    assert client.timeouts == 1
    assert "Task timed out" in capsys.readouterr().err


def test_time_limit_interrupts_code_that_catches_every_exception() -> None:
    def stubborn() -> None:
        while True:
            try:
                while True:
                    pass
            except Exception:
                continue

    with pytest.raises(FunctionTimedOut), time_limit(0.02):
        stubborn()


# -------------------------------------------------------------------------------------------- CORS


def test_gateway_responds_to_a_preflight_of_the_frontend_without_a_function(client: Client) -> None:
    response = client.call(
        "OPTIONS", "/users/7", origin="https://app.test", access_control_request_method="POST"
    )
    assert (response.status, response.body, client.events) == (204, b"", [])
    assert {name: value for name, value in response.headers if name.startswith("Access-Control")} == {
        "Access-Control-Allow-Origin": "https://app.test",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "GET,POST",
        "Access-Control-Allow-Headers": "Content-Type,X-CSRF-TOKEN",
        "Access-Control-Max-Age": "600",
    }


@pytest.mark.parametrize("origin", ["https://evil.test", "https://app.test.evil", "null", ""])
@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
def test_other_origin_gets_no_cors_headers(client: Client, method: str, origin: str) -> None:
    client.respond({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}})
    response = client.call(method, "/echo", origin=origin)
    assert not [name for name, _ in response.headers if name.lower().startswith("access-control")]


def test_cors_headers_of_the_api_replace_those_of_the_function(client: Client) -> None:
    client.respond({"statusCode": 200, "headers": {"access-control-allow-origin": "*", "X-Kept": "1"}})
    response = client.call("GET", "/echo", origin="https://app.test")
    assert [value for name, value in response.headers if name.lower() == "access-control-allow-origin"] == [
        "https://app.test"
    ]
    assert response.header("access-control-allow-credentials") == "true"
    assert response.header("access-control-expose-headers") == "Location"
    assert response.header("x-kept") == "1"


def test_error_of_the_gateway_has_cors_headers(client: Client) -> None:
    response = client.call("GET", "/broken", origin="https://app.test")
    assert (response.status, response.header("access-control-allow-origin")) == (500, "https://app.test")


# ------------------------------------------------------------------------------------------ limits


def test_body_over_the_limit_returns_413_and_invokes_no_function(client: Client) -> None:
    response = client.call("POST", "/echo", None)
    assert (response.status, response.body, client.events) == (
        413,
        b'{"message":"Request Entity Too Large"}',
        [],
    )


@pytest.mark.parametrize(
    ("size", "content_type", "status"),
    [
        (6_200_000, "text/csv", 200),
        (6_400_000, "text/csv", 413),
        (4_600_000, "application/octet-stream", 200),
        (4_800_000, "application/octet-stream", 413),
    ],
)
def test_event_larger_than_6_mib_returns_413(
    client: Client, size: int, content_type: str, status: int
) -> None:
    assert client.call("POST", "/echo", b"x" * size, content_type=content_type).status == status
    assert len(client.events) == (status == 200)


def test_size_of_an_event_includes_json_escapes(client: Client) -> None:
    assert client.call("POST", "/echo", b"\0" * 1_100_000, content_type="text/plain").status == 413


def test_headers_larger_than_10_kib_return_431(client: Client) -> None:
    response = client.call("GET", "/echo", x_long="x" * 10_300)
    assert (response.status, response.json) == (431, {"message": "Request Header Fields Too Large"})
