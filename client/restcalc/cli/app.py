"""The command line with all its commands."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

from restcalc.cli.batch import commands as batch
from restcalc.cli.command import GROUP_SETTINGS
from restcalc.cli.commands import (
    account,
    compute,
    export,
    keys,
    lists,
    prices,
    profiles,
    refund,
    sign_in,
    usage,
    users,
    webhooks,
)
from restcalc.cli.help import HelpGroup

HELP = """The command line of restcalculator: exact calculations, one by one or by the million.

Sign in with `restcalc login`, then calculate: `restcalc compute addition 0.1 0.2`."""


class Root(HelpGroup):
    """The command `restcalc` itself."""

    headings: ClassVar = {
        "Calculate": ("compute", "operations", "batch", "records", "export"),
        "Account": (
            "login",
            "logout",
            "whoami",
            "balance",
            "low-balance",
            "ledger",
            "usage",
            "keys",
            "webhooks",
            "sessions",
            "password",
            "profiles",
        ),
        "For admins": ("users", "credit", "refund", "prices", "audit-log"),
    }


app = typer.Typer(help=HELP, **{**GROUP_SETTINGS, "cls": Root})


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"restcalc {version('restcalc')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for module in (
    compute,
    lists,
    batch,
    export,
    sign_in,
    account,
    usage,
    keys,
    webhooks,
    profiles,
    users,
    refund,
    prices,
):
    module.register(app)
