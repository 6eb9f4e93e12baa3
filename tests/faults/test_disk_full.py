"""The database's disk is full: reads succeed, writes get 503 and Retry-After, and nothing is half written."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support import expect
from tests.support.eventually import eventually
from tests.support.faults.harness import Harness
from tests.support.faults.routes import COST, begin_file, check_file
from tests.support.http_client import API, Client

ROOM = 32 * 1024 * 1024
"""Bytes that the disk has for more."""
ROWS = 10_000
MOST_CHARGES = 1000
"""More than fit into the pages that are there already."""


@pytest.fixture
def disk(harness: Harness) -> Iterator[Path]:
    """A small disk of its own, where all of the service's tables are."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    ((used,),) = harness.query("SELECT pg_database_size(current_database())")
    with ExitStack() as exits:
        folder = exits.enter_context(TemporaryDirectory(prefix="faults-disk-"))
        os.chmod(folder, 0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used + ROOM}", "tmpfs", folder], check=True)
        exits.callback(subprocess.run, ["umount", folder], check=True)
        tables = Path(folder, "tables")
        tables.mkdir()
        owner = Path(harness.query("SHOW data_directory")[0][0]).stat()
        os.chown(tables, owner.st_uid, owner.st_gid)
        harness.query(f"CREATE TABLESPACE small LOCATION '{tables}'")
        exits.callback(harness.query, "DROP TABLESPACE small")
        exits.callback(move, harness, "small", "pg_default")
        move(harness, "pg_default", "small")
        yield Path(folder)


def move(harness: Harness, source: str, target: str) -> None:
    for kind in ("TABLE", "INDEX"):
        harness.query(f"ALTER {kind} ALL IN TABLESPACE {source} SET TABLESPACE {target}")


def fill(file: int, disk: Path) -> bool:
    """Whether it filled the disk, and no other process used some of the space meanwhile."""
    with suppress(OSError):
        os.posix_fallocate(file, 0, shutil.disk_usage(disk).free)
        return True
    return False


@contextmanager
def full(disk: Path) -> Iterator[None]:
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        eventually(lambda: fill(file.fileno(), disk))
    try:
        yield
    finally:
        ballast.unlink()


def test_what_writes_waits_reading_goes_on_and_nothing_is_lost(
    harness: Harness, saver: Client, disk: Path
) -> None:
    """The worker is in the middle of a file when the disk is full."""
    before, task_id = saver.balance, begin_file(saver, ROWS)
    with full(disk):
        answers = [saver.compute(key="0")]
        while answers[-1].status_code == 200:
            assert len(answers) < MOST_CHARGES
            answers.append(saver.compute(key=str(len(answers))))
        expect.problem(answers[-1], 503)
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert saver.get(f"{API}/records").status_code == 200
    charged = len(answers)
    eventually(lambda: saver.compute(key=str(charged - 1)).status_code == 200)
    check_file(saver, task_id, ROWS)
    assert saver.balance == before - COST * (charged + ROWS)
    assert harness.audit() == []
