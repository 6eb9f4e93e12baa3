"""A full disk of the database: reads succeed, writes return 503 with Retry-After, and no data is lost."""

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

FREE_BYTES = 32 * 1024 * 1024
"""The free space of the small disk at the start of the test."""
ROWS = 10_000
CHARGES_LIMIT = 1000
"""More charges than fit into the existing pages."""


@pytest.fixture
def disk(harness: Harness) -> Iterator[Path]:
    """Move the service's tables to a small disk. Return its folder."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    ((used,),) = harness.query("SELECT pg_database_size(current_database())")
    with ExitStack() as exits:
        folder = exits.enter_context(TemporaryDirectory(prefix="faults-disk-"))
        os.chmod(folder, 0o755)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={used + FREE_BYTES}", "tmpfs", folder], check=True
        )
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
    """Fill the disk. Return False if another process used some of the space meanwhile."""
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


def test_full_disk_rejects_writes_and_a_running_batch_continues_afterwards(
    harness: Harness, saver: Client, disk: Path
) -> None:
    """Fill the disk while the worker processes a file."""
    before, task_id = saver.balance, begin_file(saver, ROWS)
    with full(disk):
        responses = [saver.compute(key="0")]
        while responses[-1].status_code == 200:
            assert len(responses) < CHARGES_LIMIT
            responses.append(saver.compute(key=str(len(responses))))
        expect.problem(responses[-1], 503)
        assert int(responses[-1].headers["Retry-After"]) >= 1
        assert saver.get(f"{API}/records").status_code == 200
    charged = len(responses)
    eventually(lambda: saver.compute(key=str(charged - 1)).status_code == 200)
    check_file(saver, task_id, ROWS)
    assert saver.balance == before - COST * (charged + ROWS)
    assert harness.audit() == []
