"""A command that is killed at any line and started again charges nothing twice."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL

import pytest

import restcalc.cli.batch.file_run
import restcalc.cli.batch.files_run
import restcalc.cli.commands.compute
import restcalc.cli.journal
from restcalc.cli.batch.file_run import UPLOAD_BEGINS_WITHIN
from tests.client.cli.test_batch import GOOD, spent, unfinished, write
from tests.client.conftest import Service
from tests.support.command_line.forks import Forks
from tests.support.command_line.runner import CommandLine
from tests.support.stack_database import reset_rate_limits

UPLOADS_AT_ONCE = 6
"""Uploads that a user may begin at the same moment."""
Users = Callable[..., CommandLine]


def source(module: object) -> Path:
    return Path(str(vars(module)["__file__"]))


@pytest.fixture
def calls(tmp_path: Path) -> list[Path]:
    """The code of a single call."""
    return [source(module) for module in (restcalc.cli.commands.compute, restcalc.cli.journal)]


def test_killed_call_is_charged_once(new_user: Users, tmp_path: Path, calls: list[Path]) -> None:
    user = new_user(credit=10_000)
    environment = {**user.variables(), "PWD": str(tmp_path)}
    answered = set[str]()
    with Forks(tmp_path, calls) as forks:
        assert forks.run(("compute", "addition", 0, 1), environment).out == "1\n"
        lines = forks.lines()
        for number, line in enumerate(lines, 1):
            command = ("compute", "addition", number, 1)
            killed = forks.run(command, environment, kill_at=line)
            assert killed.code == -SIGKILL, line
            if killed.out:
                answered.add(f"[{number},1]")
            again = forks.run(command, environment)
            assert (again.code, again.out) == (0, f"{number + 1}\n"), (line, again.err)
    charged = Counter(arguments for (arguments,) in user("records", "--fields", "arguments").rows[1:])
    assert len(charged) == len(lines) + 1
    assert {arguments for arguments, count in charged.items() if count > 1} <= answered
    assert set(charged.values()) <= {1, 2}
    assert not any(file.stat().st_size for file in (user.home / "calls").iterdir())


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The code that processes files."""
    return [source(module) for module in (restcalc.cli.batch.file_run, restcalc.cli.batch.files_run)]


def test_upload_whose_form_has_expired_begins_anew(
    cli: CommandLine, tmp_path: Path, files: list[Path]
) -> None:
    environment = {**cli.variables(), "PWD": str(tmp_path)}
    command = ("batch", "run", write(GOOD))
    (upload,) = [n for n, text in enumerate(files[0].read_text().splitlines(), 1) if ".upload_to(" in text]
    with Forks(tmp_path, files) as forks:
        assert forks.run(command, environment, kill_at=(str(files[0]), upload)).code == -SIGKILL
    (entry,) = unfinished(cli)
    with entry.open("a") as journal:
        journal.write("\n" + json.dumps({"created": time.time() - UPLOAD_BEGINS_WITHIN}))
    assert cli(*command).code == 0
    tasks = cli("batch", "list", "--fields", "status,spent").rows[1:]
    assert tasks == [["completed", "10"], ["cancelled", "0"]]


@pytest.mark.parametrize("odd", [0, pytest.param(1, marks=pytest.mark.slow)], ids=["even", "odd"])
def test_killed_files_are_charged_once(
    new_user: Users, tmp_path: Path, files: list[Path], service: Service, odd: int
) -> None:
    """Kill at every second line, because each file takes its time. The slow test kills at the others."""
    user = new_user(credit=10_000)
    environment = {**user.variables(), "PWD": str(tmp_path)}
    answered = set[str]()
    with Forks(tmp_path, files) as forks:
        assert forks.run(("batch", "run", write(GOOD, "undisturbed.csv")), environment).code == 0
        lines = forks.lines()[odd::2]
        names = [f"{number}.csv" for number in range(len(lines))]
        for name, line in zip(names, lines, strict=True):
            reset_rate_limits(service.stack)
            killed = forks.run(("batch", "run", write(GOOD, name)), environment, kill_at=line)
            assert killed.code == -SIGKILL, (line, killed)
            if killed.out:
                answered.add(name)
    assert len(lines) > 20
    for begin in range(0, len(names), UPLOADS_AT_ONCE):
        reset_rate_limits(service.stack)
        some = names[begin : begin + UPLOADS_AT_ONCE]
        again = user("batch", "run", *some)
        assert (again.code, again.out.split()) == (0, [f"{name}.results.csv" for name in some]), again.err
    tasks = user("batch", "list", "--fields", "filename,spent").rows[1:]
    charged = Counter(name for name, spent in tasks if spent == "10")
    assert charged.keys() == {"undisturbed.csv", *names}
    assert {name for name, count in charged.items() if count > 1} <= answered
    assert spent(user) == 10 * charged.total()
    assert unfinished(user) == []
