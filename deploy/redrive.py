"""Move the messages of the dead-letter queue back into the work queue: `python -m deploy.redrive`.

`STAGE` selects a deployed service; its `AWS_REGION` may come from `.env`. Without `STAGE` the queue is
`QUEUE_URL`, which `make redrive` sets to the local service's. Each message is sent before it is deleted, so
none is lost. The worker handles duplicates.
"""

import json
import os
import sys
import time
from typing import TYPE_CHECKING

from deploy.config import SERVICE, aws_session, load_environment, stack_outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

RECEIVE_LIMIT = 10
"""Messages per call, SQS's maximum."""


def main() -> None:
    # Read before load_environment() sets its default: only an explicit STAGE selects AWS.
    stage = os.environ.get("STAGE")
    session = aws_session(load_environment())
    if stage:
        queue = stack_outputs(session, f"{SERVICE}-{stage}")["WorkQueueUrl"]
    else:
        queue = os.environ.get("QUEUE_URL") or sys.exit("Set STAGE=… or QUEUE_URL=… to choose the queue.")
    print(f"Moved {redrive(session.client('sqs'), queue)} message(s) to {queue}")


def redrive(sqs: "SQSClient", queue: str, wait_seconds: int = 2) -> int:
    """Move the messages that are in the dead-letter queue at the start, and return their number.

    Messages that fail again and return to the dead-letter queue meanwhile stay there.

    Args:
        wait_seconds: time without a message after which the queue counts as empty.
    """
    began = time.time() * 1000
    dead_letters, moved = dead_letter_queue(sqs, queue), 0
    while messages := sqs.receive_message(
        QueueUrl=dead_letters,
        MaxNumberOfMessages=RECEIVE_LIMIT,
        WaitTimeSeconds=wait_seconds,
        VisibilityTimeout=60,
        MessageSystemAttributeNames=["SentTimestamp"],
    ).get("Messages"):
        for number, message in enumerate(messages):
            if int(message["Attributes"]["SentTimestamp"]) >= began:
                _release(sqs, dead_letters, messages[number:])
                return moved
            sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _release(sqs: "SQSClient", queue: str, messages: "Sequence[MessageTypeDef]") -> None:
    """Make received messages visible again at once."""
    for message in messages:
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )


def dead_letter_queue(sqs: "SQSClient", queue: str) -> str:
    """Return the URL of a queue's dead-letter queue."""
    response = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])
    arn: str = json.loads(response["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
    return sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


if __name__ == "__main__":
    main()
