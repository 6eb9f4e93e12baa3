"""The commands of `restcalc batch` for tasks that are in the service."""

import json
import subprocess
from collections.abc import Callable

from restcalc.cli.exit_codes import ExitCode
from tests.client.cli.test_batch import GOOD, HEADER, spent, unfinished, write
from tests.client.cli.test_processes import COMMAND, CONTENT, ROWS, environment, stopped_within_file
from tests.client.conftest import Service
from tests.support.command_line.runner import CommandLine, plain
from tests.support.eventually import eventually

ROW = 'addition,"[1, 2]"\n'


def test_detached_file_is_followed_by_its_task(cli: CommandLine) -> None:
    task = cli("batch", "run", write(GOOD), "--detach").out.strip()
    assert unfinished(cli) == []
    watched = cli("batch", "watch", task)
    assert (watched.code, watched.out) == (ExitCode.DONE, "")
    assert watched.err == "operations.csv: completed, 2 rows, 0 failed, 10 credits spent.\n"
    facts = dict(cli("batch", "status", task).rows)
    assert (facts["status"], facts["rows_done"], facts["spent"]) == ("completed", "2", "10")
    assert cli("batch", "list", "--fields", "id,status").rows[1:] == [[task, "completed"]]
    assert plain(cli("batch", "list", terminal=True, COLUMNS="140").out).split()[7] == task
    assert json.loads(cli("batch", "watch", task, "--json").out)["task"]["id"] == task


def test_stopped_task_is_resumed_with_another_limit(cli: CommandLine) -> None:
    stopped = json.loads(cli("batch", "run", write(HEADER + ROW * 4), "--max-spend", 5, "--json").out)["task"]
    resumed = cli("batch", "resume", stopped["id"], "--max-spend", 10)
    assert (resumed.code, "2 rows, 0 failed, 10 credits" in resumed.err) == (ExitCode.NO_CREDIT, True)
    both = cli("batch", "resume", stopped["id"], "--max-spend", 10, "--no-limit")
    assert both.code == ExitCode.USAGE
    assert cli("batch", "resume", stopped["id"], "--no-limit", "--detach").out.strip() == stopped["id"]
    assert cli("batch", "watch", stopped["id"]).code == ExitCode.DONE
    assert spent(cli) == 20


def test_cancelled_file_continues_when_it_is_run_again(
    service: Service, new_user: Callable[..., CommandLine]
) -> None:
    user = new_user(credit=10**6)
    file = write(CONTENT)

    def begun() -> list[str]:
        rows = user("batch", "list", "--fields", "id,rows_done").rows[1:]
        return [task for task, done in rows if done not in ("", "0")]

    with subprocess.Popen([*COMMAND, "batch", "run", str(file)], env=environment(user)) as running:
        with stopped_within_file(service):
            (task,) = eventually(begun)
            cancelled = user("batch", "cancel", task)
        assert cancelled.out.startswith("operations.csv is cancelled. It cost ")
        assert cancelled.out.endswith(f" credits. Continue it with `restcalc batch resume {task}`.\n")
    assert running.returncode == ExitCode.REFUSED
    assert 0 < spent(user) < ROWS * 5
    continued = json.loads(user("batch", "run", file, "--json").out)["task"]
    assert (continued["id"], continued["status"]) == (task, "completed")
    assert (continued["spent"], spent(user)) == (ROWS * 5, ROWS * 5)


def test_refund_of_a_file_returns_what_it_cost(cli: CommandLine, root: CommandLine) -> None:
    task = json.loads(cli("batch", "run", write(GOOD), "--json").out)["task"]["id"]
    refunded = root("refund", "task", task, "--reason", "a mistake")
    assert refunded.out == "Refunded 10. The user's balance is 20.\n"


def test_task_that_cannot_be_resumed_has_another_next_step(cli: CommandLine, root: CommandLine) -> None:
    quoted = json.loads(cli("batch", "quote", write(GOOD), "--json").out)["task"]["id"]
    resumed = cli("batch", "resume", quoted)
    assert resumed.code == ExitCode.REFUSED
    assert f"can be resumed. Charge its rows with `restcalc batch start {quoted}`.\n" in resumed.err
    stopped = json.loads(cli("batch", "run", write(GOOD), "--max-spend", 5, "--json").out)["task"]["id"]
    assert root("refund", "task", stopped, "--reason", "a mistake").code == ExitCode.DONE
    refunded = cli("batch", "resume", stopped)
    assert refunded.err == "The task was refunded, so it cannot be resumed. Upload the file again.\n"


def test_task_that_an_earlier_command_has_resumed_is_followed(
    service: Service, new_user: Callable[..., CommandLine]
) -> None:
    user = new_user(credit=10**6)
    stopped = json.loads(user("batch", "run", write(CONTENT), "--max-spend", 5, "--json").out)["task"]["id"]
    with stopped_within_file(service):
        assert user("batch", "resume", stopped, "--no-limit", "--detach").out.strip() == stopped
        limited = user("batch", "resume", stopped, "--max-spend", 7)
        assert limited.code == ExitCode.REFUSED
        assert f"can be resumed. Follow it with `restcalc batch watch {stopped}`." in limited.err
        assert user("batch", "resume", stopped, "--detach").out.strip() == stopped
    assert user("batch", "resume", stopped, "--no-limit").code == ExitCode.DONE
    assert spent(user) == ROWS * 5


def test_unknown_task_is_not_found(cli: CommandLine) -> None:
    unknown = "0193a1c2-7d6e-7f00-8000-000000000000"
    for command in ("status", "watch", "cancel", "resume", "start", "results"):
        result = cli("batch", command, unknown)
        assert (result.code, result.out) == (ExitCode.REFUSED, ""), command
        assert "There is no such task." in result.err
