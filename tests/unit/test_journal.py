"""The log of unfinished commands, and its locks."""

import os
from pathlib import Path

import pytest

from restcalc.cli.failures import Failure
from restcalc.cli.journal import KEY_LIFETIME_SECONDS, Entry, Journal
from restcalc.cli.locks import try_lock


def test_unfinished_entry_is_found_again_and_a_finished_one_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "calls")
    first = journal.begin("compute", [1, 2])
    first.save(task="x")
    first.keep()
    again = journal.begin("compute", [1, 2])
    assert (again.key, again.facts["task"]) == (first.key, "x")
    other = journal.begin("compute", [1, 3])
    assert other.key != again.key
    again.finish()
    assert journal.begin("compute", [1, 2]).key != again.key
    assert (tmp_path / "calls").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "calls").iterdir()} == {0o600}


def test_entry_of_a_running_command_is_not_shared(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    running = journal.begin("random_string")
    assert journal.begin("random_string").key != running.key
    running.keep()


def test_command_that_runs_alone_is_locked_before_its_entry_exists(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first = journal.begin_alone("x")
    assert first
    assert journal.begin_alone("x") is None
    assert journal.begin_alone("y")
    first.keep()
    again = journal.begin_alone("x")
    assert again
    assert again.key == first.key
    again.finish()
    last = journal.begin_alone("x")
    assert last
    assert last.key != first.key


def test_entry_that_another_process_deletes_is_empty(tmp_path: Path) -> None:
    entry = Journal(tmp_path).begin("x")
    (file,) = tmp_path.iterdir()
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND)
    entry.finish()
    late = Entry(descriptor, file)
    assert late.facts == {}
    late.finish()


def test_failed_lock_is_no_lock_of_another_process(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert try_lock(file.fileno())
        with (tmp_path / "file").open("wb") as other:
            assert not try_lock(other.fileno())
    with pytest.raises(Failure, match=r"Bad file descriptor\. Set RESTCALC_HOME"):
        try_lock(os.open(tmp_path, os.O_PATH))


def test_entry_that_was_half_written_keeps_the_facts_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    entry = journal.begin("x")
    entry.keep()
    (file,) = tmp_path.iterdir()
    with file.open("ab") as broken:
        broken.write(b'\n{"task": "y')
    again = journal.begin("x")
    assert (again.key, "task" in again.facts) == (entry.key, False)
    again.save(task="z")
    again.keep()
    assert journal.begin("x").facts["task"] == "z"


def test_entry_expires_with_its_key(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    entry = journal.begin("x")
    entry.keep()
    (file,) = tmp_path.iterdir()
    old = file.stat().st_mtime - KEY_LIFETIME_SECONDS - 1
    os.utime(file, (old, old))
    assert journal.begin("x").key != entry.key
    assert not file.exists()
