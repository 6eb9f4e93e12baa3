"""The routes in docs/contract.md, and assertion messages that name the file to change."""

import re
from collections.abc import Set
from typing import TypeVar

from deploy.environment import ROOT

PATH = ROOT / "docs" / "contract.md"

Key = TypeVar("Key")


def routes(text: str) -> dict[tuple[str, str], str]:
    """Return each method and path of the tables' first column, with the next cell: who may call it."""
    found = dict[tuple[str, str], str]()
    prefix = ""
    for line in text.splitlines():
        if line.startswith("#"):
            prefix = "/api/v1" if "/api/v1" in line else ""
        elif line.startswith("| `"):
            _, cell, who, *_ = re.split(r"(?<!\\)\|", line)
            for method, path in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^` ]*)", cell):
                found[method, path if "root paths" in cell else prefix + path] = who.strip()
    return found


ROUTES = routes(PATH.read_text("utf-8"))
FOR_ADMINS = {route for route, who in ROUTES.items() if who == "admin"}
"""The routes that only admins may call."""


def assert_agree(found: Set[Key], declared: Set[Key], file: str) -> None:
    """Assert that a file and serverless.yml declare the same names. The message names what to change."""
    missing, unknown = sorted(map(str, declared - found)), sorted(map(str, found - declared))
    assert not missing, f"Add to {file}: {', '.join(missing)}"
    assert not unknown, f"{file} names what serverless.yml does not declare: {', '.join(unknown)}"
