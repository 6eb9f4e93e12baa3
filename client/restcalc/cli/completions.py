"""Completions that a shell asks for."""

from __future__ import annotations


def complete_operation(incomplete: str) -> list[str]:
    """Return the operations that begin with a text. Without a connection there are none."""
    from restcalc import Client
    from restcalc.cli.invocation import Invocation

    try:
        run = Invocation(as_json=False, profile=None, url=None)
        with Client(run.url, api_key=run.api_key, timeout=2, retries=0) as client:
            types = [operation.type for operation in client.list_operations(sort="type")]
    except Exception:  # an error would appear in the middle of the user's command line
        return []
    return [type for type in types if type.startswith(incomplete)]
