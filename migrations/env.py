"""Alembic's environment: run all migrations in one transaction, with the service's connection settings.

Then set `attributes["revision"]` of Alembic's Config to the database's revision.
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

MIGRATION_LOCK_KEY = 0x72657374
"""Key of the advisory lock of migrations: of two concurrent deploys, the second waits for the first."""
LOCK_TIMEOUT = "5s"
"""How long a migration waits for a table lock. Other statements on the table wait behind it for as long."""

logger = Logger(service="restcalculator")


def _connect() -> pg8000.dbapi.Connection:
    url = PostgresUrl.parse(settings().aws_pgsql_path.get_secret_value())
    raw = url.open_socket(CONNECT_TIMEOUT)
    raw.settimeout(None)
    return pg8000.dbapi.connect(**url.driver_arguments(raw), application_name="restcalculator-migrate")


def _migrate(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK_KEY})
    # Set after acquiring the advisory lock: another deploy's migration may take longer than this timeout.
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(connection=connection, target_metadata=metadata)
    database, code = context.get_context(), ScriptDirectory.from_config(context.config)
    revision = database.get_current_revision()
    if revision is None or revision in {known.revision for known in code.walk_revisions()}:
        context.run_migrations()
    else:
        # This code is an older release. Migrations only expand the schema, so it runs on the newer schema.
        logger.warning("the database is ahead of this code: not migrated", revision=revision)
    context.config.attributes["revision"] = database.get_current_revision()


with create_engine("postgresql+pg8000://", creator=_connect, poolclass=pool.NullPool).begin() as _connection:
    _migrate(_connection)
