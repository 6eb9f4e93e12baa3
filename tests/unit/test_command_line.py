"""Parts of the command line that need no service."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

import restcalc
from restcalc.cli.app import Root, app
from restcalc.cli.batch.files_run import _how_to_go_on
from restcalc.cli.batch.outcome import Outcome, exit_code_of_all
from restcalc.cli.batch.refusals import INSTEAD
from restcalc.cli.exit_codes import MEANINGS, SEVEREST_FIRST, ExitCode
from restcalc.cli.failures import Failure
from restcalc.cli.help import HelpCommand, HelpGroup
from restcalc.cli.journal import Journal
from restcalc.cli.times import clock, parse_time
from restcalc.cli.values import as_text, parse_filter
from restcalc.enums import TaskStatus


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command that does something, with its name."""

    def below(group: Any, path: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if isinstance(command, HelpGroup):
                yield from below(command, f"{path} {name}")
            else:
                yield f"{path} {name}", command

    yield from below(typer.main.get_command(app), "restcalc")


COMMANDS = dict(commands())


def test_help_lists_every_command_below_a_heading() -> None:
    listed = [name for names in Root.headings.values() for name in names]
    root: Any = typer.main.get_command(app)
    assert sorted(listed) == sorted(root.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_a_help_with_examples_of_itself(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, HelpCommand)
    assert command.help
    assert command.epilog
    assert all(f"{name}" in example for example in command.epilog.splitlines())
    # The context is the same class for all commands, so any name does.
    page = command.get_help(typer.Context(command, info_name=name))
    assert all(len(line) <= 80 for line in page.splitlines() if "restcalc" not in line)
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"


def test_every_exit_code_is_explained_and_has_a_rank() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert set(SEVEREST_FIRST) | {ExitCode.USAGE} == set(ExitCode)


def test_exit_code_of_several_files_is_the_severest() -> None:
    failed = Outcome("a", failure=Failure("x", ExitCode.UNAVAILABLE))
    refused = Outcome("b", failure=Failure("x"))
    assert exit_code_of_all([refused, failed]) is ExitCode.UNAVAILABLE
    assert exit_code_of_all([refused]) is ExitCode.REFUSED
    assert exit_code_of_all([]) is ExitCode.DONE


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("now", timedelta()),
    ],
)
def test_age_is_a_time(text: str, age: timedelta) -> None:
    assert abs(datetime.now(UTC) - age - parse_time(text)) < timedelta(seconds=5)


def test_date_is_local_midnight_and_a_time_may_have_a_zone() -> None:
    assert parse_time("2026-11-24") == datetime(2026, 11, 24).astimezone()
    assert parse_time("2026-11-24T15:00Z") == datetime(2026, 11, 24, 15, tzinfo=UTC)
    assert parse_time("yesterday") == parse_time("today") - timedelta(days=1)
    for wrong in ("7", "d", "7x", "2026-13-01", "", "9999999d"):
        with pytest.raises(typer.BadParameter):
            parse_time(wrong)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("type=addition", ("type", "addition")),
        ("amount>=5", ("amount__gte", "5")),
        ("amount<5", ("amount__lt", "5")),
        ("operation__in=a,b", ("operation__in", "a,b")),
        ("seconds_left__gt=1", ("seconds_left__gt", "1")),
        ("name=a=b", ("name", "a=b")),
        ("name=", ("name", "")),
    ],
)
def test_filter_is_parsed(text: str, parsed: tuple[str, str]) -> None:
    assert parse_filter(text) == parsed


@pytest.mark.parametrize("text", ["type", "=x", "amount__gte>=5", "page=2", "fields=id", "a b=c"])
def test_other_text_is_no_filter(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_filter(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E+300"), "1E+300"),
        (100.0, "100"),
        (["read", "batch"], "read, batch"),
        ([1, Decimal("0.5")], "[1,0.5]"),
        ({"a": 1}, '{"a":1}'),
        (datetime(2026, 11, 24, tzinfo=UTC), "2026-11-24T00:00:00Z"),
        ("a\x1b[31mred\r\n\tb\x9b", "a [31mred b "),
    ],
    ids=repr,
)
def test_value_is_one_line_without_control_characters(value: Any, text: str) -> None:
    assert as_text(value, for_people=False) == text


def test_task_in_any_status_has_a_next_step_after_a_refusal() -> None:
    assert set(INSTEAD) == set(TaskStatus)


def test_duration_is_minutes_and_seconds() -> None:
    assert [clock(seconds) for seconds in (5, 65.4, 3725)] == ["0:05", "1:05", "1:02:05"]


def test_interrupted_upload_promises_only_what_is_certain(tmp_path: Path) -> None:
    """S3 may have the file although its response was lost."""
    text = _how_to_go_on("a.csv", Journal(tmp_path).begin("x"))
    assert text == "The upload of a.csv was interrupted. Run the same command again: no row is charged twice."


def test_names_of_the_package_are_imported_when_they_are_used() -> None:
    assert {name for name in restcalc.__all__ if getattr(restcalc, name) is None} == set()
    with pytest.raises(AttributeError):
        _ = restcalc.Nothing


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from restcalc.cli.running import run

    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("restcalc 1.")
    assert run(["--help"]) == 0
