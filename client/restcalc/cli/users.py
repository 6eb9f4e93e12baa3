"""Find users by what an admin knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.failures import Failure

if TYPE_CHECKING:
    from restcalc import Client

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The e-mail or the id.")]


def user_id(client: Client, user: str) -> str:
    """Return the id of a user. Raises: Failure if no user has this e-mail."""
    if "@" not in user:
        return user
    found = client.list_users(email=user, fields=["id"]).page().rows
    if not found:
        raise Failure(f"No user has the e-mail {user}. `restcalc users list` shows all users.")
    return str(found[0].id)
