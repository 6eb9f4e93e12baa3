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
    """The queue of a stack, and the events that its stub worker received."""

    def __init__(self, stack: Stack) -> None:
        self.cloud = Cloud.connect(stack.environment)
        self.url = stack.environment["QUEUE_URL"]
        self.dead_letters = self.cloud.sqs.get_queue_url(QueueName=DEAD_LETTER_QUEUE)["QueueUrl"]
        self._received = stack.settings.service_file.parent / "received"

    def send(self, body: str) -> str:
        return self.cloud.sqs.send_message(QueueUrl=self.url, MessageBody=body)["MessageId"]

    def deliveries(self, name: str) -> list[Path]:
        return sorted(self._received.glob(f"{name}.*.json"))

    def messages(self, url: str) -> int:
        """Return the number of visible and invisible messages."""
        found = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def empty(self) -> bool:
        return self.messages(self.url) == 0

    def dead_letter(self) -> str | None:
        """Remove and return the next dead letter, or None."""
        response = self.cloud.sqs.receive_message(QueueUrl=self.dead_letters)
        for message in response.get("Messages", []):
            self.cloud.sqs.delete_message(QueueUrl=self.dead_letters, ReceiptHandle=message["ReceiptHandle"])
            return message["Body"]
        return None

    def received_s3_event(self, key: str) -> dict[str, Any] | None:
        for file in self._received.glob("*.json"):
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
        eventually(queue.empty)  # the s3:TestEvent of the new notification
        for file in queue._received.glob("*"):
            file.unlink()
        yield queue
        queue.cloud.close()


def test_message_is_delivered_as_by_lambda_and_then_deleted(queue: Queue) -> None:
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
def test_failing_message_moves_to_the_dead_letter_queue_after_five_deliveries(
    queue: Queue, failure: str
) -> None:
    queue.send(failure)
    assert eventually(queue.dead_letter) == failure
    assert len(queue.deliveries(failure)) == 5
    assert queue.empty()


@pytest.mark.parametrize("fault", ["crashes_once", "hangs_once"])
def test_crashed_or_hanging_worker_is_replaced_and_its_message_retried(queue: Queue, fault: str) -> None:
    queue.send(fault)
    eventually(lambda: len(queue.deliveries(fault)) == 2)
    eventually(queue.empty)
    assert queue.deliveries(fault)[-1].name == f"{fault}.2.json"  # no delivery went to a dying process


def test_message_stays_invisible_while_it_is_processed(queue: Queue) -> None:
    queue.send("takes_long")  # longer than the visibility timeout
    eventually(lambda: queue.deliveries("takes_long"))
    eventually(queue.empty)
    assert len(queue.deliveries("takes_long")) == 1


def test_upload_reaches_the_worker_with_its_key_encoded(queue: Queue) -> None:
    queue.cloud.s3.put_object(Bucket=BUCKET, Key="uploads/a b/ü+1.csv", Body=b"x,y")
    record = eventually(lambda: queue.received_s3_event("uploads/a+b/%C3%BC%2B1.csv"))
    assert record["eventName"] == "ObjectCreated:Put"
    assert (record["s3"]["bucket"]["name"], record["s3"]["object"]["size"]) == (BUCKET, 3)


def test_presigned_post_reaches_the_worker_and_rejects_a_larger_file(queue: Queue) -> None:
    post = queue.cloud.s3.generate_presigned_post(
        BUCKET, "uploads/u/t.csv", Conditions=[["content-length-range", 1, 10]], ExpiresIn=60
    )
    assert (
        httpx.post(post["url"], data=post["fields"], files={"file": b"x" * 11}, verify=False).status_code
        == 400
    )
    assert (
        httpx.post(post["url"], data=post["fields"], files={"file": b"x" * 10}, verify=False).status_code
        == 204
    )
    record = eventually(lambda: queue.received_s3_event("uploads/u/t.csv"))
    assert record["eventName"] == "ObjectCreated:Post"


def test_object_outside_uploads_sends_no_event(queue: Queue) -> None:
    queue.cloud.s3.put_object(Bucket=BUCKET, Key="results/u/t.csv", Body=b"x")
    queue.cloud.s3.put_object(Bucket=BUCKET, Key="uploads/after.csv", Body=b"x")
    eventually(lambda: queue.received_s3_event("uploads/after.csv"))
    assert queue.received_s3_event("results/u/t.csv") is None
