"""What all tests share: the mark of a test is the folder it stands in."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(item.path.relative_to(TESTS).parts[0])
