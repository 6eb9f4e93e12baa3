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
import restcalc.cli.batch.start
import restcalc.cli.commands.compute
import restcalc.cli.commands.refund
import restcalc.cli.commands.users
import restcalc.cli.journal
from restcalc.cli.batch.file_run import UPLOAD_BEGINS_WITHIN
from restcalc.cli.exit_codes import ExitCode
from tests.client.cli.test_batch import GOOD, HEADER, spent, unfinished, write
from tests.client.conftest import Service
from tests.support.command_line.forks import Forks, Line
from tests.support.command_line.runner import CommandLine
from tests.support.stack_database import reset_rate_limits

UPLOADS_AT_ONCE = 6
"""Uploads that a user may begin at the same moment."""
BEFORE_UPLOAD, AFTER_UPLOAD = ".upload_to(", ".save(uploaded=True)"
"""Texts of lines."""
Users = Callable[..., CommandLine]


def source(module: object) -> Path:
    return Path(str(vars(module)["__file__"]))


def line_with(file: Path, text: str) -> Line:
    """Return the only line of a file that contains a text."""
    (number,) = [number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line]
    return str(file), number


@pytest.fixture(params=[0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def third(request: pytest.FixtureRequest) -> int:
    """The tests kill at every third line, from this one. The slow ones kill at the others."""
    return int(request.param)


@pytest.fixture
def calls(tmp_path: Path) -> list[Path]:
    """The code of a single call."""
    return [source(module) for module in (restcalc.cli.commands.compute, restcalc.cli.journal)]


def test_killed_call_is_charged_once(new_user: Users, tmp_path: Path, calls: list[Path], third: int) -> None:
    user = new_user(credit=10_000)
    environment = {**user.variables(), "PWD": str(tmp_path)}
    answered = set[str]()
    with Forks(tmp_path, calls) as forks:
        assert forks.run(("compute", "addition", 0, 1), environment).out == "1\n"
        lines = forks.lines()[third::3]
        for number, line in enumerate(lines, 1):
            command = ("compute", "addition", number, 1)
            killed = forks.run(command, environment, kill_at=line)
            assert killed.code == -SIGKILL, line
            if killed.out:
                answered.add(f"[{number},1]")
            again = user(*command)
            assert (again.code, again.out) == (0, f"{number + 1}\n"), (line, again.err)
    charged = Counter(arguments for (arguments,) in user("records", "--fields", "arguments").rows[1:])
    assert len(charged) == len(lines) + 1
    assert {arguments for arguments, count in charged.items() if count > 1} <= answered
    assert set(charged.values()) <= {1, 2}
    assert not any(file.stat().st_size for file in (user.home / "calls").iterdir())


def test_killed_grant_is_made_once(root: CommandLine, cli: CommandLine, tmp_path: Path) -> None:
    environment = {**root.variables(), "PWD": str(tmp_path)}
    grant = ("credit", cli.email, "--reason", "a test")
    with Forks(tmp_path, [source(restcalc.cli.commands.users)]) as forks:
        assert forks.run((*grant, 1), environment).code == ExitCode.DONE
        lines = forks.lines()
        for number, line in enumerate(lines, 2):
            assert forks.run((*grant, number), environment, kill_at=line).code == -SIGKILL
            again = forks.run((*grant, number), environment)
            assert again.out.startswith(f"Granted {number} to {cli.email}."), (line, again)
    assert len(lines) > 2
    assert cli("balance").out == f"{20 + sum(range(len(lines) + 2))}\n"


def test_killed_refund_is_made_once_and_printed(new_user: Users, root: CommandLine, tmp_path: Path) -> None:
    user = new_user(credit=100)
    environment = {**root.variables(), "PWD": str(tmp_path)}

    def refund() -> tuple[str, ...]:
        record = json.loads(user("compute", "addition", 1, 2, "--json").out)["record_id"]
        return ("refund", "record", record, "--reason", "a test")

    with Forks(tmp_path, [source(restcalc.cli.commands.refund)]) as forks:
        assert forks.run(refund(), environment).code == ExitCode.DONE
        lines = forks.lines()
        for line in lines:
            command = refund()
            assert forks.run(command, environment, kill_at=line).code == -SIGKILL
            again = forks.run(command, environment)
            assert again.out == "Refunded 5. The user's balance is 120.\n", (line, again)
    assert len(lines) > 2
    assert user("balance").out == "120\n"


def test_killed_start_charges_a_quoted_file_once(new_user: Users, tmp_path: Path) -> None:
    user = new_user(credit=100)
    environment = {**user.variables(), "PWD": str(tmp_path)}
    with Forks(tmp_path, [source(restcalc.cli.batch.start)]) as forks:
        lines = [("", 0)]  # the first file is undisturbed
        for number, line in enumerate(lines):
            quoted = json.loads(user("batch", "quote", write(GOOD, f"{number}.csv"), "--json").out)["task"][
                "id"
            ]
            killed = forks.run(("batch", "start", quoted), environment, kill_at=line)
            if number:
                assert killed.code == -SIGKILL
            else:
                lines += forks.lines()
            forks.run(("batch", "start", quoted), environment)
            assert user("batch", "watch", quoted).code == ExitCode.DONE
    assert len(lines) > 3
    assert spent(user) == 10 * len(lines)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The code that processes files."""
    return [source(module) for module in (restcalc.cli.batch.file_run, restcalc.cli.batch.files_run)]


Kill = Callable[..., None]


@pytest.fixture
def kill(tmp_path: Path, files: list[Path]) -> Kill:
    """Return a function that runs a user's command and kills it before the line with a text."""

    def run(user: CommandLine, text: str, *command: object) -> None:
        with Forks(tmp_path, files) as forks:
            killed = forks.run(command, {**user.variables(), "PWD": str(tmp_path)}, line_with(files[0], text))
        assert killed.code == -SIGKILL, killed

    return run


def test_upload_whose_form_has_expired_begins_anew(cli: CommandLine, kill: Kill) -> None:
    command = ("batch", "run", write(GOOD))
    kill(cli, BEFORE_UPLOAD, *command)
    (entry,) = unfinished(cli)
    with entry.open("a") as journal:
        journal.write("\n" + json.dumps({"created": time.time() - UPLOAD_BEGINS_WITHIN}))
    assert cli(*command).code == ExitCode.DONE
    tasks = cli("batch", "list", "--fields", "status,spent").rows[1:]
    assert tasks == [["completed", "10"], ["cancelled", "0"]]


def test_killed_upload_continues_with_another_limit(cli: CommandLine, kill: Kill) -> None:
    file = write(GOOD)
    kill(cli, BEFORE_UPLOAD, "batch", "run", file)
    limited = cli("batch", "run", file, "--max-spend", "7.5")
    assert (limited.code, "max_spend of 7.5" in limited.err) == (ExitCode.NO_CREDIT, True), limited.err
    assert spent(cli) == 5


def test_killed_run_that_began_anew_continues(new_user: Users, kill: Kill) -> None:
    user = new_user(credit=100)
    file = write(GOOD)
    assert user("batch", "run", file, "--max-spend", "7.5").code == ExitCode.NO_CREDIT
    kill(user, AFTER_UPLOAD, "batch", "run", file, "--anew")
    assert user("batch", "run", file, "--anew").code == ExitCode.DONE
    assert spent(user) == 5 + 10


def test_quote_never_continues_a_charged_file(cli: CommandLine, root: CommandLine, kill: Kill) -> None:
    command = ("batch", "quote", write(HEADER + 'addition,"[1, 2]"\n' * 6))
    kill(cli, AFTER_UPLOAD, *command)
    ((task,),) = cli("batch", "list", "--fields", "id").rows[1:]
    assert cli("batch", "watch", task).code == ExitCode.DONE
    assert cli("batch", "start", task).code == ExitCode.NO_CREDIT
    assert root("credit", cli.email, 100, "--reason", "more").code == ExitCode.DONE
    quoted = cli(*command)
    assert (quoted.code, "quoted, 6 rows" in quoted.err) == (ExitCode.DONE, True), quoted.err
    assert spent(cli) == 20


def test_killed_files_are_charged_once(
    new_user: Users, tmp_path: Path, files: list[Path], service: Service, third: int
) -> None:
    user = new_user(credit=10_000)
    environment = {**user.variables(), "PWD": str(tmp_path)}
    answered = set[str]()
    with Forks(tmp_path, files) as forks:
        assert forks.run(("batch", "run", write(GOOD, "undisturbed.csv")), environment).code == 0
        lines = forks.lines()[third::3]
        names = [f"{number}.csv" for number in range(len(lines))]
        for name, line in zip(names, lines, strict=True):
            reset_rate_limits(service.stack)
            killed = forks.run(("batch", "run", write(GOOD, name)), environment, kill_at=line)
            assert killed.code == -SIGKILL, (line, killed)
            if killed.out:
                answered.add(name)
    assert len(lines) > 10
    for begin in range(0, len(names), UPLOADS_AT_ONCE):
        reset_rate_limits(service.stack)
        part = names[begin : begin + UPLOADS_AT_ONCE]
        again = user("batch", "run", *part)
        assert (again.code, again.out.split()) == (0, [f"{name}.results.csv" for name in part]), again.err
    tasks = user("batch", "list", "--fields", "filename,spent").rows[1:]
    charged = Counter(name for name, spent in tasks if spent == "10")
    assert charged.keys() == {"undisturbed.csv", *names}
    assert {name for name, count in charged.items() if count > 1} <= answered
    assert spent(user) == 10 * charged.total()
    assert unfinished(user) == []
