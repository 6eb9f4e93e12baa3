"""Data folders for the servers that the tests start: in memory, and with a Postgres that is migrated already.

`initdb` and the migrations take two seconds of CPU, and a run starts a dozen servers. So the first process of
a run that needs a server makes its data folder, and all others copy it.

Each integration test creates and drops a database of 300 files. ext4 avoids inodes that were deleted within
five seconds and searches past them one by one, so there the copy takes five times as long as in memory.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Literal

import pytest

Contents = Literal["migrated", "empty"]

SHARED = "TESTS_SHARED_FOLDER"
"""The environment variable with the folder that a run's processes share. Without it nothing is copied."""
PREFIX = "restcalculator-tests-"
NEW_SECONDS = 60
"""A folder that is younger may not be locked yet."""
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 4 * 2**30
"""Bytes that must be free in MEMORY. Containers often have only 64 MiB there."""
SETTINGS = {
    # Tests kill processes, not the machine, so Postgres need not wait for the disk.
    "fsync": "off",
    "full_page_writes": "off",
    # By default Postgres keeps up to 1 GB of WAL, here in memory.
    "max_wal_size": "'256MB'",
}


def share_folder(config: pytest.Config) -> None:
    """Create the run's shared folder, and delete it at the end. Call it before pytest starts processes.

    Also delete the folders of killed runs. Otherwise they take up memory until the machine restarts.
    """
    folder = Path(mkdtemp(prefix=PREFIX, dir=_parent_folder()))
    lock = (folder / "run.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.environ[SHARED] = str(folder)
    for other in folder.parent.glob(f"{PREFIX}*"):
        if _is_abandoned(other):
            shutil.rmtree(other, ignore_errors=True)
    config.add_cleanup(lock.close)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@contextmanager
def data_folder(postgres: Contents = "migrated") -> Iterator[Path]:
    """Yield a new data folder whose folder `postgres` has a database, and delete it at the end.

    It is not in pytest's own temporary folder: as root, Postgres runs as another user, and each pytest
    session of root closes that folder to other users.

    Args:
        postgres: "migrated" has the schema but no rows, which `migrations.handler` inserts. "empty" has no
            tables.
    """
    shared = os.environ.get(SHARED)
    with TemporaryDirectory(dir=shared or _parent_folder(), ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if shared:
            # As root, Postgres runs as another user: keep the owner.
            subprocess.run(["cp", "-a", str(_prepared() / postgres), str(folder / "postgres")], check=True)
        yield folder


def _parent_folder() -> Path | None:
    """Return MEMORY if it is usable, and None for the default folder of temporary files."""
    usable = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
    return MEMORY if usable else None


def _is_abandoned(folder: Path) -> bool:
    """Return whether the run of this shared folder has ended: no process holds its lock."""
    try:
        with (folder / "run.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return time.time() - folder.stat().st_ctime > NEW_SECONDS
    except OSError:
        return False


def _prepared() -> Path:
    """Return the folder of the data folders to copy. The first caller makes them while the others wait."""
    shared = Path(os.environ[SHARED])
    prepared = shared / "prepared"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not prepared.exists():
            _prepare(shared / "unfinished")
            (shared / "unfinished").rename(prepared)
    return prepared


def _prepare(folder: Path) -> None:
    import pg8000.native

    from localstack.postgres import Postgres

    postgres = Postgres(folder / "migrated")
    postgres.start()
    socket = f"{postgres.socket_folder}/.s.PGSQL.5432"
    try:
        with pg8000.native.Connection(
            "postgres", database="postgres", unix_sock=socket, ssl_context=False
        ) as connection:
            for name, value in SETTINGS.items():
                connection.run(f"ALTER SYSTEM SET {name} = {value}")
        postgres.stop()
        # The library's list of the processes that use the server.
        (folder / "migrated" / ".handle_pids.json").unlink()
        subprocess.run(["cp", "-a", str(folder / "migrated"), str(folder / "empty")], check=True)
        postgres.start()
        _migrate(postgres.url)
    finally:
        postgres.stop()
    (folder / "migrated" / ".handle_pids.json").unlink()


def _migrate(url: str) -> None:
    from alembic import command
    from alembic.config import Config

    from migrations.handler import MIGRATIONS
    from shared.settings import settings

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_PGSQL_PATH", url)
        patch.setenv("CONFIG_TYPE", "testing")
        settings.cache_clear()
        command.upgrade(config, "head")
    settings.cache_clear()
