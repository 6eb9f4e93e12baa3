"""Find users by what an admin knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.failures import Failure
from restcalc.cli.ids import EXAMPLE_ID, is_id

if TYPE_CHECKING:
    from restcalc import Client

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The e-mail or the id.")]


def user_id(client: Client, user: str) -> str:
    """Return the id of a user.

    Raises: typer.BadParameter if it is neither an e-mail nor an id, Failure if no user has this e-mail.
    """
    if is_id(user):
        return user
    if "@" not in user:
        raise typer.BadParameter(f"{user!r} is neither an e-mail nor an id, such as {EXAMPLE_ID}.")
    found = client.list_users(email=user, fields=["id"]).page().rows
    if not found:
        raise Failure(f"No user has the e-mail {user}. `restcalc users list` shows all users.")
    return str(found[0].id)
