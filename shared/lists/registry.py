"""The lists that the API offers."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Numeric,
    Text,
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
)
from shared.lists.listing import Listing
from shared.schemas import responses


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


API_KEYS = Listing(
    "api_keys",
    api_keys,
    responses.ApiKey,
    func.api_key_json,
    newest=(api_keys.c.created_at, api_keys.c.id),
    expressions={
        "scopes": type_coerce(func.to_jsonb(api_keys.c.scopes), JSONB),
        "spend_limit": type_coerce(func.api_key_limit(literal_column("api_keys")), JSON),
        "spent": type_coerce(func.api_key_spent(literal_column("api_keys")), Numeric),
    },
    owner=api_keys.c.user_id,
    admins_see_all=False,
    hidden=api_keys.c.revoked_at,
)

_CALLERS_SESSION = bindparam("session_id", type_=Uuid)

SESSIONS = Listing(
    "sessions",
    sessions,
    responses.Session,
    lambda row: func.session_json(row, _CALLERS_SESSION),
    newest=(sessions.c.created_at, sessions.c.id),
    expressions={
        "refreshed_at": sessions.c.rotated_at,
        "current": sessions.c.id.is_not_distinct_from(_CALLERS_SESSION),
    },
    owner=sessions.c.user_id,
    admins_see_all=False,
    # Revoked and expired sessions stay in the table until housekeeping deletes them.
    hidden=func.coalesce(
        sessions.c.revoked_at, case((sessions.c.expires_at <= func.now(), sessions.c.expires_at))
    ),
)

OPERATIONS = Listing(
    "operations",
    operations,
    responses.Operation,
    func.operation_json,
    newest=(operations.c.created_at, operations.c.id),
    hidden=operations.c.deleted_at,
)

RECORDS = Listing(
    "records",
    records,
    responses.Record,
    func.record_json,
    newest=(records.c.date, records.c.id),
    expressions={
        "operation": select(operations.c.type)
        .where(operations.c.id == records.c.operation_id)
        .scalar_subquery(),
        "refunded_at": func.coalesce(records.c.refunded_at, _of_task(tasks.c.refunded_at)),
        "refund_id": func.coalesce(records.c.refund_id, _of_task(tasks.c.refund_id)),
    },
    owner=records.c.user_id,
    hidden=records.c.deleted_at,
    lookups={"operation": (records.c.operation_id, operations.c.type)},
    contains=_record_contains,
)

LEDGER = Listing(
    "ledger",
    ledger,
    responses.LedgerEntry,
    func.entry_json,
    newest=(ledger.c.seq,),
    owner=ledger.c.user_id,
)

AUDIT_LOG = Listing(
    "audit_log",
    audit_log,
    responses.AuditEntry,
    func.audit_log_json,
    newest=(audit_log.c.seq,),
)

USERS = Listing(
    "users",
    users,
    responses.User,
    func.user_json,
    newest=(users.c.created_at, users.c.id),
    hidden=users.c.deleted_at,
)

TASKS = Listing(
    "tasks",
    tasks,
    responses.Task,
    func.task_json,
    newest=(tasks.c.created_at, tasks.c.id),
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
    owner=tasks.c.user_id,
)

EXPORTS = Listing(
    "exports",
    exports,
    responses.Export,
    func.export_json,
    newest=(exports.c.created_at, exports.c.id),
    owner=exports.c.owner,
)

LISTS = (SESSIONS, API_KEYS, OPERATIONS, RECORDS, LEDGER, USERS, TASKS, EXPORTS, AUDIT_LOG)
"""All lists, for the OpenAPI document."""
