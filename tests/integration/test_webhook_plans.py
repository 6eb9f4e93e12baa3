"""The statements of the delivery of webhooks read few rows, however many webhooks can get no request."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from shared.database.connection import statement_text
from tests.integration.conftest import Server
from tests.integration.test_list_plans import filled_database as filled_database

pytestmark = pytest.mark.usefixtures("filled_database")

ROWS, DELETED = 5000, 1000
ROWS_READ = 200
"""More than the rows of ten claims."""
OWNER = UUID(int=1)
ID = "lpad(to_hex(n), 32, '0')::uuid"

FILL = (
    f"""INSERT INTO users (id, email, password_hash, role, balance)
        SELECT {ID}, n || '@example.com', '', 'client', 0 FROM generate_series(1, {ROWS}) n""",
    f"""INSERT INTO webhooks (id, user_id, url, events, secret)
        SELECT {ID}, {ID}, 'https://example.com', '{{task.failed}}', '' FROM generate_series(1, {ROWS}) n""",
    # The last ten are free. Of the others, each third is paused, waits for its next attempt or is under way.
    f"""INSERT INTO webhook_events (id, user_id, type, body)
        SELECT {ID}, {ID}, 'task.failed', '{{}}' FROM generate_series(1, {ROWS}) n""",
    f"""INSERT INTO webhook_deliveries (id, user_id, webhook_id, event_id, type, deadline, next_attempt_at)
        SELECT {ID}, {ID}, {ID}, {ID}, 'task.failed', now() + interval '4 days',
               now() + CASE WHEN n % 3 = 1 AND n <= {ROWS} - 10 THEN interval '1 hour' ELSE interval '0' END
        FROM generate_series(1, {ROWS}) n""",
    f"""UPDATE webhooks SET paused_at = now(), paused_reason = 'owner'
        FROM generate_series(1, {ROWS} - 10) n WHERE id = {ID} AND n % 3 = 0""",
    f"""UPDATE webhooks SET leased_until = now() + interval '1 hour', due_at = now() + interval '1 hour'
        FROM generate_series(1, {ROWS} - 10) n WHERE id = {ID} AND n % 3 = 2""",
    # Deleted webhooks of one user, who has a live one too.
    f"""INSERT INTO webhooks (id, user_id, url, events, secret, deleted_at)
        SELECT gen_random_uuid(), '{OWNER}', 'https://example.com', '{{task.stopped}}', '', now()
        FROM generate_series(1, {DELETED})""",
    f"""INSERT INTO webhooks (id, user_id, url, events, secret)
        VALUES (gen_random_uuid(), '{OWNER}', 'https://example.com', '{{task.stopped}}', '')""",
)


@pytest.fixture(scope="module")
def filled(server: Server) -> Iterator[str]:
    """Create a database with many webhooks that can get no request. Return its name."""
    name = "filled_webhooks"
    server.maintenance.run(f"CREATE DATABASE {name} TEMPLATE {server.template}")
    with server.connect(name) as connection:
        for statement in FILL:
            connection.run(statement)
        connection.run("VACUUM (ANALYZE)")
    yield name
    server.maintenance.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def rows_read(server: Server, filled: str) -> Callable[..., int]:
    """Return a function that returns how many rows of the webhooks' tables a statement reads."""

    def run(sql: str, **parameters: Any) -> int:
        with server.connect(filled) as connection:
            connection.run("BEGIN")
            connection.run(sql, **parameters)
            ((rows,),) = connection.run(
                "SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_user_tables"
                " WHERE relname LIKE 'webhook%'"
            )
            connection.run("ROLLBACK")
        return int(rows)

    return run


def test_claim_reads_no_webhook_that_can_get_no_request(rows_read: Callable[..., int]) -> None:
    claim = statement_text("claim_deliveries")
    assert 0 < rows_read(claim, row_limit=10, lease=240, lease_limit=3) < ROWS_READ


def test_event_reads_no_deleted_webhook(rows_read: Callable[..., int]) -> None:
    for event, least in (("task.stopped", 1), ("task.completed", 0)):
        rows = rows_read("SELECT emit_event(:id, :event, '{}')", id=OWNER, event=event)
        assert least <= rows < ROWS_READ
