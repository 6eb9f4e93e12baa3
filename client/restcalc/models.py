"""What the service returns: frozen objects with exact numbers.

Money is `Decimal` in credits, times are `datetime` in UTC, ids are `UUID`. A newer service may send further
members, which are ignored, and further values of an enum, which are kept as text.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import msgspec

from restcalc.base_models import Model, ReplayableModel
from restcalc.enums import (
    AuditedAction,
    AuditedResource,
    DeliveredEvent,
    DeliveryStatus,
    ExportFormat,
    ExportResource,
    ExportStatus,
    LedgerKind,
    LimitPeriod,
    PauseReason,
    Role,
    Scope,
    TaskStatus,
    TotalRelation,
    UsagePeriod,
    UserStatus,
    WebhookEvent,
)

if TYPE_CHECKING:
    Result = Decimal | str
else:
    Result = Any  # msgspec can't decode a union of Decimal and str

T = TypeVar("T")


class SignedIn(Model, frozen=True):
    status: str
    message: str
    csrf_token: str
    expires_in: int
    """Seconds until the access token expires. The client refreshes it."""
    access_token: str | None = None


class CsrfToken(Model, frozen=True):
    csrf_token: str


class User(ReplayableModel, frozen=True):
    id: UUID
    email: str
    role: Role
    balance: Decimal
    created_at: datetime
    status: UserStatus
    low_balance_threshold: Decimal | None
    """A movement of money that takes the balance below it emits the event `balance.low`."""
    deleted_at: datetime | None = None


class Session(Model, frozen=True):
    id: UUID
    created_at: datetime
    refreshed_at: datetime | None
    expires_at: datetime
    current: bool
    """Whether it is the session of this client."""


class SpendLimit(Model, frozen=True):
    amount: Decimal
    per: LimitPeriod


class ApiKey(Model, frozen=True):
    id: UUID
    name: str
    created_at: datetime
    scopes: list[Scope]
    expires_at: datetime | None
    spend_limit: SpendLimit | None
    spent: Decimal
    """Credits spent in the present period of the limit, or in total."""
    last_used_at: datetime | None


class ApiKeyCreated(ApiKey, frozen=True):
    key: str
    """The secret. The service shows it only once."""


class Operation(ReplayableModel, frozen=True):
    """An operation and its price."""

    id: UUID
    type: str
    cost: Decimal
    created_at: datetime
    deleted_at: datetime | None = None


class Charged(ReplayableModel, frozen=True):
    """The result of a calculation and what it cost."""

    status: str
    message: str
    result: Result
    amount: Decimal
    user_balance: Decimal
    record_id: UUID

    def __post_init__(self) -> None:
        result: Any = self.result
        if isinstance(result, int):
            msgspec.structs.force_setattr(self, "result", Decimal(result))


class Record(ReplayableModel, frozen=True):
    """One calculation. `task_id` and `task_row` say which row of which file it was."""

    id: UUID
    user_id: UUID
    operation_id: UUID
    arguments: Any
    operation_response: Any
    amount: Decimal
    user_balance: Decimal
    date: datetime
    task_id: UUID | None
    task_row: int | None
    operation: str
    refunded_at: datetime | None
    refund_id: UUID | None
    deleted_at: datetime | None = None


class LedgerEntry(Model, frozen=True):
    """One movement of money."""

    id: UUID
    user_id: UUID
    kind: LedgerKind
    amount: Decimal
    balance_before: Decimal
    balance_after: Decimal
    reference: dict[str, Any]
    date: datetime


class AuditEntry(Model, frozen=True):
    """One change by an admin."""

    id: UUID
    date: datetime
    actor_id: UUID
    action: AuditedAction
    resource: AuditedResource
    resource_id: UUID
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Granted(ReplayableModel, frozen=True):
    id: UUID
    user_id: UUID
    amount: Decimal
    reason: str
    user_balance: Decimal


class Refunded(ReplayableModel, frozen=True):
    id: UUID
    user_id: UUID
    record_id: UUID | None
    task_id: UUID | None
    amount: Decimal
    reason: str
    user_balance: Decimal


class OperationUsage(Model, frozen=True):
    period: datetime
    operation: str
    calls: int
    rows: int
    spent: Decimal


class Usage(Model, frozen=True):
    from_: datetime = msgspec.field(name="from")
    to: datetime
    by: UsagePeriod
    usage: list[OperationUsage]


class Task(ReplayableModel, frozen=True):
    """The processing of one file."""

    id: UUID
    user_id: UUID
    filename: str
    status: TaskStatus
    bytes_total: int
    bytes_done: int
    rows_done: int
    rows_failed: int
    percentage: float
    rows_per_second: float | None
    seconds_left: int | None
    spent: Decimal
    error: str | None
    """Why the task did not complete."""
    results: str | None
    """The path of the results, from when they are written until they expire."""
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    dry_run: bool
    max_spend: Decimal | None
    cost: Decimal | None
    """The price of the rows that a dry run has checked."""
    refunded_at: datetime | None
    refund_id: UUID | None


class TaskAccepted(Task, frozen=True):
    task_id: UUID


class UploadGranted(TaskAccepted, frozen=True):
    """A new task, and the form with which its file is uploaded. The form is valid for 15 minutes."""

    url: str
    fields: dict[str, str]


class ResultsLink(Model, frozen=True):
    url: str
    expires_at: datetime


class Export(ReplayableModel, frozen=True):
    id: UUID
    user_id: UUID
    resource: ExportResource
    format: ExportFormat
    query: str
    status: ExportStatus
    rows_done: int
    error: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


class ExportWithLink(Export, frozen=True):
    url: str | None
    """A link to the file of a completed export, valid for 15 minutes."""


class Webhook(Model, frozen=True):
    id: UUID
    url: str
    events: list[WebhookEvent]
    description: str | None
    created_at: datetime
    paused: bool
    paused_at: datetime | None
    paused_reason: PauseReason | None
    failing_since: datetime | None
    """When the first of the failed attempts in a row failed."""
    previous_secret_expires_at: datetime | None
    """Until then, the secret before the last rotation signs too."""


class WebhookWithSecret(Webhook, frozen=True):
    secret: str
    """Verifies the signatures. The service shows it only once."""


class WebhookAttempt(Model, frozen=True):
    """One request of a delivery."""

    sent_at: datetime
    duration_ms: int
    status: int | None
    response: str | None
    """The first characters of the response's body."""
    error: str | None
    """Why no response came."""


class WebhookDelivery(Model, frozen=True):
    """An event for one webhook."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    """The `webhook-id` of its requests."""
    type: DeliveredEvent
    status: DeliveryStatus
    created_at: datetime
    next_attempt_at: datetime | None
    ended_at: datetime | None
    attempts: list[WebhookAttempt]
    """The newest 20, the newest first."""


class InputFault(Model, frozen=True):
    """One fault of the input."""

    pointer: str
    """An RFC 6901 pointer into the body, or below `query`, `path` or `headers`."""
    detail: str


class Health(Model, frozen=True):
    status: str
    database: str


class Page(Model, Generic[T], frozen=True):
    """One page of a list."""

    rows: list[T]
    next_cursor: str | None
    """The cursor of the next page. None on the last page."""
    total: int | None = None
    """The number of all rows, or a lower bound. None for a page that a cursor selected."""
    total_relation: TotalRelation | None = None
    total_pages: int | None = None
