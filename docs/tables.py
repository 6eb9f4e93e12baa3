"""Write docs/reference/tables.md from the tables' metadata: `python -m docs.tables`."""

from collections.abc import Iterator

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import DefaultClause
from sqlalchemy.sql.ddl import CreateIndex

from deploy.environment import ROOT
from shared.database.tables import metadata

PAGE = ROOT / "docs" / "reference" / "tables.md"

DIALECT = PGDialect()  # type: ignore[no-untyped-call]

HEAD = """\
# Tables

For developers, and for operators with `psql`. `python -m docs.tables` generates this page from
`shared/database/tables.py`; a test fails if it is not current. The service maps the name of a violated
constraint to an error for the caller. Money is `numeric(18, 4)`, in credits. Ids are UUIDv7, so they sort by
time. `deleted_at` marks a soft-deleted row.
"""

PURPOSE = {
    "users": "Accounts. `balance` is always the sum of the user's ledger entries.",
    "operations": "The price list. A type without a living row cannot be called.",
    "records": """\
The history: one row for each charged call and each billed row of a file. Admins may correct it; a correction
moves no money. It has no foreign keys, because checking them took more than half of a batch chunk's time.""",
    "ledger": """\
The account statement: one row for each movement of money. Append-only: a trigger rejects `UPDATE`, `DELETE`
and `TRUNCATE`. `seq` is assigned under the user's row lock, so it orders the movements of a user.""",
    "idempotency_keys": "The stored response of each request with an `Idempotency-Key`, for 72 hours.",
    "tasks": """\
Uploaded files. `bytes_done` is the checkpoint: the offset of the first byte that is not billed. `run_*` are
for the speed of the current run; `results_*` are the checkpoint of writing the results.""",
    "task_errors": "The bad rows of a file, with the reason.",
    "task_operations": "The rows of each task and their price, by operation.",
    "usage_hours": """\
Calls, rows and spent credits of each user, by hour and operation, for `GET /usage`. The statements that
charge and refund update it.""",
    "audit_points": """\
The newest ledger entry of each user that the audit has verified, with the balance after it and what was spent
in its hour. `is_suspect` marks users whose balance or usage did not match.""",
    "audit_state": "One row: how far the audit has verified the ledger and compared the users.",
    "usage_backfill": """\
After an upgrade from 1.1: one row, with the newest ledger entry whose usage is not counted yet. Empty when
all is counted.""",
    "exports": "Files of records or ledger entries that the worker writes. Deleted after 7 days.",
    "audit_log": "The changes by admins. Append-only, like the ledger.",
    "sessions": "One row for each signed-in device. `refresh_id` names the newest refresh token.",
    "api_keys": "API keys of programs, as SHA-256 hashes.",
    "webhooks": """\
The URLs to which users' events are sent, with the secrets that sign them. Deleted ones stay without secrets
until their deliveries are deleted.""",
    "webhook_events": """\
The outbox: triggers write an event in the transaction that makes it true, if a webhook is subscribed to it.
Deleted after 30 days.""",
    "webhook_deliveries": "An event for one webhook, with the time of the next attempt.",
    "webhook_attempts": "The requests of each delivery, with the first characters of the response.",
    "rate_limits": "Token buckets of the throttles. Unlogged, so Postgres empties it after a crash.",
}


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(_section(table) for table in metadata.tables.values())])


def _section(table: Table) -> str:
    columns = "\n".join(_column(column) for column in table.columns)
    parts = [
        f"## {table.name}",
        PURPOSE[table.name],
        f"| column | type | null | default |\n| --- | --- | --- | --- |\n{columns}",
        "\n".join(_constraints(table)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _column(column: Column[object]) -> str:
    kind = column.type.compile(dialect=DIALECT).lower()
    if foreign := next(iter(column.foreign_keys), None):
        kind += f" → `{foreign.target_fullname}`"
    null = "yes" if column.nullable else ""
    name = f"`{column.name}`{' (key)' if column.primary_key else ''}"
    return f"| {name} | {kind} | {null} | {_default(column)} |"


def _default(column: Column[object]) -> str:
    if column.identity is not None:
        return "identity"
    if not isinstance(column.server_default, DefaultClause):
        return ""
    return f"`{column.server_default.arg}`"


def _constraints(table: Table) -> Iterator[str]:
    for constraint in sorted(table.constraints, key=lambda found: str(found.name)):
        if isinstance(constraint, CheckConstraint):
            yield f"- `{_name(constraint, table)}`: `{constraint.sqltext}`"
        elif isinstance(constraint, UniqueConstraint):
            columns = ", ".join(column.name for column in constraint.columns)
            yield f"- `{_name(constraint, table)}`: unique `({columns})`"
    for index in sorted(table.indexes, key=lambda found: str(found.name)):
        yield f"- `{index.name}`: {_index(index)}"


def _name(constraint: CheckConstraint | UniqueConstraint, table: Table) -> str:
    if isinstance(constraint, UniqueConstraint):
        return f"{table.name}_{'_'.join(column.name for column in constraint.columns)}_key"
    name = str(constraint.name)
    return name if name.startswith(f"{table.name}_") else f"{table.name}_{name}_check"


def _index(index: Index) -> str:
    statement = str(CreateIndex(index).compile(dialect=DIALECT))
    where = statement.partition(" ON ")[2].partition(" ")[2]
    return f"{'unique ' if index.unique else ''}index `{where}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
