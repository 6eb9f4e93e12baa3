"""A client's batch: upload a file, wait for its task, download its results."""

import csv
import io
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import httpx

from tests.support.eventually import eventually
from tests.support.http_client import API, Client, exact

HEADER = b"operation,arguments\n"
SUM = b'addition,"[1, 2]"\n'
ENDS = ("completed", "out_of_credit", "failed", "cancelled", "quoted")
TASK_TIMEOUT_SECONDS = 60
"""Enough for a worker's cold start on a busy machine."""

Task = dict[str, Any]


def upload(client: Client, content: bytes, name: str = "operations.csv") -> str:
    """Upload a small file. Return the path of its task."""
    response = client.post(f"{API}/process_csv", files={"file": (name, content, "text/csv")})
    assert response.status_code == 202, response.text
    return str(response.headers["Location"])


def task_at(client: Client, path: str) -> Task:
    return dict(exact(client.get(path)))


def ended(client: Client, path: str, *, statuses: Collection[str] = ENDS) -> Task:
    """Wait until the task has one of the statuses. Return it."""

    def ended_task() -> Task | None:
        task = task_at(client, path)
        return task if task["status"] in statuses else None

    task = eventually(ended_task, within=TASK_TIMEOUT_SECONDS)
    assert task is not None
    return task


def results(client: Client, path: str, s3: httpx.Client) -> list[dict[str, str]]:
    """Return the rows of the result CSV of a task that has ended."""
    eventually(lambda: task_at(client, path)["results"], within=TASK_TIMEOUT_SECONDS)
    redirect = client.get(f"{path}/results")
    assert redirect.status_code == 303, redirect.text
    assert redirect.content == b""
    download = s3.get(redirect.headers["Location"])
    assert download.status_code == 200, download.text
    assert download.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in download.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(download.content.decode("utf-8"), newline="")))


def top_up(admin: Client, client: Client, amount: int) -> None:
    body = {"amount": amount, "reason": "a top-up"}
    assert admin.post(f"{API}/users/{client.id}/credits", json=body).status_code == 200


def spent(client: Client) -> Decimal:
    """Return the sum of all batch charges in the ledger."""
    return -sum((e["amount"] for e in client.rows("ledger", kind="batch")), start=Decimal(0))
