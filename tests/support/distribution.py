"""How `make test` distributes the tests: tests that share a started service run in one process."""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

LARGE = (
    "deploy/test_stack.py",
    "batch",
    "batch: ends of tasks",
    "e2e",
    "e2e/security",
    "browser/test_console_pages.py",
    "browser",
    "client",
    "docs",
    "fuzz",
    "deploy",
    "batch with the whole service",
    "integration/test_stack.py",
    "faults",
    "machine",
    "soak",
)
"""Groups in the order in which they start. The longest start first, so that none runs alone at the end."""

BY_FILE = {"unit", "integration"}
"""Folders whose files share no service, except an empty Postgres, which each process starts once."""

WHOLE_SERVICE = {"test_attack.py", "test_dead_letters.py", "test_from_outside.py"}
"""Files of tests/batch that use the fixture `running`. The others use `harness`."""

ENDS_OF_TASKS = {
    *("test_credit.py", "test_dry_run.py", "test_ended_results.py", "test_key_limit.py", "test_max_spend.py"),
}
"""Files of tests/batch with a harness of their own. In one process with the others, they would end last."""


def group_of(nodeid: str) -> str:
    """Return the group of a test. One process runs all tests of a group, in their order."""
    _, folder, *rest = PurePosixPath(nodeid.partition("::")[0]).parts
    file = f"{folder}/{rest[-1]}" if rest else folder
    if folder in BY_FILE or file in LARGE:
        return file
    if folder == "batch" and rest[-1] in WHOLE_SERVICE:
        return "batch with the whole service"
    if folder == "batch" and rest[-1] in ENDS_OF_TASKS:
        return "batch: ends of tasks"
    if folder == "e2e" and rest[0] == "security":
        return "e2e/security"
    return folder


def rank(item: pytest.Item) -> int:
    """Return the position of the test's group in LARGE. All other groups come after it."""
    group = group_of(item.nodeid)
    return LARGE.index(group) if group in LARGE else len(LARGE)


class ByGroup(LoadScopeScheduling):
    """Assigns each group as a whole to the next process that is nearly idle."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
