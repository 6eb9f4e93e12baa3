"""compute and operations."""

from __future__ import annotations

from typing import Annotated

import typer

from restcalc.cli.command import NewCallOption, command
from restcalc.cli.commands.lists import add_list
from restcalc.cli.completions import complete_operation
from restcalc.cli.invocation import Invocation


def compute(
    run: Invocation,
    operation: Annotated[
        str,
        typer.Argument(
            metavar="OPERATION",
            help="What to calculate. `restcalc operations` lists all operations and their prices.",
            autocompletion=complete_operation,
        ),
    ],
    numbers: Annotated[list[str] | None, typer.Argument(metavar="[NUMBER]...", help="The arguments.")] = None,
    new_call: NewCallOption = False,
) -> None:
    """Calculate, and print the result.

    The call costs the price of the operation. If it is interrupted at any moment, run the same command again:
    it is charged only once.
    """
    arguments = [_number(text) for text in numbers or []]
    with run.once("process_operation", operation, arguments, new_call=new_call) as call:
        charged = run.client.compute(operation, *arguments, idempotency_key=call.key)
        call.note_replay(charged)
        run.out.result(charged.result, charged)
    if run.out.for_people:
        run.out.note(f"cost {charged.amount:f}, balance {charged.user_balance:f}")


def register(app: typer.Typer) -> None:
    examples = (
        "restcalc compute addition 0.1 0.2",
        "restcalc compute square_root 2",
        "restcalc compute random_string",
    )
    command(app, "compute", *examples, ignore_unknown_options=True)(compute)
    add_list(
        app,
        "operations",
        "list_operations",
        ("type", "cost"),
        "List the operations and their prices.",
        "restcalc operations",
        "restcalc operations --sort cost --json",
        deleted=True,
    )


def _number(text: str) -> str:
    from restcalc.codec import number

    try:
        number(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number.") from None
    return text
