"""Exports under hand-overs, kills and faults: the file is always the same."""

import json
from collections.abc import Callable
from uuid import UUID

import pytest

from functions.exports.create import app
from localstack.cloud import BUCKET
from shared import aws, database, exports
from shared.auth import tokens
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness
from tests.support.lambda_event import event
from tests.support.users import Person

ROWS = 500
SMALL = {"worker.exports.ROWS_AT_ONCE": 32, "worker.s3_writer.PART_SIZE": 1}
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


def status(harness: Harness, key: str) -> list[object]:
    export_id = key.rpartition("/")[2].partition(".")[0]
    ((found, rows),) = harness.sql("SELECT status, rows_done FROM exports WHERE id = :id", id=export_id)
    return [found, rows]


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
    ids = {"id": UUID(key.rpartition("/")[2].partition(".")[0]), "user_id": owner.id}
    assert database.one("claim_export", **ids, redelivered=False)
    assert database.one("claim_export", **ids, redelivered=False) is None
    assert database.one("claim_export", **ids, redelivered=True)
