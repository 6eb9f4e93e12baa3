"""Uploads, waiting and downloads, also when their connections break."""

import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from restcalc import Client, Conflict, NotFound, TransferFailed, Unreachable, WaitTimeout
from restcalc.models import Task, TaskStatus
from tests.client.conftest import Service

ROW = b'operation,arguments\naddition,"[1, 2]"\n'
LARGE = ROW + b"x" * 2_000_000
"""One row that is charged, and a line that is too long for a row."""
BAD_ROWS = b"operation,arguments\n" + b'division,"[1, 0]"\n' * 3000
"""Rows that cost nothing, with results of 150 kB."""
DONE = "row,operation,arguments,result,amount,user_balance,error\n1,addition,"


def test_file_is_uploaded_processed_and_its_results_downloaded(client: Client, tmp_path: Path) -> None:
    file, results = tmp_path / "sums.csv", tmp_path / "results.csv"
    file.write_bytes(ROW)
    sent, seen, received = list[tuple[int, int]](), list[Task](), list[tuple[int, int]]()
    created = client.upload(file, progress=lambda *done: sent.append(done))
    task = client.wait(created.id, on_change=seen.append)
    assert (task.filename, task.status, task.rows_done, task.spent) == ("sums.csv", "completed", 1, 5)
    assert sent[-1] == (len(ROW), len(ROW))
    assert seen[-1] == task
    assert client.download_results(task.id, results, progress=lambda *done: received.append(done)) == results
    assert results.read_text("utf-8").startswith(DONE)
    assert received[-1] == (results.stat().st_size, results.stat().st_size)
    assert sorted(tmp_path.iterdir()) == [results, file]


def test_pipe_is_uploaded(client: Client) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb") as sink:
        sink.write(ROW)
        sink.close()
        task = client.upload(source)
    assert (task.filename, task.bytes_total) == ("operations.csv", len(ROW))
    assert client.wait(task.id).rows_done == 1


def test_interrupted_upload_is_repeated_and_charged_once(service: Service, client: Client) -> None:
    with service.cloud.breaking("requests", 1_000_000):
        task = client.upload(BytesIO(LARGE), filename="large.csv")
    task = client.wait(task.id)
    assert (task.status, task.bytes_done, task.rows_failed) == ("completed", len(LARGE), 1)
    assert client.get_current_user().balance == 15


def test_upload_that_stopped_continues_with_its_key(
    service: Service, client: Client, connect: Callable[..., Client]
) -> None:
    """As a program does that was killed and started again."""
    impatient = connect(api_key=client.create_api_key("a program").key, retries=0)
    with service.cloud.breaking("requests", 1_000_000), pytest.raises(Unreachable) as caught:
        impatient.upload(BytesIO(LARGE))
    assert "can't be reached" in str(caught.value)
    assert f"Repeat it with idempotency_key='{caught.value.idempotency_key}'" in str(caught.value)
    task = client.upload(BytesIO(LARGE), idempotency_key=caught.value.idempotency_key)
    assert [task.id] == [one.id for one in client.list_tasks()]
    assert client.wait(task.id).spent == 5


def test_file_that_is_uploaded_twice_is_charged_once(client: Client) -> None:
    grant = client.create_task("sums.csv", len(ROW))
    for _ in range(2):
        client.upload_to(grant, BytesIO(ROW))
    client.wait(grant.id)
    client.upload_to(grant, BytesIO(ROW))
    assert client.wait(grant.id).spent == 5
    assert client.get_current_user().balance == 15


def test_rejected_upload_has_the_reason(client: Client) -> None:
    grant = client.create_task("sums.csv", 3)
    with pytest.raises(TransferFailed, match=r"S3 rejected the upload: .* \(4\d\d\)\. Start again"):
        client.upload_to(grant, BytesIO(ROW))


def test_upload_that_s3_rejects_is_not_repeated_with_its_key(client: Client) -> None:
    class Growing(BytesIO):
        """A file to which another program appends when its size has been read."""

        def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
            position = super().seek(offset, whence)
            if whence == os.SEEK_END and position == len(ROW):
                self.write(b"more")
            return position

    with pytest.raises(TransferFailed) as caught:
        client.upload(Growing(ROW))
    assert str(caught.value).endswith("Start again: links last 15 minutes.")


def test_small_file_needs_one_request(client: Client) -> None:
    assert client.wait(client.process_csv(ROW, "small.csv").id).status is TaskStatus.COMPLETED


def test_quoted_file_is_charged_when_it_is_started(client: Client) -> None:
    quote = client.wait(client.upload(BytesIO(ROW), dry_run=True).id)
    assert (quote.status, quote.cost, quote.spent) == ("quoted", 5, 0)
    client.start_task(quote.id)
    assert client.wait(quote.id).spent == 5


def test_file_that_ran_out_of_credit_is_resumed(client: Client) -> None:
    rows = ROW + ROW.partition(b"\n")[2]
    stopped = client.wait(client.upload(BytesIO(rows), max_spend=5).id)
    assert (stopped.status, stopped.rows_done, stopped.max_spend) == ("out_of_credit", 1, 5)
    client.resume_task(stopped.id, max_spend=None)
    resumed = client.wait(stopped.id)
    assert (resumed.status, resumed.rows_done, resumed.max_spend) == ("completed", 2, None)


def test_waiting_ends_after_its_timeout(client: Client) -> None:
    task = client.create_task("never.csv", 1)
    with pytest.raises(WaitTimeout, match=f"The task {task.id} is awaiting_upload after 0 s. It continues"):
        client.wait(task.id, timeout=0)
    assert client.cancel_task(task.id).status is TaskStatus.CANCELLED


@pytest.fixture(scope="module")
def failed(admin: Client) -> Task:
    """A task of the admin with large results."""
    return admin.wait(admin.upload(BytesIO(BAD_ROWS)).id)


@pytest.fixture(scope="module")
def impatient(admin: Client, connect: Callable[..., Client]) -> Client:
    """The admin, with one retry."""
    return connect(api_key=admin.create_api_key("a program", scopes=["read"]).key, retries=1)


@pytest.fixture
def expected(admin: Client, failed: Task, tmp_path: Path) -> bytes:
    return admin.download_results(failed.id, tmp_path / "expected.csv").read_bytes()


def test_interrupted_download_continues(
    service: Service, impatient: Client, failed: Task, expected: bytes, tmp_path: Path
) -> None:
    """Attempts that received something do not count as retries."""
    done = list[int]()
    with service.cloud.breaking("responses", 70_000, 30_000, 20_000):
        file = impatient.download_results(
            failed.id, tmp_path / "r.csv", progress=lambda n, total: done.append(n)
        )
    assert file.read_bytes() == expected
    assert done == sorted(done)
    assert done[-1] == len(expected)


def test_download_of_another_process_continues(
    service: Service,
    admin: Client,
    failed: Task,
    expected: bytes,
    connect: Callable[..., Client],
    tmp_path: Path,
) -> None:
    done = list[int]()
    other = connect(api_key=admin.create_api_key("a program", scopes=["read"]).key, retries=0)
    with service.cloud.breaking("responses", 70_000), pytest.raises(Unreachable) as caught:
        other.download_results(failed.id, tmp_path / "r.csv")
    assert "Signature" not in str(caught.value)
    (part,) = tmp_path.glob("r.csv.*.part")
    assert 0 < part.stat().st_size < 70_000
    received = part.stat().st_size
    admin.download_results(failed.id, tmp_path / "r.csv", progress=lambda n, total: done.append(n))
    assert done[0] > received
    assert (tmp_path / "r.csv").read_bytes() == expected
    assert not part.exists()


@pytest.mark.parametrize("of_results", [False, True], ids=["part of another file", "complete part"])
def test_part_that_the_service_does_not_continue_is_replaced(
    admin: Client, failed: Task, expected: bytes, tmp_path: Path, of_results: bool
) -> None:
    etag = httpx.get(admin.get_task_results(failed.id).url).headers["ETag"].strip('"')
    part = tmp_path / f"r.csv.{etag if of_results else '0123456789abcdef'}.part"
    part.write_bytes(expected if of_results else b"other content")
    admin.download_results(failed.id, tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_bytes() == expected
    assert not part.exists()


def test_download_into_which_another_process_writes_is_an_error(
    admin: Client, failed: Task, tmp_path: Path
) -> None:
    def write(done: int, total: int) -> None:
        (part,) = tmp_path.glob("r.csv.*.part")
        with part.open("ab") as other:
            other.write(b"x")

    with pytest.raises(TransferFailed, match=r"The download of r.csv has the wrong size\. Start again"):
        admin.download_results(failed.id, tmp_path / "r.csv", progress=write)
    assert not (tmp_path / "r.csv").exists()


def test_missing_results_are_an_error(client: Client, failed: Task, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        client.download_results(failed.id, tmp_path / "r.csv")
    waiting = client.create_task("waiting.csv", 1)
    with pytest.raises(Conflict, match="results exist once it has ended"):
        client.download_results(waiting.id, tmp_path / "r.csv")
    assert list(tmp_path.iterdir()) == []


def test_export_is_written_and_downloaded(client: Client, tmp_path: Path) -> None:
    client.compute("addition", 1, 2)
    export = client.create_export("ledger", "jsonl", filters={"kind": "charge"}, fields=["kind", "amount"])
    assert client.wait_export(export.id).rows_done == 1
    file = client.download_export(export.id, tmp_path / "ledger.jsonl")
    assert json.loads(file.read_text("utf-8")) == {"kind": "charge", "amount": -5}
    assert [one.id for one in client.list_exports()] == [export.id]
