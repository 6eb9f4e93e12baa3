"""prices: what operations cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import add_list
from restcalc.cli.completions import complete_operation
from restcalc.cli.failures import Failure
from restcalc.cli.invocation import Invocation
from restcalc.cli.prompts import confirm
from restcalc.cli.values import credits

if TYPE_CHECKING:
    from restcalc import Client
    from restcalc.models import Operation

COLUMNS = ("type", "cost", "created_at", "id")
OperationArgument = Annotated[
    str, typer.Argument(metavar="OPERATION", help="The operation.", autocompletion=complete_operation)
]


def set_price(
    run: Invocation,
    operation: OperationArgument,
    cost: Annotated[
        Decimal, typer.Argument(metavar="COST", parser=credits, help="Credits for one call or row.")
    ],
) -> None:
    """Set the price of an operation, also of one that has none yet."""
    if found := _find(run.client, operation):
        priced = run.client.update_operation(found.id, cost=cost)
        run.out.done(f"{operation} costs {priced.cost:f} instead of {found.cost:f}.", priced)
    else:
        priced = run.client.create_operation(operation, cost)
        run.out.done(f"{operation} costs {priced.cost:f}.", priced)


def delete(
    run: Invocation,
    operation: OperationArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the price of an operation, which then can't be called."""
    found = _get(run.client, operation)
    confirm(f"Delete the price of {operation}, so that it can't be called?", yes=yes)
    run.client.delete_operation(found.id)
    run.out.done(f"{operation} has no price and can't be called.")


def history(run: Invocation, operation: OperationArgument) -> None:
    """List the changes of a price, the newest first."""
    found = _get(run.client, operation)
    entries = run.client.list_audit_log(resource="operation", resource_id=found.id)
    run.out.rows(entries, ("date", "action", "before", "after", "actor_id"))


def register(app: typer.Typer) -> None:
    prices = new_app("List, set and delete the prices of operations.")
    help = "List the prices."
    add_list(prices, "list", "list_operations", COLUMNS, help, "restcalc prices list", deleted=True)
    command(prices, "set", "restcalc prices set addition 7.5")(set_price)
    command(prices, "delete", "restcalc prices delete square_root")(delete)
    command(prices, "history", "restcalc prices history addition")(history)
    app.add_typer(prices, name="prices")


def _find(client: Client, operation: str) -> Operation | None:
    found = client.list_operations(type=operation).page().rows
    return found[0] if found else None


def _get(client: Client, operation: str) -> Operation:
    if found := _find(client, operation):
        return found
    raise Failure(f"{operation} has no price. `restcalc prices list` shows all prices.")
