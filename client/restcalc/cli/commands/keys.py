"""keys: API keys for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import add_list
from restcalc.cli.ids import EXAMPLE_ID, id_argument
from restcalc.cli.invocation import Invocation
from restcalc.cli.limits import SpendLimitOption, spend_limit
from restcalc.cli.prompts import confirm
from restcalc.cli.times import parse_time
from restcalc.enums import Scope

FIELDS = ("id", "name", "scopes", "spent", "spend_limit", "expires_at", "last_used_at")


def create(
    run: Invocation,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What the key may do. Repeat it for more. By default read, compute and batch."),
    ] = None,
    spend_limit_text: SpendLimitOption = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the key expires, such as 2027-01-31.")
    ] = None,
) -> None:
    """Create an API key for a program, and print it once. Asks for your password."""
    limit = spend_limit(spend_limit_text)
    expires_at = parse_time(expires) if expires else None
    with run.session() as client:
        created = client.create_api_key(name, scopes=scope, expires_at=expires_at, spend_limit=limit)
    if run.out.for_people:
        run.out.note(f"The key {created.id} is shown only now. Programs use it as RESTCALC_API_KEY:")
    run.out.result(created.key, created)


def revoke(
    run: Invocation,
    id: Annotated[
        str,
        id_argument("The id of the key. `restcalc keys list` shows it."),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Revoke an API key, which stops working at once. Asks for your password."""
    confirm(f"Revoke the key {id}?", yes=yes)
    with run.session() as client:
        client.revoke_api_key(id)
    run.out.done(f"Revoked the key {id}.")


def register(app: typer.Typer) -> None:
    keys = new_app("List, create and revoke API keys for programs.")
    add_list(
        keys,
        "list",
        "list_api_keys",
        FIELDS,
        "List your API keys, without their secrets.",
        "restcalc keys list",
        date="created_at",
    )
    examples = (
        "restcalc keys create nightly --scope compute --spend-limit 100/day",
        "KEY=$(restcalc keys create ci)",
    )
    command(keys, "create", *examples)(create)
    command(keys, "revoke", f"restcalc keys revoke {EXAMPLE_ID}")(revoke)
    app.add_typer(keys, name="keys")
