"""Questions to the user, asked only in a terminal and on standard error."""

from __future__ import annotations

import os
import sys

import typer

from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure


def ask(question: str, variable: str, *, secret: bool = False) -> str:
    """Return the user's answer. `variable` is the environment variable that answers without a terminal.

    Raises: Failure if standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise Failure(f"Set {variable}: standard input is not a terminal.", ExitCode.USAGE)
    while not (answer := _read(f"{question}: ", secret=secret)):
        continue
    return answer


def new_password(question: str, variable: str) -> str:
    """Return a new password from the environment, or ask for it twice."""
    if password := os.environ.get(variable):
        return password
    first = ask(question, variable, secret=True)
    if ask("Repeat it", variable, secret=True) != first:
        raise Failure("The passwords differ. Nothing was changed.", ExitCode.USAGE)
    return first


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation. Raises: typer.Abort if not, Failure without a terminal and without --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure("Add --yes to confirm: standard input is not a terminal.", ExitCode.USAGE)
    if _read(f"{question} [y/N] ").lower() not in ("y", "yes"):
        raise typer.Abort


def _read(prompt: str, *, secret: bool = False) -> str:
    """Read a line. Raises: typer.Abort at the end of the input."""
    if secret:
        from getpass import getpass

        return getpass(prompt)
    print(prompt, end="", file=sys.stderr, flush=True)
    if not (line := sys.stdin.readline()):
        raise typer.Abort
    return line.strip()
