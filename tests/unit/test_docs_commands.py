"""Make targets and routes in the sentences of pages exist. `tests/docs` runs the commands in blocks."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.environment import ROOT
from tests.support.declared_routes import SERVICE
from tests.unit.test_docs_links import CODE, PAGES, text

MAKE = re.compile(r"(?:\w+=\S* )*make ([^&|;]+)")
ROUTE = re.compile(r"(GET|POST|PATCH|DELETE) (/[^\s?:]*).*")
EXAMPLES = {"GET /api/v1/users/me/last_call"}
"""Routes that the tutorial adds."""


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    files = dict(re.findall(r"^(\w+) := (\S+)$", makefile, re.MULTILINE))
    rules = re.findall(r"^(?:\$\((\w+)\)|([a-z0-9-]+)):", makefile, re.MULTILINE)
    return {files[variable] if variable else name for variable, name in rules}


def code(page: Path) -> Iterator[str]:
    return (found.strip("`") for found in CODE.findall(text(ROOT / page)))


def is_declared(method: str, path: str) -> bool:
    """Return whether a route exists. The contract's tables write it without `/api/v1`."""
    concrete = re.sub(r"\{\w+\}", "id", path)
    matches = (SERVICE.match(method, prefix + concrete) for prefix in ("", "/api/v1"))
    return any(match and match.route.key != "$default" for match in matches)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_make_targets_and_routes_of_the_page_exist(page: Path) -> None:
    commands = [command for found in code(page) if (command := MAKE.fullmatch(found))]
    made = {word for command in commands for word in shlex.split(command[1]) if "=" not in word}
    assert made <= targets()
    routes = [route for found in code(page) if (route := ROUTE.fullmatch(found))]
    unknown = [
        f"{method} {path}"
        for method, path in (route.groups() for route in routes)
        if not is_declared(method, path)
    ]
    assert set(unknown) <= EXAMPLES


def test_unknown_target_and_route_are_found() -> None:
    assert {"up", "build/console/index.html"} <= targets()
    assert "no-such-target" not in targets()
    assert is_declared("GET", "/users/{id}")
    assert not is_declared("GET", "/api/v1/no_such_route")
