"""Statements that tests run in the database of a running stack."""

from typing import Any

import pg8000.native

from localstack.stack import Stack
from shared.database.url import PostgresUrl


def run_sql(stack: Stack, statement: str, **parameters: Any) -> None:
    """Run a statement as the superuser."""
    postgres = PostgresUrl.parse(stack.environment["AWS_PGSQL_PATH"])
    with pg8000.native.Connection(
        "postgres",
        database=postgres.database,
        unix_sock=f"{postgres.unix_folder}/.s.PGSQL.5432",
        ssl_context=False,
    ) as connection:
        connection.run(statement, **parameters)


def reset_rate_limits(stack: Stack) -> None:
    """Reset all rate limits."""
    run_sql(stack, "DELETE FROM rate_limits")
