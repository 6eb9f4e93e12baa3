"""Add the time at which a webhook is due, so that the dispatcher finds the due ones by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Every statement that makes a delivery wait makes its webhook due, also those of an earlier version. The
# update is unconditional: it waits for a transaction that is setting `due_at` and has not seen this delivery.
WAKE_WEBHOOK = """
CREATE FUNCTION wake_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhooks
    SET due_at = least(due_at, greatest(NEW.next_attempt_at, leased_until, not_before))
    WHERE id = NEW.webhook_id;
    RETURN NULL;
END $$
"""

WAKE_TRIGGER = """
CREATE TRIGGER webhook_deliveries_wake_webhook
AFTER INSERT OR UPDATE OF status, next_attempt_at ON webhook_deliveries FOR EACH ROW
WHEN (NEW.status = 'pending')
EXECUTE FUNCTION wake_webhook()
"""

# As in 0010, but one statement selects the webhooks and writes both the event and its deliveries. With two, a
# webhook that was paused or deleted between them left an event without a delivery. For EXISTS, Postgres may
# prefer to scan the table until the first row.
EMIT_EVENT = """
CREATE OR REPLACE FUNCTION emit_event(owner uuid, event_type text, data json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
BEGIN
    PERFORM FROM webhooks w
    WHERE w.user_id = owner AND event_type = ANY (w.events) AND w.paused_at IS NULL AND w.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM users u WHERE u.id = owner FOR NO KEY UPDATE;
    moment := clock_timestamp();
    WITH subscribed AS MATERIALIZED (
        SELECT w.id FROM webhooks w
        WHERE w.user_id = owner AND event_type = ANY (w.events)
          AND w.paused_at IS NULL AND w.deleted_at IS NULL
    ), event AS (
        INSERT INTO webhook_events (id, user_id, type, body, created_at)
        SELECT new_uuid7(), owner, event_type, event_body(event_type, moment, data), moment
        WHERE EXISTS (SELECT FROM subscribed)
        RETURNING id
    )
    INSERT INTO webhook_deliveries
        (id, user_id, webhook_id, event_id, type, created_at, next_attempt_at, deadline)
    SELECT new_uuid7(), owner, subscribed.id, event.id, event_type, moment, moment, moment + interval '4 days'
    FROM subscribed, event;
END $$
"""


def upgrade() -> None:
    # The dispatcher looks once at each webhook that exists already, and sets its time.
    op.add_column(
        "webhooks", sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("'-infinity'"))
    )
    op.alter_column("webhooks", "due_at", server_default=None)
    # Only development versions have had webhooks, so these are few rows.
    op.execute("UPDATE webhooks SET secret = '', previous_secrets = '[]' WHERE deleted_at IS NOT NULL")
    for statement in (WAKE_WEBHOOK, WAKE_TRIGGER, EMIT_EVENT):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
