"""Puts the messages of the dead-letter queue back into the work queue: `python -m deploy.redrive`.

`STAGE` names a deployed service, whose `AWS_REGION` may stand in `.env`; without it the queue is that of
`QUEUE_URL`, which `make redrive` takes from the service on this machine. A message is sent before it is
deleted, so none is lost; the worker does not mind one that comes twice.
"""

import json
import os
import sys
import time
from typing import TYPE_CHECKING

from deploy.config import SERVICE, place, session_of, stack_outputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MOST_AT_ONCE = 10
"""Messages in one call, SQS's own limit."""


def main() -> None:
    stage = os.environ.get("STAGE")  # of the environment alone: it says whether AWS is meant at all
    session = session_of(place())
    if stage:
        queue = stack_outputs(session, f"{SERVICE}-{stage}")["WorkQueueUrl"]
    else:
        queue = os.environ.get("QUEUE_URL") or sys.exit("Say which: STAGE=… or QUEUE_URL=…")
    print(f"{redrive(session.client('sqs'), queue)} message(s) put back into {queue}")


def redrive(sqs: "SQSClient", queue: str, patience: int = 2) -> int:
    """Move what was in the dead-letter queue when this began; how many messages that were.

    What comes back meanwhile, for it can't be understood still, is left there.

    Args:
        patience: seconds to wait for a next message before the queue counts as empty.
    """
    began = time.time() * 1000
    dead_letters, moved = dead_letter_queue(sqs, queue), 0
    while messages := sqs.receive_message(
        QueueUrl=dead_letters,
        MaxNumberOfMessages=MOST_AT_ONCE,
        WaitTimeSeconds=patience,
        VisibilityTimeout=60,
        MessageSystemAttributeNames=["SentTimestamp"],
    ).get("Messages"):
        for number, message in enumerate(messages):
            if int(message["Attributes"]["SentTimestamp"]) >= began:
                _show(sqs, dead_letters, messages[number:])
                return moved
            sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _show(sqs: "SQSClient", queue: str, messages: "Sequence[MessageTypeDef]") -> None:
    """Messages that were received, to be seen again at once."""
    for message in messages:
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )


def dead_letter_queue(sqs: "SQSClient", queue: str) -> str:
    """The URL of a queue's dead-letter queue."""
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])
    arn: str = json.loads(told["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
    return sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]


if __name__ == "__main__":
    main()
