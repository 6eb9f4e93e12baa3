"""usage: calls, rows and credits over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.command import command
from restcalc.cli.invocation import Invocation
from restcalc.cli.times import parse_time
from restcalc.enums import UsagePeriod

if TYPE_CHECKING:
    from restcalc.models import Usage

COLUMNS = ("period", "operation", "calls", "rows", "spent")


def usage(
    run: Invocation,
    by: Annotated[UsagePeriod, typer.Option(help="The length of a period.")] = UsagePeriod.DAY,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The first period, such as 7d or 2026-11-01. By default 30 days."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The end, which is not included.")] = None,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="USER", help="An e-mail or id. For admins; by default all."),
    ] = None,
) -> None:
    """Chart what you spent, by day and operation.

    Counts single calls and rows of files. Periods are in UTC.
    """
    from restcalc.cli.users import user_id

    start, end = (parse_time(text) if text else None for text in (since, until))
    found = run.client.get_usage(
        from_=start and _begin(start, by),
        to=end and _begin(end + timedelta(minutes=59), UsagePeriod.HOUR),
        by=by,
        user_id=user and user_id(run.client, user),
    )
    if not run.out.for_people:
        run.out.rows(found.usage, COLUMNS)
        return
    _chart(run, found)


def _begin(time: datetime, period: UsagePeriod) -> datetime:
    """Return the beginning of the period in UTC that contains a time."""
    hour = time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if period is UsagePeriod.HOUR:
        return hour
    return hour.replace(hour=0, day=1) if period is UsagePeriod.MONTH else hour.replace(hour=0)


def _chart(run: Invocation, found: Usage) -> None:
    from restcalc.cli.charts import bars, totals

    if not found.usage:
        run.out.note("Nothing was spent in this time.")
        return
    spent: dict[datetime, Decimal] = {}
    for row in found.usage:
        spent[row.period] = spent.get(row.period, Decimal(0)) + row.spent
    run.out.console.print(bars(found, spent, run.out.console.width))
    run.out.line("")
    run.out.console.print(totals(found))


def register(app: typer.Typer) -> None:
    examples = (
        "restcalc usage",
        "restcalc usage --since 24h --by hour",
        "restcalc usage --since 2026-01-01 --by month --json",
    )
    command(app, "usage", *examples)(usage)
