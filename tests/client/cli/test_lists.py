"""Lists: records, ledger and the options of all lists."""

import json
from collections.abc import Callable

import pytest

from restcalc import Client
from restcalc.cli.exit_codes import ExitCode
from tests.support.command_line.runner import CommandLine, plain

ROWS = 120
"""More than one page, and more than a terminal shows by default."""


@pytest.fixture(scope="module")
def busy(new_user: Callable[..., CommandLine]) -> CommandLine:
    """A user with many records."""
    user = new_user(credit=1000)
    (key,) = json.loads((user.home / "credentials.json").read_text()).values()
    with Client(user.url, api_key=key) as client:
        for number in range(ROWS):
            client.compute("addition", number, 0.5)
        client.compute("square_root", 2)
    return user


def test_pipe_gets_all_rows_of_all_pages(busy: CommandLine) -> None:
    header, *rows = busy("records").rows
    assert header[:4] == ["date", "operation", "arguments", "operation_response"]
    assert len(rows) == ROWS + 1
    assert [row[2] for row in rows[1:]] == [f"[{number},0.5]" for number in reversed(range(ROWS))]
    assert all(row[0].endswith("Z") for row in rows)


def test_json_has_one_object_a_line(busy: CommandLine) -> None:
    rows = [json.loads(line) for line in busy("records", "--json", "--limit", 3).out.splitlines()]
    assert [row["operation"] for row in rows] == ["square_root", "addition", "addition"]
    assert {"id", "user_id", "amount"} <= rows[0].keys()


def test_terminal_gets_a_table_of_the_newest_rows(busy: CommandLine) -> None:
    result = busy("records", terminal=True, COLUMNS="140")
    lines = plain(result.out).splitlines()
    assert lines[0].split() == [
        "date",
        "operation",
        "arguments",
        "result",
        "amount",
        "balance",
        "id",
    ]
    assert len(lines) == 51
    assert len({line.index("addition") for line in lines[2:]}) == 1
    assert "\x1b[1m" in result.out
    assert plain(result.err) == "The first 50 rows. See more with --limit or --all."
    assert len(busy("records", "--all", terminal=True).out.splitlines()) == ROWS + 2
    assert "\x1b" not in busy("records", "--limit", 1, terminal=True, NO_COLOR="1").out.replace(
        "\x1b[1m", ""
    ).replace("\x1b[0m", "")


def test_narrow_terminal_hides_columns_and_says_so(busy: CommandLine) -> None:
    result = busy("records", "--limit", 2, terminal=True, COLUMNS="80")
    assert all(len(line) <= 80 for line in plain(result.out).splitlines())
    assert "id" not in plain(result.out).split()
    assert "Too narrow for id: use a wider terminal, --fields or --json." in plain(result.err)


def test_filters_search_sort_and_fields(busy: CommandLine) -> None:
    def arguments(*options: object) -> list[str]:
        return [row[0] for row in busy("records", "--fields", "arguments", *options).rows[1:]]

    assert arguments("--where", "operation=square_root") == ["[2]"]
    assert arguments("--where", "operation__like=square%") == ["[2]"]
    assert arguments("--search", "117.5") == ["[117,0.5]"]
    assert arguments("--sort", "date", "--limit", 2) == ["[0,0.5]", "[1,0.5]"]
    assert arguments("--since", "1h", "--limit", 1) == ["[2]"]
    assert arguments("--until", "1h") == []
    assert arguments("--since", "2100-01-01") == []
    assert len(arguments("--where", "amount>=5", "--where", "amount<6")) == ROWS + 1


def test_nothing_found_is_said_in_a_terminal_only(busy: CommandLine) -> None:
    options = ("records", "--where", "operation=division")
    assert plain(busy(*options, terminal=True).err) == "Nothing found."
    assert len(busy(*options).rows) == 1
    assert busy(*options, "--json").out == ""


def test_ledger_has_every_movement_of_money(busy: CommandLine) -> None:
    kinds = [row[0] for row in busy("ledger", "--fields", "kind").rows[1:]]
    assert kinds == ["charge"] * (ROWS + 1) + ["grant", "opening"]


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        (("--where", "colour=red"), ExitCode.REFUSED, "colour: unknown parameter"),
        (("--where", "amount"), ExitCode.USAGE, "'amount' is not a filter"),
        (("--where", "sort=id"), ExitCode.USAGE, "'sort=id' is not a filter"),
        (("--since", "soon"), ExitCode.USAGE, "'soon' is not a time. Write an age such as"),
        (("--limit", "0"), ExitCode.USAGE, "0 is not in the range x>=1"),
        (("--colour",), ExitCode.USAGE, "No such option: --colour"),
        (("--sort", "colour"), ExitCode.REFUSED, "colour"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_option_gets_one_line_and_no_output(
    busy: CommandLine, option: tuple[str, ...], code: ExitCode, message: str
) -> None:
    result = busy("records", *option)
    assert (result.code, result.out, message in result.err) == (code, "", True), result.err
    assert result.err.count("\n") == 1
