"""What all changes of the service move: credit, ledger entries, numbers of rows."""

from collections.abc import Callable
from typing import Any

TOTALS = {
    "credit": "SELECT sum(balance) FROM users",
    "entries": "SELECT count(*) FROM ledger",
    "users": "SELECT count(*) FROM users WHERE deleted_at IS NULL",
    "sessions": "SELECT count(*) FROM sessions WHERE revoked_at IS NULL",
    "keys": "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL",
    "prices": "SELECT count(*) FROM operations WHERE deleted_at IS NULL",
    "records": "SELECT count(*) FROM records WHERE deleted_at IS NULL",
    "recorded": "SELECT sum(amount) FROM records",
    "tasks": "SELECT count(*) FROM tasks",
    "spent": "SELECT sum(spent) FROM tasks",
    "unfinished": "SELECT count(*) FROM tasks WHERE finished_at IS NULL",
    "exports": "SELECT count(*) FROM exports WHERE status = 'completed'",
    "unfinished exports": "SELECT count(*) FROM exports WHERE status <> 'completed'",
    "webhooks": "SELECT count(*) FROM webhooks WHERE deleted_at IS NULL",
    "paused": "SELECT count(*) FROM webhooks WHERE paused_at IS NOT NULL",
    "rotated secrets": "SELECT count(*) FROM webhooks WHERE previous_secrets <> '[]'",
    "pending deliveries": "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'",
    "thresholds": "SELECT sum(low_balance_threshold) FROM users",
    "events": "SELECT count(*) FROM webhook_events",
    "changes": "SELECT count(*) FROM audit_log WHERE before IS DISTINCT FROM after",
    "responses": "SELECT count(*) FROM idempotency_keys",
}
"""Queries whose results one change must move as much as the same change without a fault."""


def totals(sql: Callable[[str], list[list[Any]]]) -> dict[str, Any]:
    """Return the totals. `sql` runs a query and returns its rows."""
    (values,) = sql("SELECT " + ", ".join(f"({query})" for query in TOTALS.values()))
    return {name: value or 0 for name, value in zip(TOTALS, values, strict=True)}
