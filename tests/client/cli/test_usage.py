"""usage: rows for programs and a chart for people."""

import json
from collections.abc import Callable

import pytest

from restcalc.cli.exit_codes import ExitCode
from tests.support.command_line.runner import CommandLine, plain


@pytest.fixture(scope="module")
def spender(new_user: Callable[..., CommandLine]) -> CommandLine:
    user = new_user()
    for operation, numbers in (("addition", (1, 2)), ("addition", (3, 4)), ("square_root", (2,))):
        assert user("compute", operation, *numbers).code == 0
    return user


def test_usage_has_a_row_for_each_period_and_operation(spender: CommandLine) -> None:
    rows = spender("usage").rows
    assert rows[0] == ["period", "operation", "calls", "rows", "spent"]
    assert sorted(row[1:] for row in rows[1:]) == [
        ["addition", "2", "0", "10"],
        ["square_root", "1", "0", "5"],
    ]
    hours = [
        json.loads(line)
        for line in spender("usage", "--by", "hour", "--since", "2h", "--json").out.splitlines()
    ]
    assert sum(row["spent"] for row in hours) == 15


def test_terminal_shows_bars_and_totals(spender: CommandLine) -> None:
    lines = plain(spender("usage", terminal=True).out).splitlines()
    assert "█" in lines[0]
    assert " 15 " in lines[0]
    table = [line.split() for line in lines[-4:]]
    assert table == [
        ["operation", "calls", "rows", "spent"],
        ["addition", "2", "0", "10"],
        ["square_root", "1", "0", "5"],
        ["total", "3", "0", "15"],
    ]
    assert "█" in spender("usage", "--by", "month", terminal=True).out


def test_time_without_usage_says_so(spender: CommandLine) -> None:
    result = spender("usage", "--since", "2020-01-01", "--until", "2020-02-01", terminal=True)
    assert plain(result.err) == "Nothing was spent in this time."
    assert spender("usage", "--by", "year").code == ExitCode.USAGE


def test_admin_sees_the_usage_of_one_user(root: CommandLine, spender: CommandLine) -> None:
    rows = root("usage", "--user", spender.email).rows[1:]
    assert sum(int(row[2]) for row in rows) == 3
    unknown = root("usage", "--user", "nobody@example.com")
    assert "No user has the e-mail nobody@example.com." in unknown.err
