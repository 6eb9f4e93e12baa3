"""The patches of pg8000 replace private code. These tests fail when the driver changes that code."""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import pg8000.native
import pytest
from pg8000 import core

from shared.database import pg8000_patches

PATCHED_CODE: dict[str, tuple[Callable[..., Any], str]] = {
    "execute_unnamed": (core.CoreConnection.execute_unnamed, "2e8af5bad64b6640"),
    "prepare_statement": (core.CoreConnection.prepare_statement, "94febc504939892b"),
    "execute_named": (core.CoreConnection.execute_named, "424d4c9751757992"),
    "handle_messages": (core.CoreConnection.handle_messages, "f3450a3764f06985"),
    "handle_DATA_ROW": (core.CoreConnection.handle_DATA_ROW, "d6a80acc05cbc255"),
    "handle_COPY_DATA": (core.CoreConnection.handle_COPY_DATA, "d600b4bbf98a3a86"),
    "to_statement": (inspect.unwrap(pg8000.native.to_statement), "84da27c9c28e4cd3"),
    "native run": (pg8000.native.Connection.run, "66cce1013a47d1b3"),
}
"""The driver's functions that the patches replace or rely on, and the start of their source's SHA-256."""


@pytest.mark.parametrize("name", PATCHED_CODE)
def test_patched_code_of_the_driver_is_unchanged(name: str) -> None:
    function, expected = PATCHED_CODE[name]
    digest = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]
    assert digest == expected, f"pg8000 changed {name}: review shared/database/pg8000_patches.py"


def test_patches_are_applied() -> None:
    assert core.FLUSH_MSG == b""
    pg8000.native.to_statement("SELECT :a")
    assert pg8000.native.to_statement("SELECT :a") is pg8000.native.to_statement("SELECT :a")
    assert pg8000_patches.Connection.execute_unnamed is not core.CoreConnection.execute_unnamed
