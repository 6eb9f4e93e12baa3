"""S3 and SQS refuse, do not respond, or are slow. Calls that need neither are not affected."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.support import expect
from tests.support.eventually import eventually
from tests.support.faults.harness import Harness
from tests.support.faults.routes import SUCCESS, begin_file, check_fault, task
from tests.support.http_client import API, Client

ROWS = 10_000
NO_UPLOAD = {**SUCCESS, "upload": 503}
Fault = Callable[[Harness], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(lambda harness: harness.cloud.refusing(), NO_UPLOAD, id="refusing"),
        pytest.param(lambda harness: harness.cloud.slow(0.1), SUCCESS, id="slow"),
        pytest.param(lambda harness: harness.cloud.silent(), NO_UPLOAD, id="silent", marks=pytest.mark.slow),
    ],
)
def test_affected_calls_return_503_and_nothing_is_lost_or_charged_twice(
    harness: Harness, client: Client, saver: Client, fault: Fault, expected: dict[str, int]
) -> None:
    check_fault(client, saver, fault(harness), ROWS, expected)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda harness: harness.cloud.refusing(), id="refusing"),
        pytest.param(lambda harness: harness.cloud.silent(), id="silent", marks=pytest.mark.slow),
    ],
)
def test_task_that_cannot_be_queued_keeps_its_status(harness: Harness, client: Client, fault: Fault) -> None:
    rows = 5  # one more than the credit covers
    task_id = begin_file(client, rows)
    eventually(lambda: task(client, task_id)["status"] == "out_of_credit")
    with fault(harness):
        expect.problem(client.post(f"{API}/tasks/{task_id}/resume"), 503)
        assert task(client, task_id)["status"] == "out_of_credit"
    assert client.balance == 0
