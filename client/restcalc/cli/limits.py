"""Spending limits of API keys, as options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.values import positive_credits
from restcalc.enums import LimitPeriod

if TYPE_CHECKING:
    from restcalc.models import SpendLimit

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
    from restcalc.models import SpendLimit

    amount, slash, name = text.partition("/")
    period = LimitPeriod(name) if slash else LimitPeriod.TOTAL
    if period not in list(LimitPeriod):
        raise typer.BadParameter(f"{text!r} is not a limit, such as 100, 100/day or 100/month.")
    return SpendLimit(positive_credits(amount), period)
