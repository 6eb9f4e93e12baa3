"""profiles: the deployments that the user signs in to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.invocation import Invocation


@dataclass(frozen=True)
class Row:
    """A profile in the list."""

    current: bool
    name: str
    url: str
    email: str
    key_store: str


def show(run: Invocation) -> None:
    """List the profiles, and which one commands use."""
    current = run.profiles.current
    rows = [Row(p.name == current, p.name, p.url, p.email, p.key_store) for p in run.profiles]
    run.out.rows(rows, ("name", "current", "url", "email", "key_store"))


def use(
    run: Invocation, name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the profile.")]
) -> None:
    """Choose the profile that commands use."""
    run.profiles.use(name)
    run.out.done(f"Commands use {run.profiles.get(name).url}.")


def register(app: typer.Typer) -> None:
    profiles = new_app("List the deployments that you are signed in to, and choose one.")
    command(profiles, "list", "restcalc profiles list")(show)
    command(profiles, "use", "restcalc profiles use production")(use)
    app.add_typer(profiles, name="profiles")
