"""The JSON bodies of responses, for the OpenAPI document.

SQL functions produce the JSON. These models describe it, and `shared/lists/listing.py` takes each list's
fields, filters and sort orders from them.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.field_types import (
    ANY_JSON,
    AuditedAction,
    AuditedResource,
    Credits,
    DeliveredEvent,
    DeliveryStatus,
    ExportFormat,
    ExportResource,
    ExportStatus,
    FoldedEmail,
    LedgerKind,
    LimitPeriod,
    PauseReason,
    Rfc3339,
    Role,
    Scope,
    TaskStatus,
    UsagePeriod,
    UserStatus,
    WebhookEvent,
)

LEFT_OUT: Any = None
"""The default of a member that some responses leave out. It is never null."""


class ResponseBody(BaseModel):
    """Builds its validators late: only the OpenAPI document needs them, so functions start faster."""

    model_config = ConfigDict(defer_build=True)


class Problem(ResponseBody):
    """RFC 9457 problem details."""

    type: str = Field(description="A stable URI reference that names the kind of the problem.")
    title: str
    status: int
    detail: str = Field(description="The cause and the next step.")
    instance: str = Field(description="The id of the request.")


class CreditProblem(Problem):
    """The balance does not cover the cost of the call."""

    balance: Credits
    cost: Credits


class InputFault(ResponseBody):
    """One fault of the input."""

    pointer: str = Field(
        description="An RFC 6901 pointer into the body, or below `query`, `path` or `headers`."
    )
    detail: str


class InputProblem(Problem):
    """The input is invalid, or does not fit the state."""

    errors: list[InputFault] = Field(default_factory=list)


class Done(ResponseBody):
    status: Literal["success"]
    message: str


class SignedIn(Done):
    csrf_token: str
    expires_in: int = Field(description="Seconds until the access token expires.")
    access_token: Annotated[str, Field(description="Only with `token`. For `Authorization: Bearer …`.")] = (
        LEFT_OUT
    )


class Session(ResponseBody):
    id: UUID
    created_at: Rfc3339
    refreshed_at: Rfc3339 | None = Field(description="When its tokens were last exchanged for new ones.")
    expires_at: Rfc3339 = Field(description="A refresh extends it.")
    current: bool = Field(description="Whether it is the session of this request.")


class CsrfToken(ResponseBody):
    csrf_token: str


class Health(ResponseBody):
    status: Literal["ok"]
    database: Literal["ok"]


class Charged(Done):
    result: Annotated[float | str, Field(union_mode="left_to_right")]
    amount: Credits
    user_balance: Credits
    record_id: UUID


class Granted(ResponseBody):
    id: UUID
    user_id: UUID
    amount: Credits
    reason: str
    user_balance: Credits


class Refunded(ResponseBody):
    id: UUID = Field(description="The ledger entry.")
    user_id: UUID
    record_id: UUID | None = Field(description="The refunded record; null for the refund of a task.")
    task_id: UUID | None = Field(description="The refunded task, or the task of the refunded record.")
    amount: Credits
    reason: str
    user_balance: Credits


class User(ResponseBody):
    id: UUID
    email: FoldedEmail
    role: Role
    balance: Credits
    created_at: Rfc3339
    deleted_at: Rfc3339 | None = None
    status: UserStatus
    low_balance_threshold: Credits | None = Field(
        description="A movement of money that takes the balance below it emits the event `balance.low`."
    )


class Operation(ResponseBody):
    id: UUID
    type: str
    cost: Credits
    created_at: Rfc3339
    deleted_at: Rfc3339 | None = None


class Record(ResponseBody):
    id: UUID
    user_id: UUID
    operation_id: UUID
    arguments: Annotated[Any, ANY_JSON]
    operation_response: Annotated[Any, ANY_JSON]
    amount: Credits
    user_balance: Credits
    date: Rfc3339
    task_id: UUID | None
    task_row: int | None
    deleted_at: Rfc3339 | None = None
    operation: str = Field(description="The name of the operation.")
    refunded_at: Rfc3339 | None
    refund_id: UUID | None = Field(description="The ledger entry of the refund.")


class LedgerEntry(ResponseBody):
    id: UUID
    user_id: UUID
    kind: LedgerKind
    amount: Credits
    balance_before: Credits
    balance_after: Credits
    reference: dict[str, Any]
    date: Rfc3339


class OperationUsage(ResponseBody):
    period: Annotated[Rfc3339, Field(description="Start of the period.")]
    operation: str
    calls: int = Field(description="Single calls.")
    rows: int = Field(description="Charged rows of files.")
    spent: Credits = Field(description="Charges less refunds, each in the period of its ledger entry.")


class Usage(ResponseBody):
    start: Rfc3339 = Field(alias="from")
    end: Rfc3339 = Field(alias="to")
    by: UsagePeriod
    usage: list[OperationUsage]


class SpendLimit(ResponseBody):
    amount: Credits
    per: LimitPeriod


class AuditedFields(ResponseBody):
    """Fields of the resource, by their names. Those that are money are declared."""

    model_config = ConfigDict(extra="allow")

    amount: Credits = LEFT_OUT
    balance: Credits = LEFT_OUT
    cost: Credits = LEFT_OUT
    low_balance_threshold: Credits | None = LEFT_OUT
    max_spend: Credits | None = LEFT_OUT
    spend_limit: SpendLimit | None = LEFT_OUT
    spent: Credits = LEFT_OUT
    user_balance: Credits = LEFT_OUT


class AuditEntry(ResponseBody):
    id: UUID
    date: Rfc3339
    actor_id: UUID = Field(description="The admin.")
    action: AuditedAction
    resource: AuditedResource
    resource_id: UUID
    before: AuditedFields | None = Field(
        description="The changed fields before the change, or all fields of what was deleted."
    )
    after: AuditedFields | None = Field(
        description="The changed fields after the change, or all fields of what was created."
    )


class ApiKey(ResponseBody):
    id: UUID
    name: str
    created_at: Rfc3339
    scopes: list[Scope]
    expires_at: Rfc3339 | None
    spend_limit: SpendLimit | None
    spent: Credits = Field(
        description="Credits spent in the current period of the limit; without one, in total."
    )
    last_used_at: Rfc3339 | None = Field(description="Updated at most once an hour.")


class ApiKeyCreated(ApiKey):
    key: str = Field(description="Shown only once. Send it as `Authorization: Bearer …`.")


class Webhook(ResponseBody):
    id: UUID
    url: str
    events: list[WebhookEvent]
    description: str | None
    created_at: Rfc3339
    paused: bool = Field(description="Whether it gets no events.")
    paused_at: Rfc3339 | None
    paused_reason: PauseReason | None = Field(
        description="`owner`: by a PATCH; `failing`: three days of failures; `gone`: the URL returned 410."
    )
    failing_since: Rfc3339 | None = Field(
        description="When the first of the consecutive failed attempts failed."
    )
    previous_secret_expires_at: Rfc3339 | None = Field(
        description="Until then, requests are also signed with the previous secret. Null if only one signs."
    )


class WebhookWithSecret(Webhook):
    secret: str = Field(description="Shown only once. It verifies the signatures (Standard Webhooks).")


class WebhookAttempt(ResponseBody):
    """One request of a delivery."""

    sent_at: Rfc3339
    duration_ms: int
    status: int | None = Field(description="The status of the response; null if none came.")
    response: str | None = Field(description="The first 256 characters of the response's body.")
    error: str | None = Field(description="Why no response came.")


class WebhookDelivery(ResponseBody):
    id: UUID
    webhook_id: UUID
    event_id: UUID = Field(
        description="The `webhook-id` of its requests. Ignore ids that you have processed."
    )
    type: DeliveredEvent
    status: DeliveryStatus
    created_at: Rfc3339
    next_attempt_at: Rfc3339 | None = Field(description="Null if the delivery has ended.")
    ended_at: Rfc3339 | None
    attempts: list[WebhookAttempt] = Field(description="The newest 20, the newest first.")


class LowBalance(ResponseBody):
    """The data of the event `balance.low`."""

    user_id: UUID
    balance: Credits
    low_balance_threshold: Credits


class TestedWebhook(ResponseBody):
    """The data of the event `webhook.test`."""

    webhook_id: UUID


class Task(ResponseBody):
    id: UUID
    user_id: UUID
    filename: str
    status: TaskStatus
    bytes_total: int
    bytes_done: int
    rows_done: int
    rows_failed: int
    percentage: float
    rows_per_second: float | None = Field(description="Speed of the current or the last run.")
    seconds_left: int | None = Field(description="Estimate while the task is processing.")
    spent: Credits
    error: str | None = Field(
        description="Why the task did not complete. A task without progress for a day is cancelled."
    )
    results: str | None = Field(
        description="Path of the result CSV, from when it is written until it expires."
    )
    created_at: Rfc3339
    started_at: Rfc3339 | None
    updated_at: Rfc3339
    finished_at: Rfc3339 | None
    dry_run: bool = Field(description="Whether the task only checks and prices the rows.")
    max_spend: Credits | None = Field(description="The task stops before it would spend more than this.")
    cost: Credits | None = Field(description="The price of the rows that a dry run has checked.")
    refunded_at: Rfc3339 | None
    refund_id: UUID | None = Field(description="The ledger entry of the refund.")


class TaskAccepted(Task):
    task_id: UUID


class Export(ResponseBody):
    id: UUID
    user_id: UUID
    resource: ExportResource
    format: ExportFormat
    query: str = Field(description="The query string of the list that is exported.")
    status: ExportStatus
    rows_done: int
    error: str | None
    created_at: Rfc3339
    updated_at: Rfc3339
    finished_at: Rfc3339 | None
    expires_at: Rfc3339 | None = Field(description="When the file is deleted.")


class ExportWithLink(Export):
    url: str | None = Field(description="Link to the file of a completed export, valid for 15 minutes.")


class ResultsLink(ResponseBody):
    url: str = Field(description="Request it without credentials or further headers.")
    expires_at: Rfc3339


class UploadGranted(TaskAccepted):
    url: str
    fields: dict[str, str] = Field(description="Form fields to send before the file.")
