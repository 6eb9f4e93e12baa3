"""config.json and credentials.json: several processes change them at once, and some are killed."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL

import pytest

import restcalc.cli.home
import restcalc.cli.locks
import restcalc.cli.profiles
from restcalc.cli.credentials import FILE, Credentials
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure
from restcalc.cli.locks import locked
from restcalc.cli.profiles import Profile, Profiles
from tests.support.command_line.forks import Forks
from tests.support.command_line.runner import WITHOUT_KEYRING, CommandLine

PROCESSES, CHANGES = 4, 10
STORE = """
import sys
from pathlib import Path
from restcalc.cli.credentials import Credentials
from restcalc.cli.profiles import Profile, Profiles

folder, process, changes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
profiles = Profiles(folder)
print("ready", flush=True)
sys.stdin.read()
for number in range(changes):
    name = f"{process}-{number}"
    profiles.put(Profile(name, key_id=name, key_store=Credentials(folder).store(name, f"rc_{name}")))
    if number % 2:
        profiles.remove(profiles.get(name))
        Credentials(folder).forget(Profile(name, key_id=name, key_store="file"))
"""


@pytest.fixture(autouse=True)
def without_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", WITHOUT_KEYRING)


def names(folder: Path) -> list[str]:
    return [profile.name for profile in Profiles(folder)]


def test_changes_of_processes_that_run_at_once_are_all_kept(tmp_path: Path) -> None:
    with ExitStack() as exits:
        processes = [
            exits.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", STORE, str(tmp_path), str(process), str(CHANGES)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            for process in range(PROCESSES)
        ]
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.close()
    assert [process.returncode for process in processes] == [0] * PROCESSES
    kept = [f"{process}-{number}" for process in range(PROCESSES) for number in range(0, CHANGES, 2)]
    assert names(tmp_path) == kept
    assert json.loads((tmp_path / "credentials.json").read_text()) == {name: f"rc_{name}" for name in kept}


def test_killed_change_is_made_wholly_or_not_and_leaves_no_file(tmp_path: Path) -> None:
    """`profiles use` is killed before each line that locks, reads and replaces config.json."""
    home = tmp_path / "home"
    profiles = Profiles(home)
    for name in ("a", "b"):
        profiles.put(Profile(name, "http://localhost:9"))
    modules = (restcalc.cli.home, restcalc.cli.locks, restcalc.cli.profiles)
    environment = {**CommandLine("", home, "").variables(), "PWD": str(tmp_path)}
    use = ("profiles", "use", "a")
    with Forks(tmp_path, [Path(module.__file__ or "") for module in modules]) as forks:
        assert forks.run(use, environment).code == ExitCode.DONE
        lines = forks.lines()
        for line in lines:
            profiles.use("b")
            assert forks.run(use, environment, kill_at=line).code == -SIGKILL
            assert names(home) == ["a", "b"], line
            assert forks.run(use, environment).code == ExitCode.DONE, line
            assert Profiles(home).current == "a"
            assert sorted(file.name for file in home.iterdir()) == ["config.json", "config.json.lock"]
    assert len(lines) > 20


def test_lock_that_another_process_keeps_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    with (
        locked(file),
        pytest.raises(Failure, match=r"Another `restcalc` has locked .*config\.json for 0 s\. End that"),
        locked(file, timeout=0),
    ):
        pass
    with locked(file):  # it is free again
        pass


def test_profile_that_another_command_has_replaced_is_not_removed(tmp_path: Path) -> None:
    old, new = Profile("a", key_id="1"), Profile("a", key_id="2")
    logout, login = Profiles(tmp_path), Profiles(tmp_path)
    assert logout.put(old) is None
    assert login.put(new) == old
    logout.remove(old)
    assert Profiles(tmp_path).find("a") == new
    login.remove(new)
    login.remove(new)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"config\.json can't be read: .*\. Correct or delete it\."),
        ("[]", r"config\.json does not contain the profiles of `restcalc`\. Delete it"),
        ('{"profiles": {"a": {"colour": 1}}}', r"config\.json does not contain the profiles of `restcalc`\."),
    ],
    ids=["no JSON", "no object", "no profile"],
)
def test_broken_file_of_profiles_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(Failure, match=message):
        Profiles(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_broken_file_of_keys_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials.json").write_text(content)
    with pytest.raises(
        Failure, match=r"credentials\.json can't be read: .*\. Delete it and run `restcalc login`\."
    ):
        Credentials(tmp_path).load(Profile("a", key_id="1", key_store=FILE))


def test_file_of_a_killed_process_is_replaced_and_stays_private(tmp_path: Path) -> None:
    left = tmp_path / "credentials.json.new"
    left.write_text("half")
    left.chmod(0o644)
    assert Credentials(tmp_path).store("1", "rc_1") == FILE
    assert sorted(os.listdir(tmp_path)) == ["credentials.json", "credentials.json.lock"]
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
