"""No secret leaves but to whom it belongs: every route, with every log as loud as a deployer can make it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pg8000.native
import pytest

from deploy.environment import ROOT
from localstack import log as journal
from localstack.stack import Stack
from localstack.stack_settings import Settings
from shared.database.url import PostgresUrl
from tests.support.declared_routes import OPERATIONS, Declared
from tests.support.eventually import eventually
from tests.support.http_client import API, Client, new_email

pytestmark = pytest.mark.local

LOUD = {
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
SIGNS_IN = ("POST /login", "POST /refresh")
BELONGS = {("csrf", "GET /refresh"), ("API key", f"POST {API}/api_keys"), *(("csrf", r) for r in SIGNS_IN)}
"""Which secret is in which route's body; cookies have theirs where one signs in."""
FILE = b'operation,arguments\naddition,"[1, 2]"\ncube,[1]\n'


@dataclass
class Witness:
    """Every answer as it went out, and the secrets that went in or came out, by their kind."""

    secrets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    answers: list[tuple[str, str]] = field(default_factory=list)

    def note(self, response: httpx.Response) -> None:
        response.read()
        route = _route(response.request)
        cookies = {
            pair.partition("=")[0]: pair.partition("=")[2].partition(";")[0] for pair in _cookies(response)
        }
        for kind, names in (("token", TOKENS), ("csrf", CSRF)):
            self.secrets[kind] |= {cookies[name] for name in names if cookies.get(name)}
        if ("API key", route) in BELONGS and response.is_success:
            self.secrets["API key"].add(response.json()["key"])
        signs_in = route in SIGNS_IN and response.is_success
        headers = [
            pair for pair in response.headers.multi_items() if not (signs_in and pair[0] == "set-cookie")
        ]
        self.answers.append((route, f"{headers}\n{response.text}"))

    def found(self, text: str) -> list[str]:
        """The kinds of secrets that are in a text."""
        return [kind for kind, values in self.secrets.items() if any(value in text for value in values)]


def _cookies(response: httpx.Response) -> list[str]:
    return response.headers.get_list("set-cookie")


def _route(request: httpx.Request) -> str:
    return f"{request.method} {request.url.path}"


class Caller(Client):
    """Whose every answer is witnessed, and who signs in anew when signed out."""

    def __init__(self, url: str, witness: Witness) -> None:
        super().__init__(url)
        self.event_hooks = {"response": [witness.note]}

    def call(self, method: str, path: str, **how: Any) -> httpx.Response:
        self.csrf = self.cookies.get(CSRF[0])
        return self.request(method, path, **how)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A service that logs all it can, line by line as its parts wrote them."""
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(journal, "readable", lambda line: line)
        settings = Settings(port=0, edge_port=0, data_dir=Path(folder), variables={**SETTINGS, **LOUD})
        with Stack(settings) as running:
            yield running


@pytest.fixture
def database(stack: Stack) -> Iterator[pg8000.native.Connection]:
    url = PostgresUrl.parse(stack.environment["AWS_PGSQL_PATH"])
    with pg8000.native.Connection("postgres", database=url.database, sock=url.open_socket(5)) as connection:
        yield connection


def test_no_secret_is_in_any_answer_or_log(stack: Stack, database: pg8000.native.Connection) -> None:
    witness = Witness()
    witness.secrets["setting"] = set(SETTINGS.values())
    witness.secrets["password"] = {PASSWORD, WRONG_PASSWORD}
    with (
        Caller(stack.url, witness) as nobody,
        Caller(stack.url, witness) as client,
        Caller(stack.url, witness) as admin,
    ):
        people = {nobody: None, client: new_email(), admin: new_email()}
        make_admin = {
            "email": people[admin],
            "password": PASSWORD,
            "admin_password": SETTINGS["ADMIN_PASSWORD"],
        }
        assert nobody.post("/admin", json=make_admin).status_code == 201
        statuses = drive_all(people)
        task_id = bill_a_file(client)
        statuses |= drive_broken(people, database)
    assert {200, 201, 401, 403, 404, 415, 422, 500} <= statuses
    hashes = database.run(
        "SELECT password_hash FROM users UNION ALL SELECT encode(key_hash, 'hex') FROM api_keys"
    )
    witness.secrets["hash"] = {value for (value,) in hashes} | {"$argon2"}
    assert len(witness.secrets) == len([kind for kind, values in witness.secrets.items() if values])

    told = {(kind, route) for route, text in witness.answers for kind in witness.found(text)}
    assert told == BELONGS
    log = the_log(stack, task_id)
    assert not [(kind, line[:200]) for line in log.splitlines() for kind in witness.found(line)]


def test_no_tracing_library_records_what_functions_pass_and_get() -> None:
    sources = [path for folder in ("functions", "shared", "worker") for path in (ROOT / folder).rglob("*.py")]
    assert sources
    tracing = re.compile(r"aws_xray_sdk|opentelemetry|\bTracer\b")
    assert not [path for path in sources if tracing.search(path.read_text("utf-8"))]


def drive_all(people: Mapping[Caller, str | None]) -> set[int]:
    """Every route for everybody, with good input and bad; the statuses seen."""
    return {
        caller.call(route.method, path, **how).status_code
        for caller, email in people.items()
        for route in OPERATIONS
        for path, how in inputs(route)
        if signed_in(caller, email)
    }


def drive_broken(people: Mapping[Caller, str | None], database: pg8000.native.Connection) -> set[int]:
    """Every route for everybody while the service fails within: its worst words are for the log."""
    for caller, email in people.items():
        signed_in(caller, email)
    tables = ("sessions", "rate_limits")
    for table in tables:
        database.run(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        return {
            caller.call(route.method, path, **how).status_code
            for caller in people
            for route in OPERATIONS
            for path, how in inputs(route)[:1]
        }
    finally:
        for table in tables:
            database.run(f"ALTER TABLE {table}_away RENAME TO {table}")


def signed_in(caller: Caller, email: str | None) -> bool:
    """True; who has an account and was signed out by the call before signs in again."""
    if email is not None and TOKENS[0] not in caller.cookies:
        assert caller.sign_in(email, PASSWORD).status_code == 200
    return True


def inputs(route: Declared) -> list[tuple[str, dict[str, Any]]]:
    """(path, what to send): what the document allows first, then what is wrong with it."""
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


def bill_a_file(client: Caller) -> str:
    """The id of a task that the worker has completed."""
    uploaded = client.call("POST", f"{API}/process_csv", files={"file": FILE})
    assert uploaded.status_code == 202, uploaded.text
    task_id = str(uploaded.json()["task_id"])
    eventually(lambda: client.get(f"{API}/tasks/{task_id}").json()["status"] == "completed")
    return task_id


def the_log(stack: Stack, task_id: str) -> str:
    """All that gateway, functions, worker, event source and Postgres wrote, metrics among it."""
    folder, postgres = stack.settings.data_dir / "logs", stack.settings.data_dir / "postgres" / "log"
    # POWERTOOLS_DEV spreads the log line over several lines.
    done = re.compile(f"task processed.{{1,2000}}{task_id}", re.DOTALL)

    def read() -> str:
        return "".join(path.read_text("utf-8") for path in folder.iterdir())

    log = eventually(lambda: text if done.search(text := read()) else None)
    assert "_aws" in log
    assert '"level":"ERROR"' in log
    of_postgres = postgres.read_text("utf-8")
    assert 'relation "sessions" does not exist' in of_postgres
    return log + of_postgres
