"""Ids as arguments."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import typer

EXAMPLE_ID = "0193a1c2-7d6e-7f00-8000-000000000000"


def id_argument(help: str, metavar: str = "ID") -> Any:
    """Return the declaration of an argument that is an id, or a list of ids."""
    return typer.Argument(metavar=metavar, parser=id_text, help=help)


def id_text(text: str) -> str:
    """Return an id as it is. Raises: typer.BadParameter if it is none."""
    if not is_id(text):
        raise typer.BadParameter(f"{text!r} is not an id, such as {EXAMPLE_ID}.")
    return text


def is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
