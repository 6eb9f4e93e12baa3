"""Read how often each operation was called and what was spent on it, by period."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from shared import database
from shared.auth.caller import Caller
from shared.errors import InvalidInput, NotFound, StatementTimeout
from shared.schemas.field_types import UsagePeriod

DEFAULT_RANGE = timedelta(days=30)
PERIODS_LIMIT = 1000
"""Maximum number of periods in one response."""
ROWS_LIMIT = 2_000_000
"""Maximum number of rows of `usage_hours` that one request adds up."""
_FIRST = datetime.min.replace(tzinfo=UTC)


def read(
    caller: Caller, start: datetime | None, end: datetime | None, by: UsagePeriod, user_id: UUID | None
) -> str:
    """Return the usage by period and operation, as JSON.

    Args:
        start: the first hour; by default, 30 days before `end`.
        end: the hour after the last one; by default, the end of the current day in UTC.
        user_id: the user; None for the caller, or for all users if the caller is an admin.

    Raises:
        InvalidInput: the range is empty, has too many periods or too much usage, or begins or ends within
            an hour.
        NotFound: the user does not exist, or the caller may not see their usage.
    """
    end = end or _midnight(datetime.now(UTC)) + timedelta(days=1)
    start = start or end - min(DEFAULT_RANGE, end - _FIRST)
    _check_range(start, end, by)
    if caller.visible_owner is not None and user_id not in (None, caller.visible_owner):
        raise NotFound("There is no such user.")
    user_id = user_id or caller.visible_owner
    try:
        row = database.only("usage", user_id=user_id, start=start, end=end, by=by, rows_limit=ROWS_LIMIT)
    except StatementTimeout:
        raise _too_long(user_id) from None
    if not row["user_known"]:
        raise NotFound("There is no such user.")
    if row["is_over_limit"]:
        raise _too_long(user_id)
    return str(row["body"])


def _too_long(user_id: UUID | None) -> InvalidInput:
    one_user = "" if user_id else ", or one user in user_id"
    return InvalidInput.at(
        "#/query/from", f"from: the range has too much usage to add up. Send a shorter range{one_user}."
    )


def _check_range(start: datetime, end: datetime, by: UsagePeriod) -> None:
    for name, moment in (("from", start), ("to", end)):
        if moment != moment.replace(minute=0, second=0, microsecond=0):
            raise InvalidInput.at(
                f"#/query/{name}", f"{name}: usage is counted by the hour, so send a full hour in UTC."
            )
    if start >= end:
        raise InvalidInput.at("#/query/from", "from: the range is empty, because from is not before to.")
    if (periods := _periods(start, end, by)) > PERIODS_LIMIT:
        raise InvalidInput.at(
            "#/query/from",
            f"from: the range has {periods:,} periods, and the limit is {PERIODS_LIMIT:,}. Send a shorter"
            " range or a longer period in by.",
        )


def _periods(start: datetime, end: datetime, by: UsagePeriod) -> int:
    """Return the number of periods that begin or end within the range."""
    last = end - timedelta(hours=1)
    match by:
        case "hour":
            return (end - start) // timedelta(hours=1)
        case "day":
            return (_midnight(last) - _midnight(start)).days + 1
        case "month":
            return (last.year - start.year) * 12 + last.month - start.month + 1


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
