"""Files that cannot be billed: each task fails with a readable reason."""

import io
import zipfile
from collections.abc import Callable
from uuid import uuid4

import pytest

from localstack.cloud import BUCKET
from shared import accounts, database
from shared.ids import uuid7
from tests.support.batch.deliveries import CHUNK_ROWS, Deliveries
from tests.support.batch.harness import Harness, Task, mixed_file
from tests.support.batch.stage import AFTER, Fault

PART = 8 << 20


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("operations.csv", mixed_file(50, 1))
    return file.getvalue()


def ended(harness: Harness, deliveries: Deliveries, task: Task) -> tuple[str, str | None]:
    deliveries.until_idle()
    assert deliveries.outcomes["failed"] == 0
    state = harness.state(task)
    harness.check_accounting(task)
    return state["status"], state["error"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty."),
        (
            mixed_file(9, 1)[3:].decode().encode("utf-16"),
            "The first line cannot be parsed: the line is not UTF-8.",
        ),
        (zipped(), "The first line"),
        (
            b'{"type": "addition"}',
            "The first line must be 'operation,arguments', not '{\"type\": \"addition\"}'.",
        ),
        (b"operation,arguments\raddition,[1]", "The first line must be 'operation,arguments', not"),
        (b"\0" * 100, "The first line must be 'operation,arguments', not"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "The first line must be 'operation,arguments', not '%PDF-1.7'."),
    ],
    ids=["empty", "UTF-16", "zip", "JSON", "Mac", "NUL", "PDF"],
)
def test_file_that_is_not_csv_fails_with_a_reason(
    harness: Harness, deliveries: Deliveries, content: bytes, reason: str
) -> None:
    status, error = ended(harness, deliveries, harness.upload(harness.client(), content))
    assert status == "failed"
    assert error is not None
    assert error.startswith(reason)


def test_file_with_only_a_header_completes_with_only_a_header(
    harness: Harness, deliveries: Deliveries
) -> None:
    task = harness.upload(harness.client(), b"\xef\xbb\xbfoperation,arguments")
    assert ended(harness, deliveries, task) == ("completed", None)
    assert harness.results(task) == b"row,operation,arguments,result,amount,user_balance,error\n"


def test_deleted_file_fails_the_task_with_a_reason(harness: Harness, deliveries: Deliveries) -> None:
    task = harness.upload(harness.client(), mixed_file(9, 1))
    harness.cloud.s3.delete_object(Bucket=BUCKET, Key=task.key)
    assert ended(harness, deliveries, task) == ("failed", "The file does not exist.")


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "deleted"])
def test_file_changed_during_processing_fails_the_task_and_keeps_the_charges(
    harness: Harness, deliveries: Deliveries, replaced: bool
) -> None:
    task = harness.upload(harness.client(), mixed_file(5 * CHUNK_ROWS, 1))

    def change_and_break() -> bool:
        if replaced:
            harness.cloud.s3.put_object(Bucket=BUCKET, Key=task.key, Body=mixed_file(9, 2))
        else:
            harness.cloud.s3.delete_object(Bucket=BUCKET, Key=task.key)
        return False

    harness.stage.expect(Fault("commit", AFTER, change_and_break, nth=3))
    deliveries.until_idle()
    state = harness.state(task)
    assert (state["status"], state["rows_done"]) == ("failed", 2 * CHUNK_ROWS)
    reason = "The file was replaced after its processing started." if replaced else "The file does not exist."
    assert state["error"] == reason
    harness.check_accounting(task)


def test_deleted_account_is_not_charged_further(harness: Harness, deliveries: Deliveries) -> None:
    task = harness.upload(harness.client(), mixed_file(5 * CHUNK_ROWS, 1))

    def delete_owner() -> bool:
        database.one("delete_user", id=task.owner.id, admin_id=uuid7(), audit_id=uuid7())
        return True

    harness.stage.expect(Fault("commit", AFTER, delete_owner, nth=3))
    assert ended(harness, deliveries, task) == ("failed", "The account was deleted.")
    assert harness.state(task)["rows_done"] == 2 * CHUNK_ROWS


@pytest.mark.parametrize("meanwhile", ["running", "resumed"])
def test_inactive_account_is_not_charged_further(
    harness: Harness, deliveries: Deliveries, meanwhile: str
) -> None:
    task = harness.upload(harness.client(), mixed_file(5 * CHUNK_ROWS, 1))
    error = "The account is inactive. Resume the task after an admin has activated the account."

    def deactivate_owner() -> bool:
        if meanwhile == "running":
            accounts.update_user(uuid4(), task.owner.id, {"status": "inactive"})
        else:  # resumed just before the deactivation committed, so that it is not cancelled with it
            harness.sql("UPDATE users SET status = 'inactive' WHERE id = :id", id=task.owner.id)
        return True

    harness.stage.expect(Fault("commit", AFTER, deactivate_owner, nth=3))
    assert ended(harness, deliveries, task) == ("cancelled", error)
    assert harness.state(task)["rows_done"] == 2 * CHUNK_ROWS
    harness.check_accounting(task)
    accounts.update_user(uuid4(), task.owner.id, {"status": "active"})
    harness.resume(task)
    deliveries.until_idle()
    assert harness.state(task)["status"] == "completed"
    harness.check_accounting(task)


@pytest.mark.parametrize(
    ("header", "status"), [(b"", "failed"), (b"operation,arguments\n", "completed")], ids=["first", "second"]
)
def test_line_of_64_mb_uses_bounded_memory(
    harness: Harness, deliveries_with: Callable[..., Deliveries], header: bytes, status: str
) -> None:
    deliveries = deliveries_with(overrides={})  # to a new worker, whose peak no other test has raised
    harness.upload(harness.client(), mixed_file(CHUNK_ROWS, 1))
    deliveries.until_idle()
    worker = deliveries.worker()
    before = worker.peak_memory()
    task = harness.task(harness.client(), 1)
    message = upload_line(harness, deliveries, task, header, parts=8)
    assert deliveries.deliver(message, worker) == "done"
    deliveries.settle(message, "done")
    state = harness.state(task)
    assert (state["status"], state["rows_failed"]) == (status, 1 if header else 0)
    assert worker.peak_memory() - before < 2 * PART // 1024


def upload_line(harness: Harness, deliveries: Deliveries, task: Task, header: bytes, parts: int) -> object:
    """Upload a header and one endless line in parts. Return the message for the file."""
    s3, where = harness.cloud.s3, {"Bucket": BUCKET, "Key": task.key}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    sent = [
        s3.upload_part(
            **where,
            UploadId=upload,
            PartNumber=number,
            Body=header.ljust(PART, b"x") if number == 1 else b"x" * PART,
        )["ETag"]
        for number in range(1, parts + 1)
    ]
    s3.complete_multipart_upload(
        **where,
        UploadId=upload,
        MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": n} for n, etag in enumerate(sent, 1)]},
    )
    message = deliveries.receive()
    assert message is not None
    return message
