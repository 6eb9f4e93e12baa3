"""The commands of the README, the tutorials and the how-tos work, and print what the pages show."""

import re

import pytest

from deploy.environment import ROOT
from tests.support.pages.page import Commands, in_text, pages, steps
from tests.support.pages.runner import Reader

REASONS = {
    ("not run", "needs Docker"),
    ("not run", "needs a package index"),
    ("not run", "needs the predecessor's database"),
    ("rehearsed", "needs an AWS account"),
}
"""Why pages have commands that no test runs."""
ELSEWHERE = re.compile(r"(tests/[\w/]+\.py) runs it")
"""Another reason: a test runs the program with other options."""
ADD_A_MIGRATION = "docs/how-to/add-a-migration.md"
FOLLOWED_ELSEWHERE = {
    "docs/how-to/answer-an-alarm.md": "tests/deploy/test_stack.py",
    "docs/tutorial/first-deploy.md": "tests/deploy/test_stack.py",
    "docs/tutorial/add-an-operation.md": "tests/docs/test_tutorials_with_edits.py",
    "docs/tutorial/add-an-endpoint.md": "tests/docs/test_tutorials_with_edits.py",
}
"""Pages by the file that follows them."""


@pytest.fixture(scope="module")
def reader_of_service(reader: Reader) -> Reader:
    """The reader, after `make up`."""
    reader.make_up()
    return reader


# First, because its `make up` then is the first start of the service.
def test_migration_is_added(reader: Reader) -> None:
    newest = max(path.name[:4] for path in reader.repository.glob("migrations/versions/0*.py"))
    text = (ROOT / ADD_A_MIGRATION).read_text("utf-8")
    text = text.replace("0042", f"{int(newest) + 1:04}").replace("0041", newest)
    reader.follow(in_text(text, ADD_A_MIGRATION))


@pytest.mark.parametrize("page", sorted({*pages()} - {ADD_A_MIGRATION, *FOLLOWED_ELSEWHERE}))
def test_page_is_right(page: str, reader_of_service: Reader) -> None:
    reader_of_service.follow(steps(page))


@pytest.mark.parametrize(("page", "file"), FOLLOWED_ELSEWHERE.items())
def test_page_is_followed_elsewhere(page: str, file: str) -> None:
    assert f'"{page}"' in (ROOT / file).read_text("utf-8")


def test_commands_are_left_out_only_for_known_reasons() -> None:
    every = [step for page in pages() for step in steps(page) if isinstance(step, Commands)]
    left_out = [step for step in every if step.kind != "run" and not is_run_elsewhere(step)]
    assert {(step.kind, step.reason) for step in left_out} == REASONS, [step.place for step in left_out]


def is_run_elsewhere(step: Commands) -> bool:
    named = ELSEWHERE.fullmatch(step.reason)
    program = step.text.split()[0].rpartition("/")[2]
    return named is not None and program in (ROOT / named[1]).read_text("utf-8")
