"""The calls of clients during a fault, and checks of their responses and of the money afterwards."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal

import httpx

from tests.support import expect
from tests.support.eventually import eventually
from tests.support.http_client import API, Client

COST, CREDIT = 5, 20
KEY = "the one charge"
FILE = b'operation,arguments\naddition,"[1, 2]"\n'
BOUND = 15.0
"""The timeout of a function in seconds. A later response comes from the gateway."""

Call = Callable[[Client], httpx.Response]

CALLS: Mapping[str, Call] = {
    "charge": lambda client: client.compute(key=KEY),
    "list": lambda client: client.get(f"{API}/records"),
    "login": lambda client: sign_in_elsewhere(client),
    "upload": lambda client: client.post(f"{API}/process_csv", files={"file": FILE}),
    "presign": lambda client: client.post(f"{API}/tasks", json={"filename": "a.csv", "size": len(FILE)}),
}
SUCCESS = {"charge": 200, "list": 200, "login": 200, "upload": 202, "presign": 201}
"""The status codes without a fault."""
UNAVAILABLE = dict.fromkeys(CALLS, 503)


@dataclass(frozen=True)
class TimedResponse:
    response: httpx.Response
    seconds: float


def sign_in_elsewhere(client: Client) -> httpx.Response:
    """Sign in to the same account from another browser."""
    with Client(str(client.base_url)) as other:
        return other.sign_in(client.email)


def call_all(client: Client) -> dict[str, TimedResponse]:
    """Make every call at the same time. The gateway has a process for each."""

    def timed(call: Call) -> TimedResponse:
        began = time.monotonic()
        return TimedResponse(call(client), time.monotonic() - began)

    with ThreadPoolExecutor(len(CALLS)) as pool:
        return dict(zip(CALLS, pool.map(timed, CALLS.values()), strict=True))


def check(responses: Mapping[str, TimedResponse], expected: Mapping[str, int], bound: float = BOUND) -> None:
    """Check the status and time of each response, and that a 503 is a problem with Retry-After."""
    assert {name: timed.response.status_code for name, timed in responses.items()} == expected
    for name, timed in responses.items():
        assert timed.seconds < bound, name
        if timed.response.status_code == 503:
            assert expect.problem(timed.response, 503)["type"] == "/problems/service-unavailable"
            assert int(timed.response.headers["Retry-After"]) >= 1


def check_recovered(client: Client, responses: Mapping[str, TimedResponse]) -> None:
    """Check that the service recovers, and charged the call and each accepted file exactly once."""
    eventually(lambda: all(client.get("/health").status_code == 200 for _ in range(12)))
    replayed = client.compute(key=KEY)
    assert replayed.status_code == 200
    if responses["charge"].response.is_success:
        assert replayed.content == responses["charge"].response.content
    accepted = (
        [responses["upload"].response.json()["task_id"]] if responses["upload"].response.is_success else []
    )
    for task_id in accepted:
        eventually(lambda task_id=task_id: task(client, task_id)["status"] == "completed")
    assert client.balance == CREDIT - COST * (1 + len(accepted))
    charged = [entry["amount"] for entry in client.rows("ledger") if entry["kind"] != "opening"]
    assert charged == [Decimal(-COST)] * (1 + len(accepted))
    assert len(client.rows("records")) == len(charged)


def task(client: Client, task_id: str) -> dict[str, object]:
    """Return a task as its owner sees it."""
    found: dict[str, object] = client.get(f"{API}/tasks/{task_id}").raise_for_status().json()
    return found


def begin_file(client: Client, rows: int) -> str:
    """Create a task, upload a file with this many additions, and return the task's id."""
    content = b"operation,arguments\n" + b'addition,"[1, 2]"\n' * rows
    created = client.post(f"{API}/tasks", json={"filename": "a.csv", "size": len(content)}).raise_for_status()
    grant = created.json()
    with httpx.Client(trust_env=False, timeout=30, verify=False) as s3:
        s3.post(grant["url"], data=grant["fields"], files={"file": content}).raise_for_status()
    return str(grant["id"])


def check_file(client: Client, task_id: str, rows: int) -> None:
    """Check that a task completes and bills each row once."""
    ended = eventually(lambda: _ended(client, task_id))
    assert (ended["status"], ended["rows_done"], ended["rows_failed"]) == ("completed", rows, 0)
    assert ended["spent"] == rows * COST


def _ended(client: Client, task_id: str) -> dict[str, object] | None:
    found = task(client, task_id)
    return None if found["status"] in ("awaiting_upload", "queued", "processing") else found


def check_fault(
    client: Client,
    saver: Client,
    fault: AbstractContextManager[None],
    rows: int,
    expected: Mapping[str, int],
) -> None:
    """Start a fault while the worker processes the saver's file, make all calls, and check the outcome."""
    task_id = begin_file(saver, rows)
    with fault:
        responses = call_all(client)
        check(responses, expected)
    check_recovered(client, responses)
    check_file(saver, task_id, rows)
