"""A function that does nothing."""

from typing import Any


def handler(event: Any, context: Any) -> None:
    pass
