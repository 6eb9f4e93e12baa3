"""Move what a block of actions wrote into the past, for demo data."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.database.connection import Database

TIMES = {
    "users": ("created_at",),
    "operations": ("created_at", "deleted_at"),
    "records": ("date", "refunded_at"),
    "ledger": ("date",),
    "tasks": ("created_at", "started_at", "updated_at", "finished_at", "results_at", "refunded_at"),
    "api_keys": ("created_at", "last_used_at"),
    "audit_log": ("date",),
}
"""Columns with the time of an action, by table."""
APPEND_ONLY = ("ledger", "audit_log")


@contextmanager
def hours_ago(database: Database, hours: int) -> Iterator[None]:
    """Move the times of everything that the block writes into the past, by whole hours.

    Nothing else may write meanwhile, and the block may not charge users who were charged earlier in this
    hour. Whole hours keep the usage of each hour equal to its ledger entries.
    """
    (began,) = database.query("SELECT clock_timestamp() AS time", {})
    # The usage of these users in the present hour has entries from before the block, so it must stay.
    earlier = database.query(
        "SELECT DISTINCT user_id FROM usage_hours"
        " WHERE hour >= date_trunc('hour', :began::timestamptz, 'UTC')",
        {"began": began["time"]},
    )
    yield
    database.begin()
    for table in APPEND_ONLY:
        database.query(f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only", {})
    values = {"began": began["time"], "hours": hours}
    for table, columns in TIMES.items():
        for column in columns:
            database.query(
                f"UPDATE {table} SET {column} = {column} - make_interval(hours => :hours::int)"  # noqa: S608
                f" WHERE {column} >= :began",
                values,
            )
    database.query(
        "UPDATE usage_hours SET hour = hour - make_interval(hours => :hours::int)"
        " WHERE hour >= date_trunc('hour', :began::timestamptz, 'UTC') AND user_id <> ALL(:earlier::uuid[])",
        {**values, "earlier": [row["user_id"] for row in earlier]},
    )
    for table in APPEND_ONLY:
        database.query(f"ALTER TABLE {table} ENABLE TRIGGER {table}_append_only", {})
    database.commit()
