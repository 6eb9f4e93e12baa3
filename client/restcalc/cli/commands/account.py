"""balance, low-balance, password and sessions."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import add_list
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure
from restcalc.cli.ids import EXAMPLE_ID, id_argument
from restcalc.cli.invocation import Invocation
from restcalc.cli.prompts import new_password
from restcalc.cli.values import as_text, positive_credits


def balance(run: Invocation) -> None:
    """Print your balance in credits."""
    user = run.client.get_current_user()
    run.out.result(user.balance, {"balance": user.balance})


def low_balance(
    run: Invocation,
    threshold: Annotated[
        Decimal | None,
        typer.Argument(metavar="CREDITS", parser=positive_credits, help="The new threshold."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Remove the threshold.")] = False,
) -> None:
    """Print or set the threshold of the event balance.low. To set it, asks for your password.

    Webhooks get the event when your balance falls from the threshold or more to less than it.
    """
    if none and threshold is not None:
        raise Failure("Give an amount or --none, not both.", ExitCode.USAGE)
    if threshold is None and not none:
        present = run.client.get_current_user().low_balance_threshold
        run.out.result("none" if present is None else present, {"low_balance_threshold": present})
        return
    with run.session() as client:
        client.update_current_user(low_balance_threshold=threshold)
    set_to = "removed" if threshold is None else as_text(threshold, for_people=True)
    run.out.done(f"The threshold is {set_to}.", {"low_balance_threshold": threshold})


def password(run: Invocation) -> None:
    """Change your password, and end your other sessions.

    Asks for the present and the new password. Without a terminal, set RESTCALC_PASSWORD and
    RESTCALC_NEW_PASSWORD. API keys keep working.
    """
    with run.session() as client:
        current = run.password
        client.change_password(current, new_password("New password", "RESTCALC_NEW_PASSWORD"))
    run.out.done("The password is changed. Your other sessions have ended.")


def end_session(
    run: Invocation,
    id: Annotated[
        str,
        id_argument("The id of the session. `restcalc sessions list` shows it."),
    ],
) -> None:
    """Sign out one device. Asks for your password."""
    with run.session() as client:
        client.end_session(id)
    run.out.done(f"The session {id} has ended.")


def register(app: typer.Typer) -> None:
    command(app, "balance", "restcalc balance")(balance)
    low_balance_examples = ("restcalc low-balance", "restcalc low-balance 10", "restcalc low-balance --none")
    command(app, "low-balance", *low_balance_examples)(low_balance)
    command(app, "password", "restcalc password")(password)
    sessions = new_app("List the devices on which you are signed in, and sign them out.")
    add_list(
        sessions,
        "list",
        "list_sessions",
        ("id", "created_at", "refreshed_at", "expires_at"),
        "List the devices on which you are signed in with a password.",
        "restcalc sessions list",
        date="created_at",
    )
    command(sessions, "end", f"restcalc sessions end {EXAMPLE_ID}")(end_session)
    app.add_typer(sessions, name="sessions")
