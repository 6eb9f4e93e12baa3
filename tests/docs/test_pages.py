"""The commands of the README, the tutorials and the how-tos work, and print what the pages show."""

import re

import pytest

from deploy.environment import ROOT
from tests.support.pages.page import Commands, Edit, pages, steps
from tests.support.pages.runner import Reader

REASONS = {
    "not run": {
        *(
            "needs Docker",
            "needs an AWS account",
            "needs a package index",
            "needs the predecessor's database",
        ),
    },
    "rehearsed": {"needs an AWS account"},
}
ELSEWHERE = re.compile(r"(tests/[\w/]+\.py) runs it")
"""A reason too: a test runs these commands with other options."""
NOT_YET = {
    "docs/tutorial/first-deploy.md",
    "docs/how-to/add-a-migration.md",
    "docs/how-to/add-an-endpoint.md",
    "docs/how-to/add-an-operation.md",
}
"""Pages whose commands can't be followed step by step yet."""
TO_READ = [
    page
    for page in pages()
    if page not in NOT_YET and not any(isinstance(step, Edit) for step in steps(page))
]


@pytest.mark.parametrize("page", TO_READ)
def test_page_is_right(page: str, reader: Reader) -> None:
    reader.make_up()
    reader.follow(steps(page))


def test_commands_are_left_out_only_for_known_reasons() -> None:
    left_out = [
        step for page in pages() for step in steps(page) if isinstance(step, Commands) and step.kind != "run"
    ]
    assert left_out
    unknown = [f"{step.place} {step.kind}: {step.reason}" for step in left_out if not is_known(step)]
    assert unknown == []


def is_known(step: Commands) -> bool:
    if elsewhere := ELSEWHERE.fullmatch(step.reason):
        program = step.text.split()[0].rpartition("/")[2]
        return program in (ROOT / elsewhere[1]).read_text("utf-8")
    return step.reason in REASONS[step.kind]
