"""Reads the database directly, without the service, and checks its invariants."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.machine import outbox
from tests.machine.actions import EXPORTED
from tests.machine.model import ANY_STRING, Arguments, AuditedChange, Computed, ExportedRow, Result

Sql = Callable[..., list[list[Any]]]
RANDOM_STRING = re.compile("[0-9A-Za-z]{32}")
LISTED = {
    "ledger": "SELECT id::text, user_id::text FROM ledger",
    "records": "SELECT id::text, user_id::text FROM records WHERE deleted_at IS NULL",
    "tasks": "SELECT id::text, user_id::text FROM tasks",
}
"""For each list of the API: the query for all its items and their owners."""

CHARGED = """
    SELECT rfc3339(date_trunc(:by::text, date, 'UTC')), -sum(amount) FROM ledger
    WHERE kind IN ('charge', 'batch', 'refund') AND (:user_id::uuid IS NULL OR user_id = :user_id::uuid)
    GROUP BY 1"""
"""What was charged less refunds by period: to a user, or to all users."""
QUEUED_EXPORTS = "SELECT id, user_id, format FROM exports WHERE status = 'queued'"
UNKNOWN = """
    SELECT id::text FROM (SELECT id FROM records UNION ALL SELECT id FROM exports) created
    WHERE id::text <> ALL(:known::text[])"""
"""The records and exports whose ids are not `known`."""
AUDIT_LOG = """
    SELECT resource, CASE resource WHEN 'operation' THEN (SELECT type FROM operations WHERE id = resource_id)
                     ELSE resource_id::text END,
           actor_id::text, action, before::text, after::text
    FROM audit_log ORDER BY seq"""
"""Operations have their type as name, because one that is priced again has another id."""
UNPREDICTED = {
    *("id", "date", "created_at", "operation_id", "ledger_entry_id"),
    *("arguments", "operation_response"),  # compared as the records' own
}
"""Members in the audit log that the model does not predict."""
MARKS = {"deleted_at", "refunded_at", "refund_id"}
"""Members in the audit log of which the model predicts whether they are null."""
AN_HOUR_PASSES = (
    "SET session_replication_role = replica",
    "UPDATE ledger SET date = date - interval '1 hour'",
    # In two steps, because two hours of one user must never be equal.
    "UPDATE usage_hours SET hour = hour - interval '1000 days'",
    "UPDATE usage_hours SET hour = hour + interval '1000 days' - interval '1 hour'",
    "SET session_replication_role = DEFAULT",
)
"""Statements that make all charges and refunds an hour older. The ledger's trigger rejects changes."""

VIOLATIONS = {
    "a balance that is negative or not the sum of its ledger": """
        SELECT u.email, u.balance, sum(l.amount) FROM users u LEFT JOIN ledger l ON l.user_id = u.id
        GROUP BY u.id HAVING u.balance < 0 OR u.balance <> coalesce(sum(l.amount), 0)""",
    "an entry whose balance_before is not the previous balance_after": """
        SELECT * FROM (
            SELECT *, lag(balance_after, 1, 0::numeric) OVER (PARTITION BY user_id ORDER BY seq) AS before
            FROM ledger
        ) chain WHERE balance_before <> before""",
    "a charge without exactly one record": """
        SELECT l.reference ->> 'record_id', count(*), count(r.id)
        FROM ledger l LEFT JOIN records r ON r.id::text = l.reference ->> 'record_id'
        WHERE l.kind = 'charge' GROUP BY 1 HAVING count(*) <> 1 OR count(r.id) <> 1""",
    "an idempotency key without exactly one charge of its user, grant, refund or export": """
        SELECT k.key, count(l.id) + count(e.id)
        FROM idempotency_keys k
        LEFT JOIN exports e ON e.id::text = k.response::json ->> 'id' AND e.user_id = k.user_id
        LEFT JOIN ledger l ON l.id::text = k.response::json ->> 'id'
                           OR k.response::json ->> 'id' IS NULL AND l.kind = 'charge'
                           AND l.reference ->> 'record_id' = k.response::json ->> 'record_id'
                           AND l.user_id = k.user_id
        GROUP BY k.user_id, k.key HAVING count(l.id) + count(e.id) <> 1""",
    "a charge with two idempotency keys": """
        SELECT coalesce(response::json ->> 'id', response::json ->> 'record_id')
        FROM idempotency_keys GROUP BY 1 HAVING count(*) > 1""",
    "a row that was billed or reported twice, or skipped": """
        SELECT t.id FROM tasks t LEFT JOIN (
            SELECT task_id, task_row FROM records WHERE task_id IS NOT NULL
            UNION ALL SELECT e.task_id, e.task_row FROM task_errors e JOIN tasks t ON t.id = e.task_id
            WHERE e.task_row <= t.rows_done  -- the rest is of the dry run before the start
        ) r ON r.task_id = t.id
        WHERE NOT t.dry_run
        GROUP BY t.id HAVING count(task_row) <> t.rows_done OR count(DISTINCT task_row) <> t.rows_done
                          OR max(task_row) <> t.rows_done""",
    "a dry run that recorded a row or spent credit, or does not report each bad row once": """
        SELECT id FROM tasks t
        WHERE dry_run AND (spent <> 0 OR EXISTS (SELECT FROM records WHERE task_id = t.id)
                           OR (SELECT count(*) FROM task_errors WHERE task_id = t.id) <> rows_failed)""",
    "a task whose spent is not the sum of its ledger entries": """
        SELECT t.id FROM tasks t
        LEFT JOIN ledger l ON l.kind = 'batch' AND l.reference ->> 'task_id' = t.id::text
                           AND l.user_id = t.user_id
        GROUP BY t.id HAVING t.spent <> -coalesce(sum(l.amount), 0)""",
    "an API key that spent more than its limit, or than its user was charged": """
        SELECT k.id FROM api_keys k
        WHERE k.spent > k.limit_amount OR k.spent > (
            SELECT -coalesce(sum(l.amount), 0) FROM ledger l
            WHERE l.user_id = k.user_id AND l.kind IN ('charge', 'batch'))""",
    "an hour of usage that is not the ledger's charges less refunds": """
        SELECT * FROM (
            SELECT user_id, date_trunc('hour', date, 'UTC') AS hour, -sum(amount) AS spent FROM ledger
            WHERE kind IN ('charge', 'batch', 'refund') GROUP BY 1, 2
        ) l FULL JOIN (
            SELECT user_id, hour, sum(spent) AS spent FROM usage_hours GROUP BY 1, 2
        ) u USING (user_id, hour) WHERE l.spent IS DISTINCT FROM u.spent""",
    "a refund without exactly one refunded record or task": """
        SELECT l.id FROM ledger l
        LEFT JOIN (SELECT id, refund_id, 'record_id' AS name FROM records
                   UNION ALL SELECT id, refund_id, 'task_id' FROM tasks) r
            ON r.refund_id = l.id AND l.reference ->> r.name = r.id::text
        WHERE l.kind = 'refund' GROUP BY l.seq HAVING count(r.id) <> 1""",
    "a record or task that was refunded twice, or more than was charged": """
        SELECT coalesce(l.reference ->> 'record_id', l.reference ->> 'task_id') FROM ledger l
        WHERE l.kind = 'refund' GROUP BY 1 HAVING count(*) > 1
        UNION ALL SELECT id::text FROM tasks WHERE refunded > spent
        UNION ALL SELECT r.id::text FROM records r JOIN ledger c ON c.kind = 'charge'
            AND c.reference ->> 'record_id' = r.id::text
        JOIN ledger l ON l.id = r.refund_id WHERE l.amount <> -c.amount OR l.user_id <> c.user_id""",
    "a task whose refunds are not the sum of their ledger entries": """
        SELECT t.id FROM tasks t
        LEFT JOIN records r ON r.task_id = t.id AND r.refund_id IS NOT NULL
        LEFT JOIN ledger l ON l.id = r.refund_id
        GROUP BY t.id
        HAVING t.refunded <> coalesce(sum(l.amount), 0)
                           + coalesce((SELECT amount FROM ledger WHERE id = t.refund_id), 0)""",
    "a task whose spent or rows are not the sums of its operations": """
        SELECT t.id FROM tasks t LEFT JOIN task_operations o ON o.task_id = t.id
        WHERE NOT t.dry_run
        GROUP BY t.id HAVING t.spent - t.refunded <> coalesce(sum(o.spent), 0)
                          OR t.rows_done - t.rows_failed <> coalesce(sum(o.rows), 0)""",
}
"""Queries for violated invariants. They do not depend on the model."""


def check(sql: Sql) -> None:
    """Check the invariants. Raises: AssertionError with the rows that violate one."""
    for what, query in (VIOLATIONS | outbox.VIOLATIONS).items():
        assert (found := sql(query)) == [], f"{what}: {found}"


def read(
    sql: Sql,
    name_of: Mapping[str, str],
    results: Callable[[str, str, datetime | None], list[Result]],
    exported: Callable[[str, str, str], list[dict[str, Any]]],
) -> dict[str, Any]:
    """Return the content of the database, in the format of `Model.expected_state`.

    Args:
        name_of: maps ids to names.
        results: returns the published results of a task, given the id of its owner, its own, and when it
            ended, if it did not complete.
        exported: returns the rows of an export's file, given the id of its user, its own, and its format.
    """
    ledgers: dict[str, list[tuple[str, Decimal, Decimal]]] = {}
    for owner, *entry in sql("SELECT user_id::text, kind, amount, balance_after FROM ledger ORDER BY seq"):
        ledgers.setdefault(owner, []).append(tuple(entry))
    users = sql(
        """SELECT id::text, email, role, balance, deleted_at IS NOT NULL, status = 'active' FROM users"""
    )
    sessions: dict[str, dict[str, bool]] = {}
    for owner, session, valid in sql("SELECT user_id::text, id::text, revoked_at IS NULL FROM sessions"):
        sessions.setdefault(owner, {})[name_of[session]] = valid
    audit_log: dict[tuple[str, str], list[AuditedChange]] = {}
    for resource, of, actor, action, *members in sql(AUDIT_LOG):
        before, after = (audited(it, name_of) for it in members)
        history = audit_log.setdefault((resource, name_of.get(of, of)), [])
        history.append((name_of[actor], action, before, after))
    exports = sql(
        "SELECT id::text, user_id::text, owner::text, resource, format, status, rows_done FROM exports"
    )
    records = sql(
        """SELECT r.user_id::text, o.type, arguments::text, operation_response::text, amount, user_balance,
                  task_id::text, task_row, r.deleted_at IS NOT NULL, r.refunded_at IS NOT NULL
           FROM records r JOIN operations o ON o.id = r.operation_id"""
    )
    usage = sql(
        "SELECT user_id::text, type, sum(calls), sum(rows), sum(spent) FROM usage_hours GROUP BY 1, 2"
    )
    operations: dict[str, dict[str, tuple[int, Decimal]]] = {}
    for task_id, operation, *sums in sql("SELECT task_id::text, type, rows, spent FROM task_operations"):
        operations.setdefault(task_id, {})[operation] = sums[0], sums[1]
    tasks = sql(
        "SELECT id::text, user_id::text, status, rows_done, rows_failed, spent, cost, max_spend, refunded,"
        " refunded_at IS NOT NULL, api_key_id IS NOT NULL, has_worker AND status = 'processing',"
        " results_at IS NOT NULL, CASE WHEN status <> 'completed' THEN finished_at END FROM tasks"
    )
    api_keys = sql("SELECT user_id::text, limit_amount, spent FROM api_keys")
    return {
        "users": {name_of[id]: (*user, sessions.get(id, {}), ledgers.get(id, [])) for id, *user in users},
        "audit_log": audit_log,
        "exports": {
            name_of[id]: (
                name_of[who],
                owner and name_of[owner],
                resource,
                status,
                rows,
                status == "completed"
                and Counter(export_row(row, resource, name_of) for row in exported(who, id, format)),
            )
            for id, who, owner, resource, format, status, rows in exports
        },
        "prices": dict(map(tuple, sql("SELECT type, cost FROM operations WHERE deleted_at IS NULL"))),
        "keys": {(name_of[id], key) for id, key in sql("SELECT user_id::text, key FROM idempotency_keys")},
        "api_keys": {name_of[owner]: (limit, spent) for owner, limit, spent in api_keys},
        "usage": {(name_of[owner], operation): tuple(sums) for owner, operation, *sums in usage},
        "records": Counter(
            (
                name_of[owner],
                operation,
                given and arguments(given),
                result(computed),
                amount,
                balance,
                task and name_of[task],
                row,
                *marks,
            )
            for owner, operation, given, computed, amount, balance, task, row, *marks in records
        ),
        "tasks": {
            name_of[id]: (
                name_of[owner],
                *task,
                operations.get(id, {}),
                has_worker,
                results(owner, id, end) if has_results else None,
            )
            for id, owner, *task, has_worker, has_results, end in tasks
        },
    }


def ids(sql: Sql) -> dict[str, str]:
    """Return all ids by the model's names.

    Users: the e-mail and a sequence number. Sessions: the user and a sequence number. Tasks: the file name.
    Their records: the file name and the row. Operations: the type.
    """
    found = sql(
        """WITH named AS (
               SELECT email || ' ' || row_number() OVER (PARTITION BY email ORDER BY created_at) AS name, id
               FROM users
           )
           SELECT name, id::text FROM named
           UNION ALL SELECT name || ' session ' || row_number() OVER (PARTITION BY n.id ORDER BY created_at),
                            s.id::text
               FROM sessions s JOIN named n ON n.id = s.user_id
           UNION ALL SELECT filename, id::text FROM tasks
           UNION ALL SELECT t.filename || ' row ' || r.task_row, r.id::text
               FROM records r JOIN tasks t ON t.id = r.task_id
           UNION ALL SELECT type, id::text FROM operations WHERE deleted_at IS NULL"""
    )
    return dict(map(tuple, found))


def audited(text: str | None, name_of: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the members in an entry of the audit log that the model predicts, with names instead of ids."""
    if text is None:
        return None
    members = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return {
        name: value is not None if name in MARKS else name_of.get(str(value), value)
        for name, value in members.items()
        if name not in UNPREDICTED
    }


def export_row(row: Mapping[str, Any], resource: str, name_of: Mapping[str, str]) -> ExportedRow:
    user, what, amount, balance = (row[field] for field in EXPORTED[resource])
    return name_of[user], what, Decimal(amount), Decimal(balance)


def arguments(text: str) -> Arguments:
    """Parse a JSON list of arguments."""
    return tuple(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def result(text: str) -> Computed:
    """Parse a result in JSON."""
    value: Computed = json.loads(text, parse_int=float)
    return ANY_STRING if isinstance(value, str) and RANDOM_STRING.fullmatch(value) else value


def result_cell(text: str) -> Computed:
    """Parse a result in a result file. An empty cell is None."""
    if not text:
        return None
    return ANY_STRING if RANDOM_STRING.fullmatch(text) else float(text)


def clear(sql: Sql) -> None:
    """Empty every table. Disables triggers, because the ledger's reject TRUNCATE."""
    tables = sql("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
    names = ", ".join(table for (table,) in tables if table != "alembic_version")
    sql("SET session_replication_role = replica")
    sql(f"TRUNCATE {names}")
    sql("SET session_replication_role = DEFAULT")
