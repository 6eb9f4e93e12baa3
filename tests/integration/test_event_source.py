"""Lambda's SQS event source, against a real S3 and SQS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from localstack.cloud import BUCKET, DEAD_LETTER_QUEUE, Cloud
from localstack.stack import Stack
from tests.support.eventually import eventually
from tests.support.offline_service import settings_of


class Queue:
    """What a test does with the queue, and what the stub worker has left behind."""

    def __init__(self, stack: Stack) -> None:
        self.cloud = Cloud.connect(stack.environment)
        self.url = stack.environment["QUEUE_URL"]
        self.dead_letters = self.cloud.sqs.get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
        self._seen = stack.settings.service_file.parent / "seen"

    def send(self, body: str) -> str:
        return self.cloud.sqs.send_message(QueueUrl=self.url, MessageBody=body)["MessageId"]

    def deliveries(self, name: str) -> list[Path]:
        return sorted(self._seen.glob(f"{name}.*.json"))

    def messages(self, url: str) -> int:
        """Visible and invisible ones."""
        found = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def empty(self) -> bool:
        return self.messages(self.url) == 0

    def dead_letter(self) -> str | None:
        """Takes the next dead letter out."""
        answer = self.cloud.sqs.receive_message(QueueUrl=self.dead_letters)
        for message in answer.get("Messages", []):
            self.cloud.sqs.delete_message(QueueUrl=self.dead_letters, ReceiptHandle=message["ReceiptHandle"])
            return message["Body"]
        return None

    def seen_s3_event(self, key: str) -> dict[str, Any] | None:
        for file in self._seen.glob("*.json"):
            body = json.loads(file.read_text())["Records"][0]["body"]
            records = json.loads(body)["Records"] if body.startswith("{") else []
            for record in records:
                if record["s3"]["object"]["key"] == key:
                    return dict(record)
        return None


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    with Stack(settings_of(tmp_path_factory.mktemp("queue"))) as stack:
        queue = Queue(stack)
        eventually(queue.empty)  # the s3:TestEvent of the notification, made just now
        for file in queue._seen.glob("*"):
            file.unlink()
        yield queue
        queue.cloud.close()


def test_a_message_is_delivered_as_lambda_does_and_deleted(queue: Queue) -> None:
    message_id = queue.send("succeeds")
    (file,) = eventually(lambda: queue.deliveries("succeeds"))
    eventually(queue.empty)
    (record,) = json.loads(file.read_text())["Records"]
    assert record["messageId"] == message_id
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"].isdigit()
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(":000000000000:opworker")
    assert record["awsRegion"] == "us-east-1"
    assert record["messageAttributes"] == {}
    assert record["md5OfBody"]
    assert record["receiptHandle"]


@pytest.mark.parametrize("failure", ["raises", "reports", "misreports"])
def test_a_failing_message_is_a_dead_letter_after_five_deliveries(queue: Queue, failure: str) -> None:
    queue.send(failure)
    assert eventually(queue.dead_letter) == failure
    assert len(queue.deliveries(failure)) == 5
    assert queue.empty()


@pytest.mark.parametrize("fault", ["crashes_once", "hangs_once"])
def test_a_worker_that_crashes_or_hangs_is_replaced_and_its_message_comes_again(
    queue: Queue, fault: str
) -> None:
    queue.send(fault)
    eventually(lambda: len(queue.deliveries(fault)) == 2)
    eventually(queue.empty)
    assert queue.deliveries(fault)[-1].name == f"{fault}.2.json"  # no delivery met a dying process


def test_a_message_stays_invisible_for_as_long_as_it_is_worked_on(queue: Queue) -> None:
    queue.send("takes_long")  # longer than the visibility timeout
    eventually(lambda: queue.deliveries("takes_long"))
    eventually(queue.empty)
    assert len(queue.deliveries("takes_long")) == 1


def test_an_upload_reaches_the_worker_with_its_key_encoded(queue: Queue) -> None:
    queue.cloud.s3.put_object(Bucket=BUCKET, Key="uploads/a b/ü+1.csv", Body=b"x,y")
    record = eventually(lambda: queue.seen_s3_event("uploads/a+b/%C3%BC%2B1.csv"))
    assert record["eventName"] == "ObjectCreated:Put"
    assert (record["s3"]["bucket"]["name"], record["s3"]["object"]["size"]) == (BUCKET, 3)


def test_a_presigned_post_reaches_the_worker_and_no_larger_file_is_taken(queue: Queue) -> None:
    post = queue.cloud.s3.generate_presigned_post(
        BUCKET, "uploads/u/t.csv", Conditions=[["content-length-range", 1, 10]], ExpiresIn=60
    )
    assert httpx.post(post["url"], data=post["fields"], files={"file": b"x" * 11}).status_code == 400
    assert httpx.post(post["url"], data=post["fields"], files={"file": b"x" * 10}).status_code == 204
    record = eventually(lambda: queue.seen_s3_event("uploads/u/t.csv"))
    assert record["eventName"] == "ObjectCreated:Post"


def test_nothing_is_told_of_an_object_elsewhere(queue: Queue) -> None:
    queue.cloud.s3.put_object(Bucket=BUCKET, Key="results/u/t.csv", Body=b"x")
    queue.cloud.s3.put_object(Bucket=BUCKET, Key="uploads/after.csv", Body=b"x")
    eventually(lambda: queue.seen_s3_event("uploads/after.csv"))
    assert queue.seen_s3_event("results/u/t.csv") is None
