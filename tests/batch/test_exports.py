"""Exports under hand-overs, kills and faults: the file is always the same."""

import json
import re
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from deploy.serverless_file import Function
from functions.exports.create import app
from functions.housekeeping import restart_tasks
from localstack.cloud import BUCKET
from localstack.context import LambdaContext
from shared import accounts, aws, database, exports, users
from shared.auth import tokens
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness
from tests.support.batch.stage import BEFORE, Fault
from tests.support.lambda_event import event
from tests.support.users import Person
from worker.s3_writer import S3ObjectWriter

ROWS = 500
WINDOW = {"worker.exports.ROWS_AT_ONCE": 32}
SMALL = {**WINDOW, "worker.s3_writer.PART_SIZE": 1}
ATTEMPTS = 3
"""The number of attempts that boto makes for a request."""
MakeDeliveries = Callable[..., Deliveries]


@pytest.fixture
def owner(harness: Harness) -> Person:
    """A client with many records, some with the same time."""
    owner = harness.client()
    harness.sql(
        """INSERT INTO records
               (id, user_id, operation_id, arguments, operation_response, amount, user_balance, date)
           SELECT gen_random_uuid(), :owner, (SELECT id FROM operations WHERE type = 'addition'),
                  jsonb_build_array(n), to_jsonb(n), 5, 5, now() - (n / 10) * interval '1 minute'
           FROM generate_series(1, :rows) n""",
        owner=owner.id,
        rows=ROWS,
    )
    return owner


def start(owner: Person, format: str = "jsonl") -> str:
    """Create an export and send its message. Return the key of its file."""
    export_id = UUID(json.loads(exports.create(owner.caller, "records", "jsonl", ""))["id"])
    key = aws.export_key(owner.id, export_id, format)
    aws.enqueue(key)
    return key


def lines(harness: Harness, key: str) -> list[str]:
    content = harness.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return list(content.decode().splitlines())


def id_of(key: str) -> UUID:
    return UUID(key.rpartition("/")[2].partition(".")[0])


def status(harness: Harness, key: str) -> list[object]:
    ((found, rows),) = harness.sql("SELECT status, rows_done FROM exports WHERE id = :id", id=id_of(key))
    return [found, rows]


def updated_at(harness: Harness, key: str) -> object:
    """Return when a worker last wrote a part of the export."""
    ((time,),) = harness.sql("SELECT updated_at FROM exports WHERE id = :id", id=id_of(key))
    return time


def unfinished_uploads(harness: Harness, key: str) -> list[str]:
    """Return the ids of the multipart uploads of this key."""
    found = harness.cloud.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return [upload["UploadId"] for upload in found if upload["Key"] == key]


def restart(harness: Harness, key: str) -> None:
    """Run the function that replaces lost messages, as if the export had not changed for two minutes."""
    harness.sql(
        "UPDATE exports SET updated_at = updated_at - interval '2 minutes' WHERE id = :id", id=id_of(key)
    )
    restart_tasks.handler({}, LambdaContext(Function("restartTasks", "", 300, 512)))


@pytest.fixture
def reference(harness: Harness, owner: Person, deliveries: Deliveries) -> list[str]:
    """The lines of an undisturbed export."""
    key = start(owner)
    deliveries.until_idle()
    return lines(harness, key)


def test_export_handed_over_after_every_part_has_the_same_file(
    harness: Harness, owner: Person, deliveries: Deliveries, deliveries_with: MakeDeliveries
) -> None:
    reference = start(owner)
    deliveries.until_idle()
    assert len(set(lines(harness, reference))) == ROWS
    hurried, key = deliveries_with(seconds=59, overrides=SMALL), start(owner)
    hurried.until_idle()
    assert hurried.outcomes["done"] > ROWS / 32
    assert lines(harness, key) == lines(harness, reference)
    assert status(harness, key) == ["completed", ROWS]


def test_export_whose_upload_was_lost_starts_again(
    harness: Harness, owner: Person, deliveries: Deliveries, deliveries_with: MakeDeliveries
) -> None:
    hurried, key = deliveries_with(seconds=59, overrides=SMALL), start(owner)
    message = hurried.receive()
    hurried.settle(message, hurried.deliver(message, hurried.worker()))
    ((upload_id,),) = harness.sql("SELECT upload_id FROM exports WHERE status = 'queued'")
    harness.cloud.s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload_id)
    deliveries.until_idle()
    assert len(set(lines(harness, key))) == ROWS
    assert status(harness, key) == ["completed", ROWS]


def test_redelivered_message_of_a_completed_export_changes_nothing(
    harness: Harness, owner: Person, deliveries: Deliveries
) -> None:
    key = start(owner)
    aws.enqueue(key)
    deliveries.until_idle()
    before = lines(harness, key)
    aws.enqueue(key)
    deliveries.until_idle()
    assert lines(harness, key) == before
    assert deliveries.outcomes["failed"] == 0


def test_retry_sends_a_message_only_until_a_worker_starts(
    owner: Person, deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = list[str]()
    enqueue = aws.enqueue
    monkeypatch.setattr(aws, "enqueue", lambda key: (sent.append(key), enqueue(key)))
    token = tokens.issue(owner.session_id, owner.id, "client").access
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "the export"}
    request = event("POST", "/api/v1/exports", '{"resource": "records"}', headers=headers)
    bodies = {app(request, None)["body"] for _ in range(2)}
    assert len(sent) == 2
    deliveries.until_idle()
    bodies.add(app(request, None)["body"])
    assert (len(sent), len(bodies)) == (2, 1)


def test_second_worker_leaves_an_export_that_is_being_written(harness: Harness, owner: Person) -> None:
    key = start(owner)
    ids = {"id": id_of(key), "user_id": owner.id}
    assert database.one("claim_export", **ids, redelivered=False)
    assert database.one("claim_export", **ids, redelivered=False) is None
    assert database.one("claim_export", **ids, redelivered=True)


@pytest.mark.parametrize(
    ("step", "nth"),
    [("continue_export", 1), ("PUT results", 3), ("checkpoint_export", 3), ("complete_export", 1)],
)
def test_export_whose_worker_was_killed_continues_after_minutes(
    harness: Harness,
    owner: Person,
    reference: list[str],
    deliveries_with: MakeDeliveries,
    step: str,
    nth: int,
) -> None:
    key, small = start(owner), deliveries_with(overrides=SMALL)
    worker = small.worker()
    harness.stage.expect(Fault(step, BEFORE, lambda: bool(worker.kill()), nth))
    message = small.receive()
    assert small.deliver(message, worker) == "died"  # SQS delivers its message again after 90 minutes
    restart(harness, key)
    small.until_idle(until=lambda: status(harness, key) == ["completed", ROWS])
    assert lines(harness, key) == reference
    small.settle(message, "died")
    small.until_idle()
    assert lines(harness, key) == reference


def test_worker_shows_that_it_is_alive_in_each_window(
    harness: Harness, owner: Person, deliveries_with: MakeDeliveries
) -> None:
    key, alive = start(owner), list[bool]()

    def age() -> bool:
        ((updated,),) = harness.sql(
            """UPDATE exports new SET updated_at = now() - interval '1 hour' FROM exports old
               WHERE new.id = :id AND old.id = new.id
               RETURNING old.updated_at > now() - interval '1 minute'""",
            id=id_of(key),
        )
        alive.append(updated)
        return True

    harness.stage.expect(Fault("continue_export", BEFORE, age, times=ROWS))
    deliveries_with(overrides=WINDOW).until_idle()
    assert alive == [True] * (ROWS // 32 + 1)


@pytest.mark.parametrize("overrides", [WINDOW, SMALL], ids=["last part", "first part"])
def test_export_that_fails_before_its_first_checkpoint_leaves_no_upload(
    harness: Harness,
    owner: Person,
    reference: list[str],
    deliveries_with: MakeDeliveries,
    overrides: dict[str, int],
) -> None:
    key, small = start(owner), deliveries_with(overrides=overrides)
    harness.stage.expect(Fault("PUT results", BEFORE, lambda: False, times=ATTEMPTS))
    message = small.receive()
    outcome = small.deliver(message, small.worker())
    assert (outcome, unfinished_uploads(harness, key)) == ("failed", [])
    small.settle(message, outcome)
    small.until_idle()
    assert lines(harness, key) == reference


@pytest.mark.parametrize("window", [1, 5], ids=["queued", "running"])
@pytest.mark.parametrize(
    ("stop", "error"),
    [
        (
            lambda user_id: accounts.update_user(uuid4(), user_id, {"status": "inactive"}),
            "The account is inactive. Create the export again after an admin has activated the account.",
        ),
        (lambda user_id: users.delete(user_id, uuid4()), "The account was deleted."),
    ],
    ids=["inactive", "deleted"],
)
def test_export_of_an_inactive_or_deleted_user_fails(
    harness: Harness,
    owner: Person,
    deliveries_with: MakeDeliveries,
    stop: Callable[[UUID], object],
    error: str,
    window: int,
) -> None:
    key = start(owner)
    harness.stage.expect(Fault("continue_export", BEFORE, lambda: stop(owner.id) is None, nth=window))
    deliveries_with(overrides=WINDOW).until_idle()
    assert status(harness, key) == ["failed", 0]
    assert harness.sql(
        "SELECT error, finished_at IS NOT NULL FROM exports WHERE user_id = :id", id=owner.id
    ) == [[error, True]]
    assert unfinished_uploads(harness, key) == []
    assert "Contents" not in harness.cloud.s3.list_objects_v2(Bucket=BUCKET, Prefix=key)


def test_export_whose_message_version_1_1_rejected_is_completed_once(
    harness: Harness,
    owner: Person,
    reference: list[str],
    deliveries: Deliveries,
    deliveries_with: MakeDeliveries,
) -> None:
    key = start(owner)
    # Like version 1.1, this worker knows no messages about exports.
    old = deliveries_with(overrides={"worker.messages._EXPORT": re.compile("uploads")})
    while message := old.receive():
        old.settle(message, old.deliver(message, old.worker()))
    assert old.outcomes == {"failed": 5}
    assert status(harness, key) == ["queued", 0]
    restart(harness, key)
    deliveries.until_idle(until=lambda: status(harness, key) == ["completed", ROWS])
    written = updated_at(harness, key)
    deliveries.until_idle()  # moves the dead letter back, as `make redrive` does
    assert updated_at(harness, key) == written
    assert status(harness, key) == ["completed", ROWS]
    assert lines(harness, key) == reference


def test_writer_uploads_parts_between_checkpoints_and_keeps_enough_for_one(harness: Harness) -> None:
    key, megabyte = f"exports/{uuid4()}.csv", 1024**2
    pieces = [bytes([number]) * megabyte for number in range(41)]
    with S3ObjectWriter(key) as writer:
        for piece in pieces:
            writer.write(piece)
            assert writer.parts == 0 or writer.has_full_part
        assert writer.parts == 2  # of 15 MiB each, because 5 of the buffer's 20 MiB stay
        writer.complete()
    assert harness.cloud.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"".join(pieces)
