"""users and credit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer

from restcalc.cli.command import NewCallOption, command, new_app
from restcalc.cli.commands.lists import add_list
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure
from restcalc.cli.invocation import Invocation
from restcalc.cli.prompts import confirm, new_password
from restcalc.cli.users import UserArgument, user_id
from restcalc.cli.values import credits
from restcalc.enums import Role, UserStatus

FIELDS = ("id", "email", "role", "status", "balance", "created_at")


BalanceOption = Annotated[
    Decimal | None, typer.Option(metavar="CREDITS", parser=credits, help="The balance.")
]


def show(run: Invocation, user: UserArgument) -> None:
    """Show a user."""
    found = run.client.get_user(user_id(run.client, user))
    run.out.facts({name: getattr(found, name) for name in FIELDS}, found)


def create(
    run: Invocation,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail.")],
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.CLIENT,
    balance: BalanceOption = None,
) -> None:
    """Create a user.

    Asks for the user's password. Without a terminal, set RESTCALC_NEW_PASSWORD. Without a balance the user
    gets the opening credit of the role.
    """
    secret = new_password(f"Password for {email}", "RESTCALC_NEW_PASSWORD")
    with run.once("create_user", email, role, balance) as call:
        user = run.client.create_user(email, secret, role=role, balance=balance, idempotency_key=call.key)
        call.note_replay(user)
        run.out.done(f"Created {user.email} ({user.role}, balance {user.balance:f}).", user)


def update(
    run: Invocation,
    user: UserArgument,
    email: Annotated[str | None, typer.Option("--email", metavar="EMAIL", help="The new e-mail.")] = None,
    role: Annotated[Role | None, typer.Option(help="What the user may do.")] = None,
    status: Annotated[UserStatus | None, typer.Option(help="An inactive user can't sign in or call.")] = None,
    balance: BalanceOption = None,
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a new password, and end all sessions.")
    ] = False,
) -> None:
    """Change a user.

    With `--password` and without a terminal, set RESTCALC_NEW_PASSWORD.
    """
    changes: dict[str, Any] = {"email": email, "role": role, "status": status, "balance": balance}
    changes = {name: value for name, value in changes.items() if value is not None}
    if password:
        changes["password"] = new_password(f"New password for {user}", "RESTCALC_NEW_PASSWORD")
    if not changes:
        raise Failure("Say what to change. See `restcalc users update --help`.", ExitCode.USAGE)
    run.client.update_user(user_id(run.client, user), **changes)
    run.out.done(f"Changed {', '.join(changes)} of {user}.")


def delete(
    run: Invocation,
    user: UserArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete a user, and end the user's sessions. Records and the ledger stay."""
    id = user_id(run.client, user)
    confirm(f"Delete {user}?", yes=yes)
    run.client.delete_user(id)
    run.out.done(f"Deleted {user}.")


def credit(
    run: Invocation,
    user: UserArgument,
    amount: Annotated[
        Decimal, typer.Argument(metavar="AMOUNT", parser=credits, help="Credits. Negative to remove.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, for the ledger.")],
    new_call: NewCallOption = False,
) -> None:
    """Grant a user credit, or remove it with a negative amount.

    If the command is interrupted at any moment, run it again: it grants only once.
    """
    id = user_id(run.client, user)
    with run.once("grant_credit", id, amount, reason, new_call=new_call) as call:
        granted = run.client.grant_credit(id, amount, reason, idempotency_key=call.key)
        call.note_replay(granted)
        run.out.done(
            f"Granted {granted.amount:f} to {user}. The balance is {granted.user_balance:f}.", granted
        )


def register(app: typer.Typer) -> None:
    users = new_app("List, create, change and delete users.")
    examples = (
        "restcalc users list --where status=inactive",
        "restcalc users list --where 'balance<10' --sort balance",
    )
    add_list(
        users, "list", "list_users", FIELDS, "List the users.", *examples, date="created_at", deleted=True
    )
    command(users, "show", "restcalc users show ada@example.com")(show)
    command(users, "create", "restcalc users create ada@example.com --balance 100")(create)
    examples = (
        "restcalc users update ada@example.com --status inactive",
        "restcalc users update ada@example.com --password",
    )
    command(users, "update", *examples)(update)
    command(users, "delete", "restcalc users delete ada@example.com")(delete)
    app.add_typer(users, name="users")
    example = 'restcalc credit ada@example.com 100 --reason "invoice 2026-117"'
    command(app, "credit", example, ignore_unknown_options=True)(credit)
