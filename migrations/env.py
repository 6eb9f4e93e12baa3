"""Alembic's environment: run all migrations in one transaction, with the service's connection settings.

Afterwards, `attributes["revision"]` of Alembic's Config holds the database's revision.
"""

import pg8000.dbapi
from alembic import context
from alembic.script import ScriptDirectory
from aws_lambda_powertools import Logger
from sqlalchemy import Connection, create_engine, pool, text

from shared.database.connection import CONNECT_TIMEOUT
from shared.database.tables import metadata
from shared.database.url import PostgresUrl
from shared.settings import settings

ONE_AT_A_TIME = 0x72657374
"""The advisory lock of migrations: of two concurrent deploys, the second waits."""
LOCK_TIMEOUT = "5s"
"""How long a migration waits for a table lock. Meanwhile, all other statements on the table wait too."""

logger = Logger(service="restcalculator")


def _connect() -> pg8000.dbapi.Connection:
    url = PostgresUrl.parse(settings().aws_pgsql_path.get_secret_value())
    raw = url.open_socket(CONNECT_TIMEOUT)
    raw.settimeout(None)
    return pg8000.dbapi.connect(**url.driver_arguments(raw), application_name="restcalculator-migrate")


def _migrate(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    # Set after acquiring the advisory lock: another deploy's migration may take longer than this timeout.
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(connection=connection, target_metadata=metadata)
    database, code = context.get_context(), ScriptDirectory.from_config(context.config)
    revision = database.get_current_revision()
    if revision is None or revision in {known.revision for known in code.walk_revisions()}:
        context.run_migrations()
    else:
        # An older release was deployed. Migrations only expand the schema, so older code runs on it.
        logger.warning("the database is ahead of this code: not migrated", revision=revision)
    context.config.attributes["revision"] = database.get_current_revision()


with create_engine("postgresql+pg8000://", creator=_connect, poolclass=pool.NullPool).begin() as _connection:
    _migrate(_connection)
