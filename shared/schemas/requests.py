"""The JSON bodies of requests. Unknown members are rejected."""

from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from shared.schemas.field_types import (
    LARGEST_UPLOAD,
    Amount,
    Email,
    ExportFormat,
    ExportResource,
    LimitPeriod,
    Money,
    NewPassword,
    Password,
    Role,
    Scope,
    SentJson,
    Text,
    Time,
    UserStatus,
    WebhookEvent,
)

LONGEST_WEBHOOK_URL = 1000
"""Characters."""
T = TypeVar("T")


class Request(BaseModel):
    """A request's body. It rejects unknown members, and builds its validators at first use."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    def __repr__(self) -> str:
        """Return the name of the model. Powertools formats the body of every request for its debug log."""
        return type(self).__name__


class Change(Request):
    """A PATCH body. Missing members stay unchanged.

    An empty body is rejected, and null too, unless the member can be removed.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    def model_post_init(self, _: Any) -> None:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "Name at least one field to change")


class Login(Request):
    email: Email
    password: Annotated[Password, Field(min_length=1, max_length=1024)]
    token: Annotated[
        bool, Field(strict=True, description="For programs: return the token, set no cookies.")
    ] = False


class PasswordChange(Request):
    current_password: Annotated[Password, Field(min_length=1, max_length=1024)]
    new_password: NewPassword


class NewAdmin(Request):
    email: Email
    password: NewPassword
    admin_password: Annotated[Password, Field(min_length=1, max_length=1024)]


MaxSpend = Annotated[Money, Field(gt=0)] | None


class NewTask(Request):
    filename: Annotated[Text, Field(min_length=1, max_length=255, examples=["operations.csv"])]
    size: Annotated[int, Field(strict=True, ge=1, le=LARGEST_UPLOAD, description="Bytes of the file.")]
    dry_run: Annotated[bool, Field(strict=True, description="Check and price all rows, and charge none.")] = (
        False
    )
    max_spend: Annotated[
        MaxSpend, Field(description="Credits. The task stops before it would spend more than this.")
    ] = None


class Resumption(Request):
    max_spend: Annotated[
        MaxSpend, Field(description="The new limit of the whole task; null removes it. By default it stays.")
    ] = None


def _distinct(names: list[T]) -> list[T]:
    if len(set(names)) < len(names):
        raise PydanticCustomError("distinct", "Input should contain each name once")
    return names


class NewExport(Request):
    resource: ExportResource
    format: ExportFormat = "csv"
    filters: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=10_000)]],
        Field(
            max_length=100,
            description="The list's filters, such as `date__gte`.",
            examples=[{"operation": "addition"}],
        ),
    ] = {}
    fields: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(
            max_length=100,
            description="The fields of each row, all by default.",
            examples=[["date"]],
            json_schema_extra={"uniqueItems": True},
        ),
        AfterValidator(_distinct),
    ] = []


class NewSpendLimit(Request):
    amount: Annotated[Money, Field(gt=0)]
    per: LimitPeriod = Field(description="A UTC day, a UTC month, or the life of the key.")


class NewApiKey(Request):
    name: Annotated[Text, Field(min_length=1, max_length=100)]
    scopes: Annotated[
        list[Scope],
        Field(min_length=1, max_length=4, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_distinct),
    ] = ["read", "compute", "batch"]
    expires_at: Time | None = Field(
        default=None, description="In the future. A key without it does not expire."
    )
    spend_limit: NewSpendLimit | None = None


# The default of a field that a PATCH body omits. A client cannot send it, because null is rejected.
LEFT_OUT: Any = Field(default=None)


def _webhook_url(url: str) -> str:
    # Imported here, because only two functions need them.
    from shared.settings import settings
    from shared.webhook_url import InvalidUrl, parse

    try:
        parse(url, allows_loopback=settings().allows_loopback)
    except InvalidUrl as error:
        raise PydanticCustomError("webhook_url", "{reason}", {"reason": str(error)}) from None
    return url


WebhookUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_WEBHOOK_URL,
        description="https, to a public host that has an IPv4 address.",
        examples=["https://hooks.example.com/restcalculator"],
    ),
    AfterValidator(_webhook_url),
]
WebhookEvents = Annotated[
    list[WebhookEvent],
    Field(min_length=1, max_length=7, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_distinct),
]
WebhookDescription = Annotated[Text, Field(min_length=1, max_length=200)]


class NewWebhook(Request):
    url: WebhookUrl
    events: WebhookEvents
    description: WebhookDescription | None = None


class WebhookChange(Change):
    url: WebhookUrl = LEFT_OUT
    events: WebhookEvents = LEFT_OUT
    description: WebhookDescription | None = Field(default=None, description="Null removes it.")
    paused: Annotated[bool, Field(strict=True, description="While it is true, no event is sent.")] = LEFT_OUT


class AccountChange(Change):
    low_balance_threshold: Annotated[Money, Field(gt=0)] | None = Field(
        default=None,
        description="Credits. A movement that takes the balance below it emits `balance.low`. Null for none.",
    )


class OperationChange(Change):
    cost: Amount = LEFT_OUT


class NewRecord(Request):
    operation_id: UUID
    user_id: UUID
    amount: Money
    user_balance: Money
    operation_response: SentJson
    date: Time | None = None


class RecordChange(Change):
    operation_id: UUID = LEFT_OUT
    user_id: UUID = LEFT_OUT
    amount: Money = LEFT_OUT
    user_balance: Money = LEFT_OUT
    operation_response: SentJson = LEFT_OUT
    date: Time = LEFT_OUT


class NewUser(Request):
    email: Email
    password: NewPassword
    role: Role = "client"
    balance: Amount | None = Field(default=None, description="By default, the role's opening credit.")
    status: UserStatus = "active"


class UserChange(Change):
    email: Email = LEFT_OUT
    password: NewPassword = LEFT_OUT
    role: Role = LEFT_OUT
    balance: Amount = LEFT_OUT
    status: UserStatus = LEFT_OUT


def _not_zero(amount: Decimal) -> Decimal:
    if not amount:
        raise PydanticCustomError("not_zero", "Input should not be zero")
    return amount


Reason = Annotated[Text, Field(min_length=1, max_length=500)]


class CreditGrant(Request):
    amount: Annotated[Money, AfterValidator(_not_zero)]
    reason: Reason


class Refund(Request):
    reason: Reason
