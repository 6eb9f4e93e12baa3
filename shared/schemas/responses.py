"""The JSON bodies of answers, for the OpenAPI document.

Answers are made as JSON by the statement that has the truth; these models say their shape, and
`shared/lists/listing.py` takes each list's fields, filters and sorts from them.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.schemas.field_types import ANY_JSON, FoldedEmail, Money, Rfc3339, Role


class Answer(BaseModel):
    """Only the OpenAPI document needs the models built: a function does not pay for that at its start."""

    model_config = ConfigDict(defer_build=True)


class Problem(Answer):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] | None = None


class Done(Answer):
    status: Literal["success"]
    message: str


class SignedIn(Done):
    csrf_token: str
    expires_in: int


class CsrfToken(Answer):
    csrf_token: str


class Health(Answer):
    status: Literal["ok"]
    database: Literal["ok"]


class Charged(Done):
    result: Annotated[float | str, Field(union_mode="left_to_right")]
    amount: Money
    user_balance: Money
    record_id: UUID


class Granted(Answer):
    id: UUID
    user_id: UUID
    amount: Money
    reason: str
    user_balance: Money


class User(Answer):
    id: UUID
    email: FoldedEmail
    role: Role
    balance: Money
    created_at: Rfc3339
    deleted_at: Rfc3339 | None = None


class Operation(Answer):
    id: UUID
    type: str
    cost: Money
    created_at: Rfc3339
    deleted_at: Rfc3339 | None = None


class Record(Answer):
    id: UUID
    user_id: UUID
    operation_id: UUID
    arguments: Annotated[Any, ANY_JSON]
    operation_response: Annotated[Any, ANY_JSON]
    amount: Money
    user_balance: Money
    date: Rfc3339
    task_id: UUID | None
    task_row: int | None
    deleted_at: Rfc3339 | None = None


class LedgerEntry(Answer):
    id: UUID
    user_id: UUID
    kind: Literal["opening", "charge", "batch", "grant", "adjustment"]
    amount: Money
    balance_before: Money
    balance_after: Money
    reference: dict[str, Any]
    date: Rfc3339


class ApiKey(Answer):
    id: UUID
    name: str
    created_at: Rfc3339


class ApiKeyCreated(ApiKey):
    key: str = Field(description="Shown this once; send it as `Authorization: Bearer …`.")


TaskStatus = Literal[
    "awaiting_upload", "queued", "processing", "completed", "out_of_credit", "failed", "cancelled"
]


class Task(Answer):
    id: UUID
    user_id: UUID
    filename: str
    status: TaskStatus
    bytes_total: int
    bytes_done: int
    rows_done: int
    rows_failed: int
    percentage: float
    rows_per_second: float | None = Field(description="Of the present run, or the last one.")
    seconds_left: int | None = Field(description="An estimate, while it is processing.")
    spent: Money
    error: str | None = Field(
        description="Why it did not complete. One that nothing happened to for a day is cancelled."
    )
    results: str | None = Field(description="Where the result CSV is, once it is complete.")
    created_at: Rfc3339
    started_at: Rfc3339 | None
    updated_at: Rfc3339
    finished_at: Rfc3339 | None


class TaskAccepted(Task):
    task_id: UUID


class ResultsLink(Answer):
    url: str = Field(description="Fetch it without credentials or further headers.")
    expires_at: Rfc3339


class UploadGranted(TaskAccepted):
    url: str
    fields: dict[str, str] = Field(description="Form fields to send with the file, which comes last.")
