"""balance, password and sessions."""

from __future__ import annotations

from typing import Annotated

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import add_list
from restcalc.cli.ids import EXAMPLE_ID, id_argument
from restcalc.cli.invocation import Invocation
from restcalc.cli.prompts import new_password


def balance(run: Invocation) -> None:
    """Print your balance in credits."""
    user = run.client.get_current_user()
    run.out.result(user.balance, {"balance": user.balance})


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
