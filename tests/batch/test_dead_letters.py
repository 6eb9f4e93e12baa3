"""Dead letters, through the real event source."""

from io import BytesIO
from types import SimpleNamespace

import pytest

from tests.support.batch.harness import mixed_file
from tests.support.batch.service import RunningService
from tests.support.eventually import eventually

INVALID_BODIES = ["hello", "{}", '{"Records": [{"s3": {"object": {"key": "uploads/strange.csv"}}}]}']


def bodies(running: RunningService) -> list[str]:
    response = running.cloud.sqs.receive_message(
        QueueUrl=running.dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return sorted(message["Body"] for message in response.get("Messages", []))


def test_invalid_messages_delay_no_others_and_can_be_redriven(running: RunningService) -> None:
    for body in INVALID_BODIES:
        running.cloud.sqs.send_message(QueueUrl=running.queue, MessageBody=body)
    account = running.client()
    task_id = account.begin(mixed_file(50, 1))
    assert eventually(lambda: account.ended(task_id)).status == "completed"
    for _ in range(2):
        eventually(lambda: running.count(running.dead_letters) == len(INVALID_BODIES))
        assert bodies(running) == sorted(INVALID_BODIES)
        assert running.redrive() == len(INVALID_BODIES)
    eventually(lambda: running.count(running.dead_letters) == len(INVALID_BODIES))


def test_file_uploaded_while_the_database_was_stopped_is_billed_after_a_redrive(
    running: RunningService,
) -> None:
    account, content = running.client(), mixed_file(50, 1)
    grant = account.create_task("file.csv", len(content))
    with running.stack.database_stopped():
        before = running.count(running.dead_letters)
        account.upload_to(grant, BytesIO(content))
        eventually(lambda: running.count(running.dead_letters) == before + 1)
    assert running.redrive() == before + 1
    assert eventually(lambda: account.ended(grant.id)).status == "completed"


def test_redrive_leaves_messages_that_arrived_after_its_start_visible(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.cloud.sqs.send_message(QueueUrl=running.dead_letters, MessageBody="came back")
    monkeypatch.setattr("deploy.redrive.time", SimpleNamespace(time=lambda: 0.0))
    assert running.redrive() == 0
    assert "came back" in bodies(running)
    running.cloud.sqs.purge_queue(QueueUrl=running.dead_letters)
