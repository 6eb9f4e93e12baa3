"""Parse SQS messages: the body is an S3 event with one or more records, or S3's test event.

Messages about exports have the same form.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UPLOAD = re.compile(f"uploads/({_UUID})/({_UUID})\\.csv")
_EXPORT = re.compile(f"exports/({_UUID})/({_UUID})\\.(?:csv|jsonl)")


class InvalidMessage(Exception):
    """The message is about neither an upload nor an export of this service. No retry helps."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The upload that a message names."""

    key: str
    user_id: UUID
    task_id: UUID
    announced: bool
    """Whether S3 sent the message, so the file existed. This service also sends messages, to start a task."""


@dataclass(frozen=True, slots=True)
class Export:
    """The export that a message names."""

    key: str
    user_id: UUID
    export_id: UUID


def files(body: str) -> list[Upload | Export]:
    """Return the files that a message names: none for S3's test event.

    S3 encodes keys like form data: a space becomes a plus (Amazon S3 User Guide, "Event message structure").

    Raises:
        InvalidMessage: it is not an S3 event, or a key is neither an upload's nor an export's.
    """
    try:
        event: Any = json.loads(body)
        if isinstance(event, Mapping) and event.get("Event") == "s3:TestEvent":
            return []
        return [_file(record) for record in event["Records"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidMessage(f"not an S3 event: {type(error).__name__}") from error


def _file(record: Mapping[str, Any]) -> Upload | Export:
    key = unquote_plus(record["s3"]["object"]["key"])
    if found := _UPLOAD.fullmatch(key):
        return Upload(key, UUID(found[1]), UUID(found[2]), record.get("eventSource") == "aws:s3")
    if found := _EXPORT.fullmatch(key):
        return Export(key, UUID(found[1]), UUID(found[2]))
    raise InvalidMessage(f"not the key of an upload or an export: {key[:100]!r}")
