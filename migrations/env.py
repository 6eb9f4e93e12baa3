"""Alembic's environment: run all migrations in one transaction, with the service's connection settings.

Set `attributes["revision"]` of Alembic's Config to the database's revision. Then do what takes long on large
tables outside the transaction, with locks for which no call waits.
"""

import pg8000.dbapi
from alembic import context
from alembic.script import ScriptDirectory
from aws_lambda_powertools import Logger
from sqlalchemy import Connection, Index, create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from shared.database.connection import CONNECT_TIMEOUT
from shared.database.tables import metadata
from shared.database.url import PostgresUrl
from shared.settings import settings

MIGRATION_LOCK_KEY = 0x72657374
"""Key of the advisory lock of migrations: of two concurrent deploys, the second waits for the first."""
LOCK_TIMEOUT = "5s"
"""How long a migration waits for a table lock. Other statements on the table wait behind it for as long."""
COMPLETION_STATEMENT_TIMEOUT = "30s"
"""How long building an index or validating a constraint may take."""
REPLACED_INDEXES = {
    "records_newest_idx": "records_by_user_idx",
    "records_newest_of_all_idx": "records_by_date_idx",
}
"""Indexes that are dropped once another one serves the same queries. Earlier releases use the new one too."""
IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
VALIDATE = """
SELECT format('ALTER TABLE %s VALIDATE CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
WHERE NOT convalidated AND connamespace = 'public'::regnamespace
ORDER BY pg_relation_size(conrelid), conname"""
"""Returns the statements that validate the constraints that were added as NOT VALID, small tables first."""

logger = Logger(service="restcalculator")


def _connect() -> pg8000.dbapi.Connection:
    url = PostgresUrl.parse(settings().database_url())
    raw = url.open_socket(CONNECT_TIMEOUT)
    raw.settimeout(None)
    return pg8000.dbapi.connect(**url.driver_arguments(raw), application_name="restcalculator-migrate")


def _migrate(connection: Connection) -> bool:
    """Migrate the schema, and return whether it is that of this code."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK_KEY})
    # Set after acquiring the advisory lock: another deploy's migration may take longer than this timeout.
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    context.configure(connection=connection, target_metadata=metadata)
    database, code = context.get_context(), ScriptDirectory.from_config(context.config)
    revision = database.get_current_revision()
    is_known = revision is None or revision in {known.revision for known in code.walk_revisions()}
    if is_known:
        context.run_migrations()
    else:
        # This code is an older release. Migrations only expand the schema, so it runs on the newer schema.
        logger.warning("the database is ahead of this code: not migrated", revision=revision)
    context.config.attributes["revision"] = database.get_current_revision()
    return is_known


def _complete(connection: Connection) -> None:
    """Build indexes that no migration builds, drop the replaced ones, and validate constraints, during calls.

    The service works without them, so a failure or a timeout is only logged. The next deploy tries again.
    """
    try:
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET statement_timeout = '{COMPLETION_STATEMENT_TIMEOUT}'"))
        for table in metadata.tables.values():
            for index in table.indexes:
                if index.dialect_options["postgresql"]["concurrently"]:
                    _build(index, connection)
        for name, successor in REPLACED_INDEXES.items():
            if connection.scalar(text(IS_VALID), {"name": successor}):
                connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
        for statement in connection.scalars(text(VALIDATE)).all():
            connection.execute(text(statement))
    except DBAPIError as error:
        logger.warning("an index or the validation of a constraint is missing", reason=str(error.orig))


def _build(index: Index, connection: Connection) -> None:
    is_valid = connection.scalar(text(IS_VALID), {"name": index.name})
    if is_valid is False:  # an earlier build was interrupted
        index.drop(connection)
    if not is_valid:
        index.create(connection)


_engine = create_engine("postgresql+pg8000://", creator=_connect, poolclass=pool.NullPool)
with _engine.begin() as _connection:
    _is_current = _migrate(_connection)
if _is_current:
    with _engine.execution_options(isolation_level="AUTOCOMMIT").connect() as _connection:
        _complete(_connection)
