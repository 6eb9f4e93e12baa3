"""Alembic's environment: the tables' metadata, over the service's own connection settings."""

import pg8000.dbapi
from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from shared.database import CONNECT_TIMEOUT
from shared.postgres_url import PostgresUrl
from shared.settings import settings
from shared.tables import metadata

ONE_AT_A_TIME = 0x72657374
"""The advisory lock of migrations: two deploys at once take turns."""


def _connect() -> pg8000.dbapi.Connection:
    url = PostgresUrl.parse(settings().aws_pgsql_path.get_secret_value())
    raw = url.open_socket(CONNECT_TIMEOUT)
    raw.settimeout(None)
    return pg8000.dbapi.connect(
        url.user,
        host=url.host,
        database=url.database,
        password=url.password,
        sock=raw,
        ssl_context=url.tls_context() if url.tls else False,
        application_name="restcalculator-migrate",
    )


def _migrate(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    context.configure(connection=connection, target_metadata=metadata)
    context.run_migrations()


with create_engine("postgresql+pg8000://", creator=_connect, poolclass=pool.NullPool).begin() as _connection:
    _migrate(_connection)
