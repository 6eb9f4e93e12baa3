"""Messages that can't be understood, through the real event source."""

from types import SimpleNamespace

import pytest

from tests.support.batch.harness import mixed_file
from tests.support.batch.service import Running
from tests.support.eventually import eventually

NONSENSE = ["hello", "{}", '{"Records": [{"s3": {"object": {"key": "uploads/strange.csv"}}}]}']


def bodies(running: Running) -> list[str]:
    answer = running.cloud.sqs.receive_message(
        QueueUrl=running.dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return sorted(message["Body"] for message in answer.get("Messages", []))


def test_what_cant_be_understood_blocks_nobody_is_never_lost_and_can_be_put_back(running: Running) -> None:
    for body in NONSENSE:
        running.cloud.sqs.send_message(QueueUrl=running.queue, MessageBody=body)
    account = running.client()
    task_id = account.begin(mixed_file(50, 1))
    assert eventually(lambda: account.ended(task_id), 30)["status"] == "completed"
    for _ in range(2):
        eventually(lambda: running.count(running.dead_letters) == len(NONSENSE), 30)
        assert bodies(running) == sorted(NONSENSE)
        assert running.redrive() == len(NONSENSE)
    eventually(lambda: running.count(running.dead_letters) == len(NONSENSE), 30)


def test_a_file_that_came_while_the_database_was_away_is_billed_once_it_is_put_back(running: Running) -> None:
    account, content = running.client(), mixed_file(50, 1)
    size = {"filename": "file.csv", "size": len(content)}
    task = account.call("POST", "/api/v1/tasks", json=size).json()
    with running.stack.database_stopped():
        before = running.count(running.dead_letters)
        account.upload(task, content)
        eventually(lambda: running.count(running.dead_letters) == before + 1, 30)
    assert running.redrive() == before + 1
    assert eventually(lambda: account.ended(task["id"]), 30)["status"] == "completed"


def test_what_has_come_back_meanwhile_is_left_to_be_seen_at_once(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.cloud.sqs.send_message(QueueUrl=running.dead_letters, MessageBody="came back")
    monkeypatch.setattr("deploy.redrive.time", SimpleNamespace(time=lambda: 0.0))
    assert running.redrive() == 0
    assert "came back" in bodies(running)
    running.cloud.sqs.purge_queue(QueueUrl=running.dead_letters)
