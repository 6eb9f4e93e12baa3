"""`restcalc` as a process of its own: terminals, signals and pipes."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from restcalc.cli.completions import operations_with
from restcalc.cli.exit_codes import ExitCode
from tests.client.cli.test_batch import HEADER, spent, unfinished, write
from tests.client.conftest import Service
from tests.support.command_line.runner import CommandLine, plain
from tests.support.eventually import eventually

COMMAND = [str(Path(sys.executable).with_name("restcalc"))]
ROWS = 30_000
CONTENT = HEADER + f'addition,"[1, 2{" " * 80}]"\n' * ROWS
"""A file of several chunks, and of several blocks of 1 MiB, which the worker reads at once."""


def environment(user: CommandLine) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESTCALC_")}
    return {**kept, **user.variables(), "TERM": "xterm-256color"}


@contextmanager
def in_terminal(
    user: CommandLine, *arguments: str
) -> Iterator[tuple["subprocess.Popen[bytes]", Callable[[], str]]]:
    """Run a command in a terminal. Yield its process, and a function that returns what it has shown."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    os.set_blocking(ours, False)
    shown = bytearray()

    def read() -> str:
        try:
            while block := os.read(ours, 1 << 16):
                shown.extend(block)
        except OSError:  # nothing new, or the process has ended
            pass
        return plain(shown.decode(errors="replace"))

    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(user),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield process, read
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@contextmanager
def stopped_within_file(service: Service) -> Iterator[None]:
    """Let the worker read only a part of a file with CONTENT until the block ends."""
    with service.cloud.holding("responses", len(CONTENT) * 2 // 3):
        yield


def test_interrupted_file_continues_and_is_charged_once(
    service: Service, new_user: Callable[..., CommandLine]
) -> None:
    user = new_user(credit=10**7)
    write(CONTENT, "large.csv")
    with stopped_within_file(service), in_terminal(user, "batch", "run", "large.csv") as (process, shown):
        eventually(lambda: "left" in shown() and "processing" in shown())
        process.send_signal(signal.SIGINT)
        eventually(lambda: shown() and process.poll() is not None)
        assert process.returncode == ExitCode.INTERRUPTED
        screen = " ".join(shown().split())
    assert "rows/s" in screen
    assert "The service continues large.csv. Run the same command again to follow it." in screen
    assert screen.endswith("Interrupted.")
    assert len(unfinished(user)) == 1
    result = user("batch", "run", "large.csv")
    assert (result.code, result.out) == (ExitCode.DONE, "large.csv.results.csv\n")
    assert f"completed, {ROWS:,} rows, 0 failed, {ROWS * 5:,} credits spent." in result.err
    assert len(user("batch", "list").rows) == 2
    assert spent(user) == ROWS * 5


def test_logins_at_the_same_time_are_all_kept(cli: CommandLine) -> None:
    names = ["a", "b", "same", "same"]
    with ExitStack() as exits:
        logins = [
            exits.enter_context(
                subprocess.Popen(
                    [*COMMAND, "login", "--profile", name], env=environment(cli), stdout=subprocess.DEVNULL
                )
            )
            for name in names
        ]
    assert [login.returncode for login in logins] == [ExitCode.DONE] * len(names)
    assert [row[0] for row in cli("profiles", "list").rows[1:]] == ["a", "b", "default", "same"]
    keys = [
        json.loads(cli("whoami", "--profile", name, "--json").out)["api_key"]["id"]
        for name in ("a", "b", "same")
    ]
    # The key of the first login to `same` is revoked, as after any second login.
    own = json.loads(cli("whoami", "--profile", "default", "--json").out)["api_key"]["id"]
    assert {row[0] for row in cli("keys", "list", "--fields", "id").rows[1:]} == {own, *keys}


def test_closed_pipe_is_silent(cli: CommandLine) -> None:
    for command in (["ledger", "--json"], ["operations"]):
        process = subprocess.Popen(
            [*COMMAND, *command], env=environment(cli), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait() == ExitCode.DONE


def test_full_disk_is_one_line(cli: CommandLine) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*COMMAND, "balance"],
            env=environment(cli),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (result.returncode, result.stderr) == (ExitCode.REFUSED, "No space left on device.\n")


def test_module_is_the_command_and_help_needs_no_service(cli: CommandLine) -> None:
    command = [sys.executable, "-m", "restcalc"]
    result = subprocess.run(
        [*command, "balance"], env=environment(cli), capture_output=True, text=True, check=True
    )
    assert result.stdout == "20\n"
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "restcalc login" in shown
    assert "For admins:" in shown


def test_shell_completes_commands_and_operations(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def completions(*words: str, **variables: str) -> list[str]:
        variables = {
            **environment(cli),
            "_RESTCALC_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["restcalc", *words]),
            "COMP_CWORD": str(len(words)),
            **variables,
        }
        return subprocess.run(
            COMMAND, env=variables, capture_output=True, text=True, check=True
        ).stdout.split()

    assert completions("ba") == ["balance", "batch"]
    monkeypatch.setenv("RESTCALC_HOME", str(cli.home))
    # Raises the error that a completion hides, and has more time.
    assert operations_with("squ", None, cli.url, timeout=30) == ["square_root"]
    eventually(lambda: completions("compute", "squ") == ["square_root"])
    for other in ({"RESTCALC_URL": "http://localhost:9"}, {"RESTCALC_PROFILE": "other"}):
        assert completions("compute", "squ", **other) == []
    assert completions("compute", "--url", "http://localhost:9", "squ") == []
    script = subprocess.run(
        [*COMMAND, "--show-completion", "bash"], capture_output=True, text=True, check=True
    )
    assert "complete -o default" in script.stdout


def test_start_imports_only_what_the_command_needs(cli: CommandLine) -> None:
    """Imports take most of the time of a short command."""

    def imported(*arguments: str) -> set[str]:
        code = (
            "import json, sys; from restcalc.cli.running import run; run(sys.argv[1:]);"
            "print(json.dumps(sorted(sys.modules)))"
        )
        command = [sys.executable, "-c", code, *arguments]
        result = subprocess.run(command, env=environment(cli), capture_output=True, text=True, check=True)
        return set(json.loads(result.stdout.splitlines()[-1]))

    for_help, for_balance = imported("--help"), imported("balance")
    assert not for_help & {"httpx", "msgspec", "asyncio", "keyring"}
    assert not {name for name in for_help if name.startswith("rich.")}
    assert "httpx" in for_balance
    assert not for_balance & {"keyring", "restcalc._async.client"}
