"""Values as text: for a table, for the columns of a pipe, and as options of a command."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import typer

from restcalc.cli.times import local

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def as_text(value: Any, *, for_people: bool) -> str:
    """Return a value of a response as one line of text.

    Control characters, with which a file name or an operation could drive the terminal, become spaces.
    """
    if value is None:
        text = ""
    elif isinstance(value, datetime):
        text = local(value) if for_people else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    elif isinstance(value, Decimal):
        text = decimal_text(value)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:g}"
    elif isinstance(value, str | int):
        text = str(value)
    else:
        text = _structure(value, for_people=for_people)
    return CONTROL.sub(" ", text)


def decimal_text(value: Decimal) -> str:
    """Return a number without an exponent, unless it is very large or very small."""
    return f"{value:f}" if abs(value.adjusted()) < 30 else str(value)


def _structure(value: Any, *, for_people: bool) -> str:
    from msgspec import to_builtins

    from restcalc import to_json

    plain = to_builtins(value, builtin_types=(Decimal,))
    if isinstance(plain, list) and plain and all(isinstance(item, str) for item in plain):
        return ", ".join(plain)
    if for_people and isinstance(plain, dict):
        return ", ".join(
            f"{name}={as_text(member, for_people=True) or 'none'}" for name, member in plain.items()
        )
    return to_json(plain).decode().strip('"')


def credits(text: str) -> Decimal:
    """Parse an amount of credits. Raises: typer.BadParameter."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise typer.BadParameter(f"{text!r} is not a number of credits, such as 100 or 7.5.")
    return amount


def positive_credits(text: str) -> Decimal:
    """Parse an amount above zero. Raises: typer.BadParameter."""
    if (amount := credits(text)) <= 0:
        raise typer.BadParameter(f"{text} is not more than 0.")
    return amount


FILTER = re.compile(r"(\w+?)(__\w+)?(>=|<=|>|<|=)(.*)", re.DOTALL)
OPTIONS_OF_LISTS = {"sort", "fields", "search", "deleted", "page", "page_size", "cursor"}
"""Parameters of lists that are no filters."""
OPERATORS = {">=": "__gte", "<=": "__lte", ">": "__gt", "<": "__lt", "=": ""}


def parse_filter(text: str) -> tuple[str, str]:
    """Return the name and the value of a filter: `type=addition`, `amount>=5`, `operation__in=a,b`.

    Raises: typer.BadParameter.
    """
    match = FILTER.fullmatch(text)
    if not match or (match[2] and match[3] != "=") or match[1] in OPTIONS_OF_LISTS:
        raise typer.BadParameter(
            f"{text!r} is not a filter, such as type=addition, 'amount>=5' or name__like=a%."
        )
    return match[1] + (match[2] or OPERATORS[match[3]]), match[4]
