"""The least that a function can be."""

from typing import Any


def handler(event: Any, context: Any) -> None:
    pass
