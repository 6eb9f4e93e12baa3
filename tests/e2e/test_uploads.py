"""Uploads: in one call, or by a presigned POST to S3."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support import expect
from tests.support.http_client import API, Client, exact
from tests.support.uploads import HEADER, SUM, ended, results, task_at

TASKS, PROCESS_CSV = f"{API}/tasks", f"{API}/process_csv"
MB = 1024 * 1024
CONTENT = HEADER + SUM * 3


def create_task(client: Client, size: int = len(CONTENT)) -> dict[str, Any]:
    """Create a task that awaits its upload."""
    response = client.post(TASKS, json={"filename": "big.csv", "size": size})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    assert response.headers["Location"] == f"{TASKS}/{created['task_id']}"
    return created


def post_to_s3(
    s3: httpx.Client, created_task: dict[str, Any], content: bytes = CONTENT, **changes: str
) -> httpx.Response:
    return s3.post(created_task["url"], data={**created_task["fields"], **changes}, files={"file": content})


def test_presigned_upload_is_processed(client: Client, s3: httpx.Client) -> None:
    created_task = create_task(client)
    path = f"{TASKS}/{created_task['task_id']}"
    assert (created_task["status"], created_task["bytes_total"], created_task["filename"]) == (
        "awaiting_upload",
        len(CONTENT),
        "big.csv",
    )
    assert created_task["fields"]["key"] == f"uploads/{client.id}/{created_task['task_id']}.csv"
    assert task_at(client, path)["status"] == "awaiting_upload"
    uploaded = post_to_s3(s3, created_task)
    assert uploaded.is_success, uploaded.text
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("completed", 3, 15)
    assert [row["result"] for row in results(client, path, s3)] == ["3", "3", "3"]
    assert client.balance == 5


def test_dry_run_prices_a_file_and_a_start_charges_it_once(client: Client, s3: httpx.Client) -> None:
    content = CONTENT + b"cube,[3]\n"
    body = {"filename": "big.csv", "size": len(content), "dry_run": True}
    created_task = client.post(TASKS, json=body).json()
    path = f"{TASKS}/{created_task['task_id']}"
    expect.problem(client.post(f"{path}/start"), 409)
    assert post_to_s3(s3, created_task, content).is_success
    task = ended(client, path)
    assert (task["status"], task["dry_run"], task["cost"], task["spent"]) == ("quoted", True, 15, 0)
    assert (task["rows_done"], task["rows_failed"], task["percentage"]) == (4, 1, 100)
    assert [(row["row"], row["operation"]) for row in results(client, path, s3)] == [("4", "cube")]
    assert client.balance == 20
    assert client.rows("records") == []
    for refused in ("cancel", "resume"):
        expect.problem(client.post(f"{path}/{refused}"), 409)

    key = {"Idempotency-Key": "start it once"}
    started = client.post(f"{path}/start", headers=key)
    assert (started.status_code, started.json()["status"]) == (202, "queued")
    again = client.post(f"{path}/start", headers=key)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (started.content, "true")
    task = ended(client, path)
    assert (task["status"], task["dry_run"], task["cost"], task["spent"]) == ("completed", False, 15, 15)
    assert [row["row"] for row in results(client, path, s3)] == ["1", "2", "3", "4"]
    assert client.balance == 5
    expect.problem(client.post(f"{path}/start"), 409)


def test_only_the_owner_or_an_admin_starts_a_quoted_task(
    client: Client, other: Client, admin: Client, s3: httpx.Client
) -> None:
    body = {"filename": "big.csv", "size": len(CONTENT), "dry_run": True}
    created_task = client.post(TASKS, json=body).json()
    path = f"{TASKS}/{created_task['task_id']}"
    assert post_to_s3(s3, created_task).is_success
    ended(client, path)
    expect.problem(other.post(f"{path}/start"), 404)
    assert admin.post(f"{path}/start").status_code == 202
    assert ended(client, path)["status"] == "completed"
    assert client.balance == 5


def test_s3_rejects_an_upload_that_violates_the_policy(
    client: Client, other: Client, s3: httpx.Client
) -> None:
    created_task = create_task(client)
    key = created_task["fields"]["key"]
    for name, response in {
        "a larger file": post_to_s3(s3, created_task, CONTENT + b"\n"),
        "another key": post_to_s3(s3, created_task, key=key.replace(created_task["task_id"], str(uuid4()))),
        "another owner": post_to_s3(s3, created_task, key=key.replace(client.id, other.id)),
        "another folder": post_to_s3(s3, created_task, key=key.replace("uploads/", "results/")),
        "another content type": post_to_s3(s3, created_task, **{"Content-Type": "text/html"}),
    }.items():
        assert 400 <= response.status_code < 500, (name, response.status_code, response.text)
    assert task_at(client, f"{TASKS}/{created_task['task_id']}")["status"] == "awaiting_upload"


def test_fields_of_one_task_cannot_upload_another(client: Client, s3: httpx.Client) -> None:
    one, another = create_task(client), create_task(client)
    assert post_to_s3(s3, one, key=another["fields"]["key"]).status_code == 403


@pytest.mark.deployed
def test_s3_rejects_an_upload_without_a_valid_signature(client: Client, s3: httpx.Client) -> None:
    # Only on AWS: MiniStack checks the policy of a POST but not its signature.
    created_task = create_task(client)
    unsigned = {"key": created_task["fields"]["key"], "Content-Type": "text/csv"}
    assert post_to_s3(s3, created_task, **{"x-amz-signature": "0" * 64}).status_code == 403
    assert post_to_s3(s3, {**created_task, "fields": unsigned}).status_code == 403


def test_results_require_the_presigned_url(client: Client, s3: httpx.Client) -> None:
    created_task = create_task(client)
    post_to_s3(s3, created_task)
    path = f"{TASKS}/{created_task['task_id']}"
    ended(client, path)
    link = httpx.URL(client.get(f"{path}/results").headers["Location"])
    assert s3.get(link).status_code == 200
    tampered = link.copy_set_param("X-Amz-Signature", "0" * 64)
    assert s3.get(tampered).status_code == 403


def test_task_cancelled_before_its_upload_costs_nothing_and_can_be_resumed(
    client: Client, s3: httpx.Client
) -> None:
    created_task = create_task(client)
    path = f"{TASKS}/{created_task['task_id']}"
    cancelled = client.post(f"{path}/cancel")
    assert exact(cancelled)["status"] == "cancelled"
    assert post_to_s3(s3, created_task).is_success
    assert client.post(f"{path}/resume").status_code == 202
    task = ended(client, path)
    assert (task["status"], task["rows_done"], task["spent"]) == ("completed", 3, 15)
    assert client.balance == 5


@pytest.mark.parametrize("size", [0, -1, 5 * 1024**3 + 1, 1.5, "1"])
def test_invalid_size_is_rejected(client: Client, size: Any) -> None:
    assert expect.pointers(client.post(TASKS, json={"filename": "x.csv", "size": size})) == ["#/size"]


def test_upload_of_5_gib_can_be_created(client: Client) -> None:
    assert create_task(client, 5 * 1024**3)["bytes_total"] == 5 * 1024**3


def test_seventh_upload_in_a_row_returns_429(client: Client, other: Client) -> None:
    for _ in range(6):
        create_task(client)
    for response in (
        client.post(TASKS, json={"filename": "x.csv", "size": 1}),
        client.post(PROCESS_CSV, files={"file": CONTENT}),
    ):
        expect.problem(response, 429)
        assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert len(client.rows("tasks")) == 6
    create_task(other)


def test_file_of_4_mb_is_accepted(client: Client) -> None:
    row = b'division,"[1,' + b" " * 60_000 + b'0]"\n'
    content = HEADER + row * ((4 * MB - len(HEADER)) // len(row))
    content = content.ljust(4 * MB, b"\n")
    response = client.post(PROCESS_CSV, files={"file": content})
    assert response.status_code == 202
    task = ended(client, response.headers["Location"])
    assert (task["status"], task["bytes_done"], task["spent"]) == ("completed", 4 * MB, 0)


def test_file_larger_than_4_mb_returns_413_and_creates_no_task(client: Client) -> None:
    for size in (4 * MB + 1, 4 * MB + 200_000):
        expect.problem(client.post(PROCESS_CSV, files={"file": b"x" * size}), 413)
    assert client.rows("tasks") == []


@pytest.mark.parametrize("media_type", ["text/csv", "application/json", "application/x-www-form-urlencoded"])
def test_body_that_is_not_a_multipart_form_returns_415(client: Client, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    expect.problem(client.post(PROCESS_CSV, content=CONTENT, headers=headers), 415)


def test_form_without_the_file_returns_422_with_its_pointer(client: Client) -> None:
    assert expect.pointers(client.post(PROCESS_CSV, files={"other": CONTENT})) == ["#/other", "#/file"]


FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\nx\r\n--b--\r\n'
BROKEN_FORMS = {
    "no boundary": ("multipart/form-data", FORM),
    "empty boundary": ("multipart/form-data; boundary=", FORM),
    "another boundary": ("multipart/form-data; boundary=c", FORM),
    "odd boundary": ('multipart/form-data; boundary="\xe9', FORM),
    "no body": ("multipart/form-data; boundary=b", b""),
    "no body, no boundary": ("multipart/form-data", b""),
    "junk": ("multipart/form-data; boundary=b", bytes(range(256)) * 8),
    "cut off": ("multipart/form-data; boundary=b", FORM[:70]),
    "cut in the head": ("multipart/form-data; boundary=b", FORM[:20]),
    "no name": ("multipart/form-data; boundary=b", FORM.replace(b'name="file"; ', b"")),
    "no disposition": ("multipart/form-data; boundary=b", FORM.replace(b"Content-Disposition", b"X")),
    "no file": ("multipart/form-data; boundary=b", FORM.replace(b'; filename="x.csv"', b"")),
    "broken head": ("multipart/form-data; boundary=b", FORM.replace(b": form-data", b"\xff\xfe")),
}


@pytest.mark.parametrize("broken", BROKEN_FORMS)
def test_malformed_form_is_rejected(client: Client, broken: str) -> None:
    media_type, body = BROKEN_FORMS[broken]
    headers: Any = {b"Content-Type": media_type.encode("latin-1")}
    response = client.post(PROCESS_CSV, content=body, headers=headers)
    assert response.status_code in (400, 415, 422), response.text
    expect.any_problem(response)
    assert client.rows("tasks") == []


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("multipart/form-data; boundary=b", 'form-data; name="file"; filename="x.csv"'),
        ('Multipart/Form-Data; Boundary="b"', 'form-data; filename="x.csv"; name="file"'),
        ("multipart/form-data; BOUNDARY=b", 'form-data; NAME="file"; FILENAME="x.csv"'),
    ],
)
def test_file_with_lines_that_resemble_the_boundary_arrives_unchanged(
    client: Client, content_type: str, disposition: str
) -> None:
    content = HEADER + SUM + b"--b\n" + SUM + b" --b--\r\n" + SUM
    form = f"--b\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n--b--\r\n"
    response = client.post(PROCESS_CSV, content=form, headers={"Content-Type": content_type})
    assert response.status_code == 202, response.text
    assert (exact(response)["filename"], exact(response)["bytes_total"]) == ("x.csv", len(content))
    task = ended(client, response.headers["Location"])
    assert (task["status"], task["rows_done"], task["rows_failed"]) == ("completed", 5, 2)


def test_file_that_contains_the_final_boundary_is_rejected(client: Client) -> None:
    form = FORM.replace(b"\r\nx\r\n", b"\r\n" + HEADER + b"\r\n--b--\r\n" + SUM + b"\r\n")
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    expect.problem(client.post(PROCESS_CSV, content=form, headers=headers), 400)
    assert client.rows("tasks") == []


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "Größe 🧮.csv", 'quote".csv', "x" * 1000, "a\\b;c.csv", "%00.csv", "..", " "],
    ids=lambda name: name[:20],
)
def test_file_may_have_any_name(client: Client, name: str) -> None:
    response = client.post(PROCESS_CSV, files={"file": (name, HEADER, "text/csv")})
    assert response.status_code == 202, response.text
    accepted = exact(response)
    assert 1 <= len(accepted["filename"]) <= 255
    assert accepted["filename"].isprintable()
    assert ended(client, response.headers["Location"])["status"] == "completed"
