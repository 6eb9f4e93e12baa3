"""refund: return what a record or a file was charged."""

from __future__ import annotations

from typing import Annotated

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.ids import EXAMPLE_ID, id_argument
from restcalc.cli.invocation import Invocation

ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the ledger.")]


def record(
    run: Invocation,
    id: Annotated[
        str,
        id_argument("The id of the record. `restcalc records` shows it."),
    ],
    reason: ReasonOption,
) -> None:
    """Refund one calculation to the user who paid for it."""
    with run.once("refund_record", id, reason) as call:
        refunded = run.client.refund_record(id, reason, idempotency_key=call.key)
        call.note_replay(refunded)
        run.out.done(
            f"Refunded {refunded.amount:f}. The user's balance is {refunded.user_balance:f}.", refunded
        )


def task(
    run: Invocation,
    id: Annotated[
        str,
        id_argument("The id of the task. `restcalc batch list` shows it.", "TASK"),
    ],
    reason: ReasonOption,
) -> None:
    """Refund all rows of a file, less those that were refunded before."""
    with run.once("refund_task", id, reason) as call:
        refunded = run.client.refund_task(id, reason, idempotency_key=call.key)
        call.note_replay(refunded)
        run.out.done(
            f"Refunded {refunded.amount:f}. The user's balance is {refunded.user_balance:f}.", refunded
        )


def register(app: typer.Typer) -> None:
    refund = new_app("Return what a calculation or a file was charged, once.")
    example = f'{EXAMPLE_ID} --reason "wrong price"'
    command(refund, "record", f"restcalc refund record {example}")(record)
    command(refund, "task", f"restcalc refund task {example}")(task)
    app.add_typer(refund, name="refund")
