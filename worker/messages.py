"""Parse SQS messages: the body is an S3 event with one or more records, or S3's test event."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(f"uploads/({_UUID})/({_UUID})\\.csv")


class NotUnderstood(Exception):
    """The message is not about an upload of this service. It belongs in the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The upload that a message names."""

    key: str
    user_id: UUID
    task_id: UUID
    announced: bool
    """Whether S3 sent the message, so the file existed. This service also sends messages, to start a task."""


def uploads(body: str) -> list[Upload]:
    """Return the uploads that a message names: none for S3's test event.

    S3 encodes keys like form data: a space becomes a plus (Amazon S3 User Guide, "Event message structure").

    Raises:
        NotUnderstood: it is not an S3 event, or a key is not an upload's.
    """
    try:
        event: Any = json.loads(body)
        if isinstance(event, Mapping) and event.get("Event") == "s3:TestEvent":
            return []
        return [_upload(record) for record in event["Records"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotUnderstood(f"not an S3 event: {type(error).__name__}") from error


def _upload(record: Mapping[str, Any]) -> Upload:
    key = unquote_plus(record["s3"]["object"]["key"])
    found = _KEY.fullmatch(key)
    if found is None:
        raise NotUnderstood(f"not the key of an upload: {key[:100]!r}")
    return Upload(key, UUID(found[1]), UUID(found[2]), record.get("eventSource") == "aws:s3")
