"""The types of the members of JSON bodies, with their limits: money, text, e-mails and times."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from unicodedata import category, normalize

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

PASSWORD_LENGTH = (8, 128)
"""Minimum and maximum number of characters of a password."""
_MIN_LENGTH, _MAX_LENGTH = PASSWORD_LENGTH
_SYMBOLS = "@$!%*?&"
PASSWORD_RULES = {
    f"{_MIN_LENGTH} to {_MAX_LENGTH} characters": f"^.{{{_MIN_LENGTH},{_MAX_LENGTH}}}$",
    "a digit": "[0-9]",
    f"one of {_SYMBOLS}": f"[{_SYMBOLS}]",
}
"""The password policy: the text of each rule, and its regular expression, which the console uses too.

`make openapi` writes the console's copy, `console/src/lib/password_policy.json`.
"""
LARGEST_EXPONENT = 308
"""Largest absolute decimal exponent of a number: that of a double."""
EMAIL_LENGTH = 254
"""Maximum number of characters of an e-mail (RFC 5321, section 4.5.3.1.3)."""
EMAIL_PATTERN = r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f.]+$"
LARGEST_UPLOAD = 5 * 1024**3
"""Bytes. The limit of S3 for one POST."""

# Control, format (zero-width, direction), unassigned characters, and surrogates.
_UNPRINTABLE = ("Cc", "Cf", "Cn", "Cs")
# The other characters that show nothing: joiners, fillers and variation selectors (Unicode's property
# Default_Ignorable_Code_Point). With them, two e-mails that look the same would be two accounts.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise PydanticCustomError("number_type", "Input should be a number")
    return value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("printable", "Input should have no control characters")
    return text


def _without_control_characters(text: str) -> str:
    """Reject control characters and surrogates. Unlike `_printable`, allow all others, for passwords."""
    if any(category(character) in ("Cc", "Cs") for character in text):
        raise PydanticCustomError("control_characters", "Input should have no control characters")
    return text


def _time_text(value: object) -> object:
    if not isinstance(value, str) or (value.isascii() and value.lstrip("-").replace(".", "").isdigit()):
        raise PydanticCustomError("time", "Input should be an RFC 3339 time")
    return value


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time", "Input should be in the years 1 to 9999") from None


def _in_a_doubles_range(value: Any) -> Any:
    """Reject numbers at any depth that are short in JSON but have thousands of digits in the database."""
    if isinstance(value, Decimal) and value and abs(value.adjusted()) > LARGEST_EXPONENT:
        raise PydanticCustomError("number_range", "Input should have no number out of a double's range")
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _in_a_doubles_range(member)
    return value


def _fold(email: object) -> object:
    """Return an e-mail as it is stored and compared: stripped, after NFKC and case folding."""
    if not isinstance(email, str) or len(email) > EMAIL_LENGTH:
        return email  # the later checks reject it
    if _INVISIBLE.search(email) or any(category(character) in _UNPRINTABLE for character in email):
        raise PydanticCustomError("email", "Input should have no control, invisible or unassigned characters")
    folded = fold_email(email)
    if not re.search(EMAIL_PATTERN, folded):
        raise PydanticCustomError("email", "Input should be an e-mail address, such as ada@example.com")
    return folded


def fold_email(email: str) -> str:
    """Strip an e-mail, then normalize it to NFKC and fold its case."""
    # Case folding can undo the normalization, so normalize twice (Unicode Standard, section 3.13).
    return normalize("NFKC", normalize("NFKC", email.strip()).casefold())


Number = Annotated[
    Decimal, BeforeValidator(_number), Field(allow_inf_nan=False), WithJsonSchema({"type": "number"})
]
Text = Annotated[str, AfterValidator(_printable)]
Email = Annotated[
    str,
    BeforeValidator(_fold),
    Field(
        max_length=EMAIL_LENGTH,
        pattern=EMAIL_PATTERN,
        json_schema_extra={"format": "email", "examples": ["ada@example.com"]},
    ),
]
"""An e-mail, folded so that two spellings of one address are one account."""
FoldedEmail = Annotated[str, fold_email]
"""An e-mail in a response. A list's filters fold the values that they compare with it."""

Money = Annotated[Number, Field(max_digits=18, decimal_places=4)]
"""Credits, signed."""
Amount = Annotated[Money, Field(ge=0)]
Credits = TypeAliasType(
    "Credits",
    Annotated[
        Decimal,
        WithJsonSchema(
            {
                "anyOf": [{"type": "number"}, {"type": "string"}],
                "description": "Credits: a number, or a decimal string with `Prefer: money=string`.",
            }
        ),
    ],
)
"""Credits in a response. `shared/http/money.py` writes the strings."""
Password = Annotated[str, AfterValidator(_without_control_characters)]
NewPassword = Annotated[Password, Field(min_length=_MIN_LENGTH, max_length=_MAX_LENGTH)]

# Named aliases: the OpenAPI document has one schema of each, to which all members refer.
Role = TypeAliasType("Role", Literal["client", "admin"])
UserStatus = TypeAliasType("UserStatus", Literal["active", "inactive"])
Scope = TypeAliasType("Scope", Literal["read", "compute", "batch", "admin"])
AuditedAction = TypeAliasType(
    "AuditedAction",
    Literal["create", "update", "delete", "grant", "refund", "revoke", "rotate", "start", "cancel", "resume"],
)
AuditedResource = TypeAliasType(
    "AuditedResource", Literal["user", "operation", "record", "task", "api_key", "webhook"]
)
LimitPeriod = TypeAliasType("LimitPeriod", Literal["day", "month", "total"])
LedgerKind = TypeAliasType(
    "LedgerKind", Literal["opening", "charge", "batch", "grant", "adjustment", "refund"]
)
TaskStatus = TypeAliasType(
    "TaskStatus",
    Literal[
        "awaiting_upload",
        "queued",
        "processing",
        "completed",
        "out_of_credit",
        "failed",
        "cancelled",
        "quoted",
    ],
)
ExportResource = TypeAliasType("ExportResource", Literal["records", "ledger"])
ExportFormat = TypeAliasType("ExportFormat", Literal["csv", "jsonl"])
ExportStatus = TypeAliasType("ExportStatus", Literal["queued", "processing", "completed", "failed"])
_WebhookEvent = Literal[
    "task.completed",
    "task.stopped",
    "task.failed",
    "export.completed",
    "balance.low",
    "credit.granted",
    "record.refunded",
]
WebhookEvent = TypeAliasType("WebhookEvent", _WebhookEvent)
"""The events to which a webhook can be subscribed."""
DeliveredEvent = TypeAliasType("DeliveredEvent", Literal[_WebhookEvent, "webhook.test"])
"""The events that a webhook receives."""
DeliveryStatus = TypeAliasType("DeliveryStatus", Literal["pending", "delivered", "failed"])
PauseReason = TypeAliasType("PauseReason", Literal["owner", "failing", "gone"])
UsagePeriod = TypeAliasType("UsagePeriod", Literal["hour", "day", "month"])
TotalRelation = TypeAliasType("TotalRelation", Literal["eq", "gte"])

Time = Annotated[AwareDatetime, BeforeValidator(_time_text), AfterValidator(_utc)]
"""An RFC 3339 time. Pydantic alone would also accept seconds since 1970."""
Rfc3339 = Annotated[datetime, Field(examples=["2026-11-23T07:00:00.000000Z"])]
ANY_JSON = Field(description="Any JSON value.")
SentJson = Annotated[Any, AfterValidator(_in_a_doubles_range), ANY_JSON]
