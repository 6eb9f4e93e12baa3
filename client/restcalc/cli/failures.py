"""Errors as the command line shows them: one line with the cause and the next step, and an exit code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from restcalc.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from restcalc import RestcalcError


class Failure(typer.TyperException):
    """Ends the command with a message for the user."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def not_signed_in(url: str) -> Failure:
    text = f"You are not signed in to {url}. Run `restcalc login`, or set RESTCALC_API_KEY."
    return Failure(text, ExitCode.NOT_SIGNED_IN)


def file_failure(error: OSError) -> Failure:
    """Return the failure for a file that can't be read or written."""
    cause = error.strerror or str(error)
    return Failure(f"{error.filename} can't be used: {cause}." if error.filename else f"{cause}.")


def failure_of(error: RestcalcError) -> Failure:
    """Return the failure for an error of the client."""
    from restcalc import errors

    # The next steps in str(error) are for Python code.
    text = str(error.args[0]) if error.args else str(error)
    if isinstance(error, errors.InvalidInput):
        text = text.replace("#/", "")  # the JSON pointer of a member
    if isinstance(error, errors.NotSignedIn) and error.type == errors.SESSION_ENDED:
        text = "The API key is revoked or has expired, or the session has ended. Run `restcalc login`."
        if os.environ.get("RESTCALC_API_KEY"):
            text = "The service rejected the key in RESTCALC_API_KEY. Set another key, or unset the variable."
    elif isinstance(error, errors.Forbidden) and "'admin'" in text and not os.environ.get("RESTCALC_API_KEY"):
        text = f"{text.partition('.')[0]}. Run `restcalc login --admin`."
    elif error.uncertain:
        text += " The service may have carried the request out."
        if error.idempotency_key:
            text += " Run the same command again: it charges nothing twice."
        else:
            text += " Check before you run the command again."
    elif isinstance(error, errors.TooManyRequests) and error.retry_after:
        text += f" Try again in {error.retry_after:.0f} s."
    return Failure(text, _exit_code(error))


def _exit_code(error: RestcalcError) -> ExitCode:
    from restcalc import errors

    if isinstance(error, errors.NotSignedIn):
        return ExitCode.NOT_SIGNED_IN
    if isinstance(error, errors.InsufficientCredit):
        return ExitCode.NO_CREDIT
    if isinstance(error, errors.Unreachable | errors.ServiceUnavailable | errors.TooManyRequests):
        return ExitCode.UNAVAILABLE
    return ExitCode.REFUSED
