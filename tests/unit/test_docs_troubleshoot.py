"""The troubleshooting pages quote messages that exist in the code, and name every problem type of the API."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from deploy.environment import ROOT
from shared.errors import DomainError
from shared.http.problems import PROBLEMS

HOW_TO = ROOT / "docs" / "how-to"
FOR_USERS, FOR_OPERATORS = HOW_TO / "troubleshoot.md", HOW_TO / "troubleshoot-the-service.md"
CONSOLE = ROOT / "console" / "src"
PYTHON = ("shared", "functions", "worker", "migrations", "localstack", "deploy", "client")
VALUE = "…"
"""Stands for a value of a message, on the pages and here."""
CODE_SPAN = re.compile(r"(`+) ?(.+?) ?\1(?!`)")
PROBLEM_CELL = re.compile(r"\s*(\d{3}) `([a-z-]+)`")


def first_cells(page: str) -> Iterator[str]:
    """Yield the first cell of each row of a page's tables, without their headers."""
    is_row = False
    for line in page.splitlines():
        if line.startswith("| ---"):
            is_row = True
        elif not line.startswith("|"):
            is_row = False
        elif is_row:
            yield line.split("|")[1]


def quoted(page: str) -> list[str]:
    return [span[1] for cell in first_cells(page) for span in CODE_SPAN.findall(cell)]


def python_texts(source: str) -> Iterator[str]:
    """Yield the strings of a module, without docstrings and with VALUE for each value of an f-string."""
    module = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def sql_texts(source: str) -> list[str]:
    return re.findall(r"'([^']*)'", re.sub(r"--.*", "", source))


def console_texts(source: str) -> Iterator[str]:
    """Yield the strings of a TypeScript or Svelte file, with VALUE for each value of a template."""
    for plain, template in re.findall(r'"([^"\n]*)"|`([^`]*)`', source):
        yield plain or re.sub(r"\$\{.*?\}", VALUE, template)


def makefile_texts(source: str) -> list[str]:
    return re.findall(r'echo "([^"]*)"', source)


def html_texts(source: str) -> list[str]:
    return re.findall(r">([^<]+)<", source)


@cache
def messages() -> frozenset[str]:
    """Return all texts that the service, its commands and the console may show."""
    sources = [
        *((path, python_texts) for folder in PYTHON for path in (ROOT / folder).rglob("*.py")),
        *((path, sql_texts) for path in (ROOT / "shared" / "database" / "sql").rglob("*.sql")),
        *((path, console_texts) for kind in ("ts", "svelte") for path in CONSOLE.rglob(f"*.{kind}")),
        *((path, html_texts) for path in (ROOT / "functions").rglob("*.html")),
        (ROOT / "Makefile", makefile_texts),
    ]
    return frozenset(text for path, texts in sources for text in texts(path.read_text("utf-8")))


def missing(quotes: Iterable[str], texts: Iterable[str]) -> list[str]:
    """Return the quotes that no text contains. A quote of one word must be the whole text."""
    whole = set(texts)
    together = "\n".join(whole)
    return [quote for quote in quotes if (quote not in together if " " in quote else quote not in whole)]


@pytest.mark.parametrize("page", [FOR_USERS, FOR_OPERATORS], ids=lambda page: str(page.name))
def test_every_quoted_message_exists_in_the_code(page: Path) -> None:
    quotes = quoted(page.read_text("utf-8"))
    assert len(quotes) > 30
    assert missing(quotes, messages()) == []


def test_page_names_exactly_the_problem_types_of_the_api() -> None:
    cells = first_cells(FOR_USERS.read_text("utf-8"))
    named = {(int(found[1]), found[2]) for cell in cells if (found := PROBLEM_CELL.match(cell))}
    sent = {(problem.status, problem.slug) for kind, problem in PROBLEMS.items() if kind is not DomainError}
    assert named == sent


PAGE = """
| message | cause |
| --- | --- |
| `Port … is used.`, ``Port … is taken.`` | `no message` |
| `busy` `bus` | |
"""
MODULE = """
def check(port):
    "Only a docstring."
    raise Error(f"Port {port} is "
                "used.", "busy")
"""


def test_a_reworded_message_is_missing() -> None:
    quotes = quoted(PAGE)
    assert quotes == ["Port … is used.", "Port … is taken.", "busy", "bus"]
    texts = list(python_texts(MODULE))
    assert missing([*quotes, "a docstring."], texts) == ["Port … is taken.", "bus", "a docstring."]
    assert missing(["No file"], sql_texts("-- can't\nSELECT 'No file arrived'")) == []
    assert list(console_texts('`The bucket refused: ${message}`, "No"')) == ["The bucket refused: …", "No"]
