"""The messages between the dispatcher, the sender and the recorder, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class _Message:
    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, body: str) -> Self:
        """Parse a message. Raises: ValueError, TypeError or KeyError if it is invalid."""
        return cls(**json.loads(body))


@dataclass(frozen=True, slots=True)
class Attempt(_Message):
    """One request to a webhook, signed. The sender gets neither the secret nor access to the database.

    `number` counts the attempts of the delivery. After `expires_at` (seconds since 1970) the dispatcher may
    claim the delivery again.
    """

    attempt_id: str
    delivery_id: str
    webhook_id: str
    number: int
    url: str
    headers: Mapping[str, str]
    body: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Report(_Message):
    """The result of an attempt.

    `sent_at` is in seconds since 1970. `status` is that of the response, or None without one; then `error` is
    the reason. `response` is the beginning of the response's body. `retry_after` is in seconds. `url` is that
    of the attempt: the webhook may have another one meanwhile.
    """

    attempt_id: str
    delivery_id: str
    webhook_id: str
    number: int
    url: str
    sent_at: float
    duration_ms: int
    status: int | None = None
    response: str | None = None
    error: str | None = None
    retry_after: int | None = None

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300
