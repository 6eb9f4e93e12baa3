"""Lists: records, ledger and audit-log; and how every list of `restcalc` is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from restcalc.cli.command import command
from restcalc.cli.invocation import Invocation
from restcalc.cli.times import parse_time
from restcalc.cli.values import parse_filter

LIMIT_FOR_PEOPLE = 50
"""The rows that a terminal shows by default."""

WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        "-w",
        metavar="FILTER",
        help="Only rows that match: amount=5, 'amount>=5', operation__in=addition,division, "
        "operation__like=sq%. Repeat it for more conditions.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only rows from this time on: 90m, 24h, 7d, 2w, or 2026-11-24."),
]
UntilOption = Annotated[str | None, typer.Option(metavar="TIME", help="Only rows from before this time.")]
SearchOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="Only rows with this text in the operation, arguments or result."),
]
SortOption = Annotated[
    str | None,
    typer.Option(metavar="FIELDS", help="The order, such as -date,amount. By default the newest first."),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        "-n",
        min=1,
        metavar="N",
        help=f"At most N rows. By default {LIMIT_FOR_PEOPLE} in a terminal, else all.",
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="All rows, also in a terminal.")]
FieldsOption = Annotated[
    str | None,
    typer.Option("--fields", "-f", metavar="FIELDS", help="The fields to show, such as id,amount."),
]
DeletedOption = Annotated[
    bool, typer.Option("--deleted", help="Include deleted rows, which have a deleted_at. For admins.")
]


def filters_of(
    where: Sequence[str] | None, since: str | None, until: str | None, date: str | None
) -> dict[str, Any]:
    """Return the filters of a list. `date` is the field that --since and --until compare."""
    filters: dict[str, Any] = dict(parse_filter(text) for text in where or [])
    if since:
        filters[f"{date}__gte"] = parse_time(since)
    if until:
        filters[f"{date}__lt"] = parse_time(until)
    return filters


def add_list(
    app: typer.Typer,
    name: str,
    method: str,
    columns: Sequence[str],
    help: str,
    *examples: str,
    date: str | None = None,
    searchable: bool = False,
    deleted: bool = False,
) -> None:
    """Add a command that prints the rows of a list.

    Args:
        method: the method of the client.
        columns: the fields that a table shows by default, the most important first.
        date: the field for --since and --until.
        searchable: whether the list has a search.
        deleted: whether the list can show deleted rows.
    """

    def show(
        run: Invocation,
        where: WhereOption = None,
        since: SinceOption = None,
        until: UntilOption = None,
        search: SearchOption = None,
        sort: SortOption = None,
        limit: LimitOption = None,
        all_rows: AllOption = False,
        fields: FieldsOption = None,
        include_deleted: DeletedOption = False,
    ) -> None:
        options: dict[str, Any] = {"search": search} if search else {}
        if include_deleted:
            options["deleted"] = True
        if limit is None and run.out.for_people and not all_rows:
            limit = LIMIT_FOR_PEOPLE
        shown = fields.split(",") if fields else columns
        needed = None if run.out.as_json and not fields else shown
        size = min(limit or 100, 100)
        filters = filters_of(where, since, until, date)
        rows = getattr(run.client, method)(sort=sort, fields=needed, page_size=size, **options, **filters)
        count = run.out.rows(islice(rows, limit), shown)
        if count == limit and run.out.for_people:
            run.out.note(f"The first {count} rows. See more with --limit or --all.")

    absent = {"search": not searchable, "include_deleted": not deleted, "since": not date, "until": not date}
    show.__doc__ = help
    command(app, name, *examples)(_without(show, {name for name, is_absent in absent.items() if is_absent}))


def _without(function: Callable[..., None], names: set[str]) -> Callable[..., None]:
    """Return the function without some of its options, which keep their defaults."""
    signature = inspect.signature(function, eval_str=True)
    kept = [parameter for parameter in signature.parameters.values() if parameter.name not in names]
    function.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return function


def register(app: typer.Typer) -> None:
    add_list(
        app,
        "records",
        "list_records",
        ("date", "operation", "arguments", "operation_response", "amount", "user_balance", "id"),
        "List your calculations. Admins see those of all users.",
        "restcalc records --since 7d --where operation=addition",
        "restcalc records --search 0.3",
        "restcalc records --json | jq -s 'map(.amount) | add'",
        date="date",
        searchable=True,
        deleted=True,
    )
    add_list(
        app,
        "ledger",
        "list_ledger",
        ("date", "kind", "amount", "balance_after", "reference", "id"),
        "List every movement of your credit, with the balance after it.",
        "restcalc ledger --since 2026-11-01 --until 2026-12-01",
        "restcalc ledger --where kind=grant",
        date="date",
    )
    add_list(
        app,
        "audit-log",
        "list_audit_log",
        ("date", "action", "resource", "before", "after", "resource_id", "actor_id"),
        "List which admin changed what, when, and from what to what.",
        "restcalc audit-log --since 24h",
        "restcalc audit-log --where resource=user --where action=update --json",
        date="date",
    )
