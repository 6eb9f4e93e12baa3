"""Runs the command line, and turns every error into one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import typer

from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure, failure_of, file_failure

if TYPE_CHECKING:
    from restcalc import RestcalcError

NAME = "restcalc"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of this process, and return its exit code."""
    from restcalc.cli.app import app

    command = typer.main.get_command(app)
    try:
        code: int | None = command.main(arguments, NAME, standalone_mode=False)
    except typer.Abort:
        return _show("Nothing was changed.", ExitCode.REFUSED)
    except typer.TyperException as error:
        return _show(_with_next_step(error), error.exit_code)
    if code == ExitCode.INTERRUPTED:
        return _show("Interrupted.", ExitCode.INTERRUPTED)
    return code or ExitCode.DONE


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the errors of the client and of files as Failure. End silently if a pipe's reader closed it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        if error.filename is None:  # such as a full disk: output that is left would fail again at the exit
            _discard_output()
        raise file_failure(error) from None
    except Exception as error:
        if type(error).__module__ != "restcalc.errors":
            raise
        raise failure_of(cast("RestcalcError", error)) from None


def _with_next_step(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    text = " ".join(error.format_message().split())
    if isinstance(error, Failure) or context is None:
        return text
    sentence = text if text.endswith("?") else f"{text.rstrip('.')}."
    return f"{sentence} See `{context.command_path} --help`."


def _show(message: str, code: int) -> int:
    """Print an error in one red line, and return the exit code."""
    from rich.console import Console

    Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True).print(
        message, style="red"
    )
    return code


def _discard_output() -> None:
    """Let the interpreter flush what is left of the output into nothing: it can't be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
