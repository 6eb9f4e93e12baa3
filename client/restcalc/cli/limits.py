"""Spending limits of API keys, as options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.values import positive_credits

if TYPE_CHECKING:
    from restcalc.models import SpendLimit

PERIODS = ("day", "month", "total")

SpendLimitOption = Annotated[
    str | None,
    typer.Option(
        "--spend-limit",
        metavar="AMOUNT[/day|/month]",
        help="What the key may spend: in total, or per day or month.",
    ),
]


def spend_limit(text: str | None) -> SpendLimit | None:
    """Parse a limit: `100/month`, or `100` in total. Raises: typer.BadParameter."""
    if text is None:
        return None
    from restcalc.enums import LimitPeriod
    from restcalc.models import SpendLimit

    amount, _, period = text.partition("/")
    if (period or "total") not in PERIODS:
        raise typer.BadParameter(f"{text!r} is not a limit, such as 100, 100/day or 100/month.")
    return SpendLimit(positive_credits(amount), LimitPeriod(period or "total"))
