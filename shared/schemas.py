"""The JSON bodies: what requests may hold, and what answers do (for the OpenAPI document).

Answers are made as JSON by the statement that has the truth; these models say their shape, and
`shared/listing.py` takes each list's fields, filters and sorts from them.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from unicodedata import category
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

PASSWORD_LENGTH = (8, 128)
"""Characters of a password: the fewest and the most."""
LARGEST_UPLOAD = 5 * 1024**3
"""Bytes: the most that S3 takes in one POST."""


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("printable", "Input should have no control characters")
    return text


def _typed(text: str) -> str:
    if any(category(character) in ("Cc", "Cs") for character in text):
        raise PydanticCustomError("typed", "Input should have no control characters")
    return text


def _text(value: object) -> object:
    if not isinstance(value, str) or (value.isascii() and value.lstrip("-").replace(".", "").isdigit()):
        raise PydanticCustomError("time", "Input should be an RFC 3339 time")
    return value


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "Input should be in the years 1 to 9999") from None


def _fold(email: str) -> str:
    return email.strip().lower()


Number = Annotated[
    Decimal, BeforeValidator(_number), Field(allow_inf_nan=False), WithJsonSchema({"type": "number"})
]
Text = Annotated[str, AfterValidator(_printable)]
Email = Annotated[
    str,
    BeforeValidator(lambda value: _fold(value) if isinstance(value, str) else value),
    Field(
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f.]+$",
        json_schema_extra={"format": "email", "examples": ["ada@example.com"]},
    ),
]
"""An address (RFC 5321 allows 254 characters), folded to lower case: one account an address."""

Money = Annotated[Number, Field(max_digits=18, decimal_places=4)]
"""Credits, signed."""
Amount = Annotated[Money, Field(ge=0)]
Password = Annotated[str, AfterValidator(_typed)]
NewPassword = Annotated[Password, Field(min_length=PASSWORD_LENGTH[0], max_length=PASSWORD_LENGTH[1])]
OperationType = Annotated[str, Field(min_length=1, max_length=64, examples=["addition"])]
Role = Literal["client", "admin"]
Time = Annotated[AwareDatetime, BeforeValidator(_text), AfterValidator(_utc)]
"""An RFC 3339 time; pydantic alone would take seconds since 1970 too."""
Rfc3339 = Annotated[datetime, Field(examples=["2026-11-23T07:00:00.000000Z"])]
ANY_JSON = Field(description="Any JSON value.")


class Request(BaseModel):
    """A request's body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid")


class Change(Request):
    """A PATCH body: what is left out stays as it is; nothing at all is refused, and so is null."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    def model_post_init(self, _: Any) -> None:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "Name at least one field to change")


class Login(Request):
    email: Email
    password: Annotated[Password, Field(min_length=1, max_length=1024)]


class NewAdmin(Request):
    email: Email
    password: NewPassword
    admin_password: Annotated[Password, Field(min_length=1, max_length=1024)]


class OperationCall(Request):
    type: OperationType
    arguments: Annotated[list[Number], Field(max_length=1000)] = []


class NewTask(Request):
    filename: Annotated[Text, Field(min_length=1, max_length=255, examples=["operations.csv"])]
    size: Annotated[int, Field(strict=True, ge=1, le=LARGEST_UPLOAD, description="Bytes of the file.")]


class NewApiKey(Request):
    name: Annotated[Text, Field(min_length=1, max_length=100)]


class NewOperation(Request):
    type: OperationType
    cost: Amount


# What a PATCH leaves out: a default that no caller can send, since null is refused.
LEFT_OUT: Any = Field(default=None)


class OperationChange(Change):
    type: OperationType = LEFT_OUT
    cost: Amount = LEFT_OUT


class NewRecord(Request):
    operation_id: UUID
    user_id: UUID
    amount: Money
    user_balance: Money
    operation_response: Annotated[Any, ANY_JSON]
    date: Time | None = None


class RecordChange(Change):
    operation_id: UUID = LEFT_OUT
    user_id: UUID = LEFT_OUT
    amount: Money = LEFT_OUT
    user_balance: Money = LEFT_OUT
    operation_response: Annotated[Any, ANY_JSON] = LEFT_OUT
    date: Time = LEFT_OUT


class NewUser(Request):
    email: Email
    password: NewPassword
    role: Role = "client"
    balance: Amount | None = Field(default=None, description="The role's opening credit when left out.")


class UserChange(Change):
    email: Email = LEFT_OUT
    password: NewPassword = LEFT_OUT
    role: Role = LEFT_OUT
    balance: Amount = LEFT_OUT


class CreditGrant(Request):
    amount: Money
    reason: Annotated[Text, Field(min_length=1, max_length=500)]


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] | None = None


class Done(BaseModel):
    status: Literal["success"]
    message: str


class SignedIn(Done):
    csrf_token: str
    expires_in: int


class CsrfToken(BaseModel):
    csrf_token: str


class Health(BaseModel):
    status: Literal["ok"]
    database: Literal["ok"]


class Charged(Done):
    result: Annotated[float | str, Field(union_mode="left_to_right")]
    amount: Money
    user_balance: Money
    record_id: UUID


class Granted(BaseModel):
    id: UUID
    user_id: UUID
    amount: Money
    reason: str
    user_balance: Money


class User(BaseModel):
    id: UUID
    email: str
    role: Role
    balance: Money
    created_at: Rfc3339
    deleted_at: Rfc3339 | None = None


class Operation(BaseModel):
    id: UUID
    type: str
    cost: Money
    created_at: Rfc3339
    deleted_at: Rfc3339 | None = None


class Record(BaseModel):
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


class LedgerEntry(BaseModel):
    id: UUID
    user_id: UUID
    kind: Literal["opening", "charge", "batch", "grant", "adjustment"]
    amount: Money
    balance_before: Money
    balance_after: Money
    reference: dict[str, Any]
    date: Rfc3339


class ApiKey(BaseModel):
    id: UUID
    name: str
    created_at: Rfc3339


class ApiKeyCreated(ApiKey):
    key: str = Field(description="Shown this once; send it as `Authorization: Bearer …`.")


TaskStatus = Literal[
    "awaiting_upload", "queued", "processing", "completed", "out_of_credit", "failed", "cancelled"
]


class Task(BaseModel):
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
    error: str | None
    results: str | None = Field(description="Where the result CSV is, once it is complete.")
    created_at: Rfc3339
    started_at: Rfc3339 | None
    updated_at: Rfc3339
    finished_at: Rfc3339 | None


class TaskAccepted(Task):
    task_id: UUID


class UploadGranted(TaskAccepted):
    url: str
    fields: dict[str, str] = Field(description="Form fields to send with the file, which comes last.")
