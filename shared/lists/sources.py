"""Where each list reads its rows: tables, SQL expressions and the function that makes the JSON.

This needs SQLAlchemy, so `shared/lists/statements.py` imports it only for statements that are not compiled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Numeric,
    Table,
    Text,
    UnaryExpression,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables import (
    api_keys,
    audit_log,
    exports,
    ledger,
    operations,
    records,
    sessions,
    tasks,
    users,
    webhook_deliveries,
    webhooks,
)
from shared.lists import registry
from shared.lists.listing import Listing


@dataclass(frozen=True, eq=False)
class Source:
    """Where a list reads its rows.

    Args:
        json_function: the SQL function that returns one row as JSON.
        expressions: SQL expressions of the public fields that are not columns. They may have the parameter
            `session_id`: the id of the caller's session, or null for an API key.
        hidden: the column or expression that is not null on rows that the list leaves out.
        lookups: for a field of another table, this table's column that refers to that table, and the field's
            column there. A filter then compares once for each row of that table.
        by_owner: how an index orders the rows by owner, before `newest`. Needed if another index has the rows
            of all users in the order of `newest`.
        contains: returns whether a row contains the pattern of `search`; None for a list without search.
    """

    listing: Listing
    table: Table
    json_function: Callable[[ColumnElement[Any]], ColumnElement[str]]
    expressions: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    hidden: ColumnElement[Any] | None = None
    lookups: Mapping[str, tuple[Column[Any], Column[Any]]] = field(default_factory=dict)
    by_owner: UnaryExpression[Any] | None = None
    contains: Callable[[ColumnElement[str]], ColumnElement[bool]] | None = None

    @cached_property
    def newest(self) -> tuple[Column[Any], ...]:
        """The columns of the default order."""
        return tuple(self.table.c[name] for name in self.listing.newest)

    @property
    def owner(self) -> Column[Any] | None:
        """The column with the owner's id."""
        return None if self.listing.owner is None else self.table.c[self.listing.owner]

    def expression(self, name: str) -> ColumnElement[Any]:
        """Return the SQL expression of a public field."""
        return self.expressions[name] if name in self.expressions else self.table.c[name]


def _of_task(column: Column[Any]) -> ColumnElement[Any]:
    """Return a column of a record's task."""
    return select(column).where(tasks.c.id == records.c.task_id).scalar_subquery()


def _record_contains(pattern: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether a record's operation, arguments or result contain the pattern, ignoring case."""
    return or_(
        records.c.operation_id.in_(select(operations.c.id).where(operations.c.type.ilike(pattern))),
        cast(records.c.arguments, Text).ilike(pattern),
        cast(records.c.operation_response, Text).ilike(pattern),
    )


API_KEYS = Source(
    registry.API_KEYS,
    api_keys,
    func.api_key_json,
    expressions={
        "scopes": type_coerce(func.to_jsonb(api_keys.c.scopes), JSONB),
        "spend_limit": type_coerce(func.api_key_limit(literal_column("api_keys")), JSON),
        "spent": type_coerce(func.api_key_spent(literal_column("api_keys")), Numeric),
    },
    hidden=api_keys.c.revoked_at,
)

_CALLERS_SESSION = bindparam("session_id", type_=Uuid)

SESSIONS = Source(
    registry.SESSIONS,
    sessions,
    lambda row: func.session_json(row, _CALLERS_SESSION),
    expressions={
        "refreshed_at": sessions.c.rotated_at,
        "current": sessions.c.id.is_not_distinct_from(_CALLERS_SESSION),
    },
    # Revoked and expired sessions stay in the table until housekeeping deletes them.
    hidden=func.coalesce(
        sessions.c.revoked_at, case((sessions.c.expires_at <= func.now(), sessions.c.expires_at))
    ),
)

OPERATIONS = Source(
    registry.OPERATIONS,
    operations,
    func.operation_json,
    hidden=operations.c.deleted_at,
)

RECORDS = Source(
    registry.RECORDS,
    records,
    func.record_json,
    expressions={
        "operation": select(operations.c.type)
        .where(operations.c.id == records.c.operation_id)
        .scalar_subquery(),
        "refunded_at": func.coalesce(records.c.refunded_at, _of_task(tasks.c.refunded_at)),
        "refund_id": func.coalesce(records.c.refund_id, _of_task(tasks.c.refund_id)),
    },
    hidden=records.c.deleted_at,
    lookups={"operation": (records.c.operation_id, operations.c.type)},
    by_owner=records.c.user_id.desc(),
    contains=_record_contains,
)

LEDGER = Source(
    registry.LEDGER,
    ledger,
    func.entry_json,
    by_owner=ledger.c.user_id.asc(),
)

AUDIT_LOG = Source(
    registry.AUDIT_LOG,
    audit_log,
    func.audit_log_json,
)

USERS = Source(
    registry.USERS,
    users,
    func.user_json,
    hidden=users.c.deleted_at,
)

TASKS = Source(
    registry.TASKS,
    tasks,
    func.task_json,
    expressions={
        "percentage": type_coerce(
            func.task_percentage(tasks.c.status, tasks.c.bytes_done, tasks.c.bytes_total), Numeric
        ),
        "rows_per_second": type_coerce(
            func.task_speed(literal_column("tasks"), tasks.c.rows_done - tasks.c.run_rows), Numeric
        ),
        "seconds_left": type_coerce(func.task_seconds_left(literal_column("tasks")), BigInteger),
        "results": type_coerce(func.task_results(literal_column("tasks")), Text),
        "cost": tasks.c.cost,
    },
    by_owner=tasks.c.user_id.asc(),
)

EXPORTS = Source(
    registry.EXPORTS,
    exports,
    func.export_json,
    by_owner=exports.c.owner.asc(),
)

WEBHOOKS = Source(
    registry.WEBHOOKS,
    webhooks,
    func.webhook_json,
    expressions={
        "events": type_coerce(func.to_jsonb(webhooks.c.events), JSONB),
        "paused": webhooks.c.paused_at.is_not(None),
        "previous_secret_expires_at": type_coerce(
            func.previous_secret_expires_at(literal_column("webhooks")), DateTime(timezone=True)
        ),
    },
    hidden=webhooks.c.deleted_at,
)

WEBHOOK_DELIVERIES = Source(
    registry.WEBHOOK_DELIVERIES,
    webhook_deliveries,
    func.webhook_delivery_json,
    expressions={
        "next_attempt_at": case(
            (webhook_deliveries.c.status == literal_column("'pending'"), webhook_deliveries.c.next_attempt_at)
        ),
        "attempts": type_coerce(func.webhook_delivery_log(literal_column("webhook_deliveries")), JSON),
    },
)

SOURCES: Mapping[str, Source] = {
    source.listing.name: source
    for source in (
        SESSIONS,
        API_KEYS,
        OPERATIONS,
        RECORDS,
        LEDGER,
        USERS,
        TASKS,
        EXPORTS,
        AUDIT_LOG,
        WEBHOOKS,
        WEBHOOK_DELIVERIES,
    )
}
"""The source of each list, by the list's name."""
