"""Times as users write and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
FORMS = (
    "Write an age such as 90m, 24h, 7d or 2w, a date such as 2026-11-24, or a time such as 2026-11-24T15:00."
)


def parse_time(text: str) -> datetime:
    """Return the time that a user means: an age, a local date, or a time that is local without a time zone.

    Raises: typer.BadParameter.
    """
    now = datetime.now(UTC)
    if text in ("now", "today", "yesterday"):
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return now if text == "now" else midnight - timedelta(days=text == "yesterday")
    if age := re.fullmatch(r"(\d{1,6})([mhdw])", text):
        return now - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time. {FORMS}") from None


def local(time: datetime) -> str:
    """Return a time for a table: local, to the second."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds: `1:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
