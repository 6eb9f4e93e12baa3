"""Completions that a shell asks for."""

from __future__ import annotations

import typer

TIMEOUT_SECONDS = 2
"""The shell shows nothing until the completions arrive."""


def complete_operation(context: typer.Context, incomplete: str) -> list[str]:
    """Return the operations that begin with a text. After an error or the timeout there are none."""
    profile, url = context.params.get("profile"), context.params.get("url")
    try:
        return operations_with(incomplete, profile, url, TIMEOUT_SECONDS)
    except Exception:  # an error would appear in the middle of the user's command line
        return []


def operations_with(prefix: str, profile: str | None, url: str | None, timeout: float) -> list[str]:
    """Return the operations that begin with a text.

    Args:
        profile, url: those of the command line or the environment, as for `Invocation`.
        timeout: seconds to wait for the connection, and for the response.
    """
    from restcalc import Client
    from restcalc.cli.invocation import Invocation

    run = Invocation(as_json=False, profile=profile, url=url)
    with Client(run.url, api_key=run.api_key, timeout=timeout, retries=0) as client:
        return [one.type for one in client.list_operations(sort="type") if one.type.startswith(prefix)]
