"""No secret leaves the service in a response or log, on any route, with all logs at debug level."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pg8000.native
import pytest

from deploy.environment import ROOT
from localstack import log as log_module
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared.database.url import PostgresUrl
from tests.support.data_folder import data_folder
from tests.support.declared_routes import OPERATIONS, Declared
from tests.support.eventually import eventually
from tests.support.http_client import API, Client, new_email

pytestmark = pytest.mark.local

DEBUG_SETTINGS = {
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
    "POWERTOOLS_DEBUG": "1",
    "POWERTOOLS_DEV": "1",
    "POWERTOOLS_LOGGER_LOG_EVENT": "1",
}
SETTINGS = {
    "JWT_SECRET_KEY": "planted-signing-key-0123456789abcdef",
    "JWT_SECRET_KEY_OLD": "planted-signing-key-before-0123456789",
    "ADMIN_PASSWORD": "planted-admin-password-1!",
    "CLIENT_PASSWORD": "planted-client-password-1!",
    "RANDOM_STRING_API_KEY": "planted-random-org-key",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-secret-key",
}
PASSWORD, WRONG_PASSWORD = "planted-password-1!", "planted-wrong-password-1!"
TOKENS = ("access_token_cookie", "refresh_token_cookie")
CSRF = ("csrf_access_token", "csrf_refresh_token")
SIGN_IN_ROUTES = ("POST /login", "POST /refresh")
EXPECTED_SECRETS = {
    ("csrf", "GET /refresh"),
    ("API key", f"POST {API}/api_keys"),
    *(("csrf", r) for r in SIGN_IN_ROUTES),
}
"""The secrets in the bodies of routes. Sign-ins also send cookies, which the test ignores."""
FILE = b'operation,arguments\naddition,"[1, 2]"\ncube,[1]\n'


@dataclass
class Recorder:
    """Records every response, and all secrets that were sent or received, by kind."""

    secrets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    responses: list[tuple[str, str]] = field(default_factory=list)

    def record(self, response: httpx.Response) -> None:
        response.read()
        route = _route(response.request)
        cookies = {
            pair.partition("=")[0]: pair.partition("=")[2].partition(";")[0] for pair in _cookies(response)
        }
        for kind, names in (("token", TOKENS), ("csrf", CSRF)):
            self.secrets[kind] |= {cookies[name] for name in names if cookies.get(name)}
        if ("API key", route) in EXPECTED_SECRETS and response.is_success:
            self.secrets["API key"].add(response.json()["key"])
        signs_in = route in SIGN_IN_ROUTES and response.is_success
        headers = [
            pair for pair in response.headers.multi_items() if not (signs_in and pair[0] == "set-cookie")
        ]
        self.responses.append((route, f"{headers}\n{response.text}"))

    def found(self, text: str) -> list[str]:
        """Return the kinds of the secrets in a text."""
        return [kind for kind, values in self.secrets.items() if any(value in text for value in values)]


def _cookies(response: httpx.Response) -> list[str]:
    return response.headers.get_list("set-cookie")


def _route(request: httpx.Request) -> str:
    return f"{request.method} {request.url.path}"


class Caller(Client):
    """A client that records its responses."""

    def __init__(self, url: str, recorder: Recorder) -> None:
        super().__init__(url)
        self.event_hooks = {"response": [recorder.record]}

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        self.csrf = self.cookies.get(CSRF[0])
        return self.request(method, path, **options)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A service with all logs at debug level, whose lines are kept unformatted."""
    with (
        data_folder() as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(log_module, "readable", lambda line: line)
        settings = Settings(port=0, edge_port=0, data_dir=folder, variables={**SETTINGS, **DEBUG_SETTINGS})
        with Stack(settings) as running:
            yield running


@pytest.fixture
def database(stack: Stack) -> Iterator[pg8000.native.Connection]:
    url = PostgresUrl.parse(stack.environment["AWS_PGSQL_PATH"])
    with pg8000.native.Connection(
        "postgres", database=url.database, sock=url.open_socket(5), ssl_context=False
    ) as connection:
        yield connection


def test_no_response_or_log_contains_a_secret(stack: Stack, database: pg8000.native.Connection) -> None:
    recorder = Recorder()
    recorder.secrets["setting"] = set(SETTINGS.values())
    recorder.secrets["password"] = {PASSWORD, WRONG_PASSWORD}
    with (
        Caller(stack.url, recorder) as anonymous,
        Caller(stack.url, recorder) as client,
        Caller(stack.url, recorder) as admin,
    ):
        emails = {anonymous: None, client: new_email(), admin: new_email()}
        make_admin = {
            "email": emails[admin],
            "password": PASSWORD,
            "admin_password": SETTINGS["ADMIN_PASSWORD"],
        }
        assert anonymous.post("/admin", json=make_admin).status_code == 201
        statuses = call_all_routes(emails)
        task_id = process_file(client)
        statuses |= call_all_routes_with_failures(emails, database)
    assert {200, 201, 401, 403, 404, 415, 422, 500} <= statuses
    hashes = database.run(
        "SELECT password_hash FROM users UNION ALL SELECT encode(key_hash, 'hex') FROM api_keys"
    )
    recorder.secrets["hash"] = {value for (value,) in hashes} | {"$argon2"}
    assert len(recorder.secrets) == len([kind for kind, values in recorder.secrets.items() if values])

    exposed = {(kind, route) for route, text in recorder.responses for kind in recorder.found(text)}
    assert exposed == EXPECTED_SECRETS
    log = read_logs(stack, task_id)
    assert not [(kind, line[:200]) for line in log.splitlines() for kind in recorder.found(line)]


def test_no_tracing_library_records_arguments_and_results() -> None:
    sources = [path for folder in ("functions", "shared", "worker") for path in (ROOT / folder).rglob("*.py")]
    assert sources
    tracing = re.compile(r"aws_xray_sdk|opentelemetry|\bTracer\b")
    assert not [path for path in sources if tracing.search(path.read_text("utf-8"))]


def call_all_routes(emails: Mapping[Caller, str | None]) -> set[int]:
    """Call every route as every caller with valid and invalid input. Return the status codes."""
    return {
        caller.call(route.method, path, **options).status_code
        for caller, email in emails.items()
        for route in OPERATIONS
        for path, options in inputs(route)
        if ensure_signed_in(caller, email)
    }


def call_all_routes_with_failures(
    emails: Mapping[Caller, str | None], database: pg8000.native.Connection
) -> set[int]:
    """Call every route as every caller while statements fail, so that internal errors are logged."""
    for caller, email in emails.items():
        ensure_signed_in(caller, email)
    tables = ("sessions", "rate_limits")
    for table in tables:
        database.run(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        return {
            caller.call(route.method, path, **options).status_code
            for caller in emails
            for route in OPERATIONS
            for path, options in inputs(route)[:1]
        }
    finally:
        for table in tables:
            database.run(f"ALTER TABLE {table}_away RENAME TO {table}")


def ensure_signed_in(caller: Caller, email: str | None) -> bool:
    """Sign in again if the call before ended the session. Return True."""
    if email is not None and TOKENS[0] not in caller.cookies:
        assert caller.sign_in(email, PASSWORD).status_code == 200
    return True


def inputs(route: Declared) -> list[tuple[str, dict[str, Any]]]:
    """Return (path, request options): a valid request first, then invalid ones."""
    path, bearer = route.concrete(), {"Authorization": f"Bearer {WRONG_PASSWORD}"}
    bad: list[tuple[str, dict[str, Any]]] = [(path, {"headers": bearer}), (route.concrete("no-uuid"), {})]
    if route.schema is None:
        return [(path, {}), *bad]
    good = {name: PASSWORD if "password" in name else value for name, value in route.body().items()}
    text = json.dumps(good)
    return [
        (path, {"json": good}),
        *bad,
        (path, {"json": {**good, "extra": PASSWORD}}),
        (path, {"json": {name: [PASSWORD] for name in good}}),
        (path, {"json": {name: WRONG_PASSWORD if "password" in name else None for name in good}}),
        (path, {"content": text[:-1] + WRONG_PASSWORD, "headers": {"Content-Type": "application/json"}}),
        (path, {"content": text, "headers": {"Content-Type": "text/plain"}}),
    ]


def process_file(client: Caller) -> str:
    """Upload a file and wait until the worker has completed its task. Return the task's id."""
    uploaded = client.call("POST", f"{API}/process_csv", files={"file": FILE})
    assert uploaded.status_code == 202, uploaded.text
    task_id = str(uploaded.json()["task_id"])
    eventually(lambda: client.get(f"{API}/tasks/{task_id}").json()["status"] == "completed")
    return task_id


def read_logs(stack: Stack, task_id: str) -> str:
    """Return all logs of gateway, functions, worker, event source and Postgres, including metrics."""
    folder, postgres = stack.settings.data_dir / "logs", stack.settings.data_dir / "postgres" / "log"
    # POWERTOOLS_DEV splits a log entry into several lines.
    done = re.compile(f"task processed.{{1,2000}}{task_id}", re.DOTALL)

    def read() -> str:
        return "".join(path.read_text("utf-8") for path in folder.iterdir())

    log = eventually(lambda: text if done.search(text := read()) else None)
    assert "_aws" in log
    assert '"level":"ERROR"' in log
    postgres_log = postgres.read_text("utf-8")
    assert 'relation "sessions" does not exist' in postgres_log
    return log + postgres_log
