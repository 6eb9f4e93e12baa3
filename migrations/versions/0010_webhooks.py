"""Add webhooks: the subscriptions, the outbox of events, the deliveries and their attempts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(18, 4)
TIME = sa.DateTime(timezone=True)
CLOCK = sa.func.clock_timestamp()

# Return a UUID of version 7 for this moment: the version and 48 bits of milliseconds replace bits of a random
# one. Before version 18, Postgres has no function for it.
NEW_UUID7 = """
CREATE FUNCTION new_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE
RETURN encode(
    set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6),
        52, 1), 53, 1),
    'hex')::uuid
"""

# Write an event to the outbox, and a delivery for each webhook that is subscribed to it. Without such a
# webhook it only reads one index. The trigger calls it in the transaction that makes the event true. The lock
# on the user's row orders the events of a user: the time of an event is later than that of each event
# committed before. Statements that lock a task or an export lock it before its user, so the lock can't cause
# a deadlock.
EMIT_EVENT = """
CREATE FUNCTION emit_event(owner uuid, event_type text, data json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    event_id uuid;
    moment timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM webhooks w
                   WHERE w.user_id = owner AND event_type = ANY (w.events)
                     AND w.paused_at IS NULL AND w.deleted_at IS NULL) THEN
        RETURN;
    END IF;
    PERFORM FROM users u WHERE u.id = owner FOR NO KEY UPDATE;
    event_id := new_uuid7();
    moment := clock_timestamp();
    INSERT INTO webhook_events (id, user_id, type, body, created_at)
    VALUES (event_id, owner, event_type, event_body(event_type, moment, data), moment);
    INSERT INTO webhook_deliveries
        (id, user_id, webhook_id, event_id, type, created_at, next_attempt_at, deadline)
    SELECT new_uuid7(), owner, w.id, event_id, event_type, moment, moment, moment + interval '4 days'
    FROM webhooks w
    WHERE w.user_id = owner AND event_type = ANY (w.events) AND w.paused_at IS NULL AND w.deleted_at IS NULL;
END $$
"""

# The body of a request to a webhook. The signature covers exactly this text.
EVENT_BODY = """
CREATE FUNCTION event_body(event_type text, moment timestamptz, data json) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object('type', event_type, 'timestamp', rfc3339(moment), 'data', data)::text
"""

# Triggers instead of calls in each statement: no statement, and no earlier version of the service, can end a
# task or move money without the event.
TRIGGERS = (
    """
    CREATE FUNCTION emit_task_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM emit_event(
            NEW.user_id,
            CASE WHEN NEW.status IN ('completed', 'quoted') THEN 'task.completed'
                 WHEN NEW.status = 'failed' THEN 'task.failed'
                 ELSE 'task.stopped' END,
            task_json(NEW)::json);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER tasks_emit_event AFTER UPDATE OF status ON tasks FOR EACH ROW
    WHEN (NEW.status <> OLD.status
          AND NEW.status IN ('completed', 'quoted', 'out_of_credit', 'cancelled', 'failed'))
    EXECUTE FUNCTION emit_task_event()
    """,
    """
    CREATE FUNCTION emit_export_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM emit_event(NEW.user_id, 'export.completed', export_json(NEW)::json);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER exports_emit_event AFTER UPDATE OF status ON exports FOR EACH ROW
    WHEN (NEW.status <> OLD.status AND NEW.status = 'completed')
    EXECUTE FUNCTION emit_export_event()
    """,
    """
    CREATE FUNCTION emit_ledger_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM emit_event(
            NEW.user_id, CASE NEW.kind WHEN 'grant' THEN 'credit.granted' ELSE 'record.refunded' END,
            entry_json(NEW)::json);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER ledger_emit_event AFTER INSERT ON ledger FOR EACH ROW
    WHEN (NEW.kind = 'refund' OR NEW.kind = 'grant' AND NEW.amount > 0)
    EXECUTE FUNCTION emit_ledger_event()
    """,
    """
    CREATE FUNCTION emit_balance_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM emit_event(
            NEW.id, 'balance.low',
            json_build_object('user_id', NEW.id, 'balance', trim_scale(NEW.balance),
                              'low_balance_threshold', trim_scale(NEW.low_balance_threshold)));
        RETURN NULL;
    END $$
    """,
    # Only if a movement of money crosses the threshold. A charge that does not cross it only evaluates the
    # condition.
    """
    CREATE TRIGGER users_emit_event AFTER UPDATE OF balance ON users FOR EACH ROW
    WHEN (NEW.balance < NEW.low_balance_threshold AND OLD.balance >= NEW.low_balance_threshold)
    EXECUTE FUNCTION emit_balance_event()
    """,
)

USER_JSON = """
CREATE OR REPLACE FUNCTION user_json(account users) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', account.id, 'email', account.email, 'role', account.role, 'balance', trim_scale(account.balance),
    'created_at', rfc3339(account.created_at), 'deleted_at', rfc3339(account.deleted_at),
    'status', account.status, 'low_balance_threshold', trim_scale(account.low_balance_threshold))::text
"""

# Until when the newest previous secret signs; null if none does.
PREVIOUS_EXPIRY = """
CREATE FUNCTION previous_secret_expires_at(webhook webhooks) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT max((previous ->> 'expires_at')::timestamptz)
    FROM jsonb_array_elements(webhook.previous_secrets) previous
    WHERE (previous ->> 'expires_at')::timestamptz > now();
END
"""

# Without the secrets.
WEBHOOK_JSON = """
CREATE FUNCTION webhook_json(webhook webhooks) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', webhook.id, 'url', webhook.url, 'events', to_jsonb(webhook.events),
    'description', webhook.description,
    'created_at', rfc3339(webhook.created_at), 'paused', webhook.paused_at IS NOT NULL,
    'paused_at', rfc3339(webhook.paused_at), 'paused_reason', webhook.paused_reason,
    'failing_since', rfc3339(webhook.failing_since),
    'previous_secret_expires_at', rfc3339(previous_secret_expires_at(webhook)))::text
"""

# The newest attempts of a delivery, the newest first.
DELIVERY_LOG = """
CREATE FUNCTION webhook_delivery_log(delivery webhook_deliveries) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(json_agg(json_build_object(
               'sent_at', rfc3339(newest.sent_at), 'duration_ms', newest.duration_ms, 'status', newest.status,
               'response', newest.response, 'error', newest.error) ORDER BY newest.sent_at DESC), '[]')
    FROM (SELECT * FROM webhook_attempts a
          WHERE a.delivery_id = delivery.id ORDER BY a.sent_at DESC LIMIT 20) newest;
END
"""

DELIVERY_JSON = """
CREATE FUNCTION webhook_delivery_json(delivery webhook_deliveries) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', delivery.id, 'webhook_id', delivery.webhook_id, 'event_id', delivery.event_id,
    'type', delivery.type, 'status', delivery.status,
    'created_at', rfc3339(delivery.created_at),
    'next_attempt_at', CASE WHEN delivery.status = 'pending' THEN rfc3339(delivery.next_attempt_at) END,
    'ended_at', rfc3339(delivery.ended_at), 'attempts', webhook_delivery_log(delivery))::text
"""

FUNCTIONS = (
    NEW_UUID7,
    EVENT_BODY,
    EMIT_EVENT,
    *TRIGGERS,
    USER_JSON,
    PREVIOUS_EXPIRY,
    WEBHOOK_JSON,
    DELIVERY_LOG,
    DELIVERY_JSON,
)


def upgrade() -> None:
    # In the order in which a chunk reaches the tables, so that it can't deadlock with this migration.
    op.execute("LOCK TABLE tasks, users, ledger, exports IN SHARE ROW EXCLUSIVE MODE")
    op.add_column("users", sa.Column("low_balance_threshold", MONEY))
    op.execute(
        "ALTER TABLE users ADD CONSTRAINT users_low_balance_threshold_check"
        " CHECK (low_balance_threshold > 0) NOT VALID"
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid),
        sa.Column(
            "user_id", sa.Uuid, sa.ForeignKey("users.id", name="webhooks_user_id_fkey"), nullable=False
        ),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("previous_secrets", postgresql.JSONB, nullable=False, server_default="[]"),
        sa.Column("created_at", TIME, nullable=False, server_default=CLOCK),
        sa.Column("paused_at", TIME),
        sa.Column("paused_reason", sa.Text),
        sa.Column("deleted_at", TIME),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", TIME),
        sa.Column("not_before", TIME),
        sa.Column("attempt_id", sa.Uuid),
        sa.Column("leased_until", TIME),
        sa.PrimaryKeyConstraint("id", name="webhooks_pkey"),
        sa.CheckConstraint(
            "(paused_at IS NULL) = (paused_reason IS NULL) AND paused_reason IN ('owner', 'failing', 'gone')",
            name="paused",
        ),
    )
    op.create_index("webhooks_user_id_idx", "webhooks", ["user_id"])
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Uuid),
        sa.Column(
            "user_id", sa.Uuid, sa.ForeignKey("users.id", name="webhook_events_user_id_fkey"), nullable=False
        ),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False, server_default=CLOCK),
        sa.PrimaryKeyConstraint("id", name="webhook_events_pkey"),
    )
    op.create_index("webhook_events_created_at_idx", "webhook_events", ["created_at"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid),
        sa.Column(
            "user_id",
            sa.Uuid,
            sa.ForeignKey("users.id", name="webhook_deliveries_user_id_fkey"),
            nullable=False,
        ),
        sa.Column(
            "webhook_id",
            sa.Uuid,
            sa.ForeignKey("webhooks.id", name="webhook_deliveries_webhook_id_fkey"),
            nullable=False,
        ),
        sa.Column(
            "event_id",
            sa.Uuid,
            sa.ForeignKey("webhook_events.id", name="webhook_deliveries_event_id_fkey"),
            nullable=False,
        ),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", TIME, nullable=False, server_default=CLOCK),
        sa.Column("next_attempt_at", TIME, nullable=False, server_default=CLOCK),
        sa.Column("deadline", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.PrimaryKeyConstraint("id", name="webhook_deliveries_pkey"),
        sa.CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
    )
    op.create_index(
        "webhook_deliveries_pending_idx",
        "webhook_deliveries",
        ["webhook_id", "next_attempt_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "webhook_deliveries_deadline_idx",
        "webhook_deliveries",
        ["deadline"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "webhook_deliveries_newest_idx",
        "webhook_deliveries",
        ["user_id", "webhook_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_index("webhook_deliveries_webhook_id_idx", "webhook_deliveries", ["webhook_id"])
    op.create_index("webhook_deliveries_event_id_idx", "webhook_deliveries", ["event_id"])
    op.create_table(
        "webhook_attempts",
        sa.Column("id", sa.Uuid),
        sa.Column(
            "delivery_id",
            sa.Uuid,
            sa.ForeignKey("webhook_deliveries.id", name="webhook_attempts_delivery_id_fkey"),
            nullable=False,
        ),
        sa.Column("sent_at", TIME, nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("response", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="webhook_attempts_pkey"),
    )
    op.create_index(
        "webhook_attempts_delivery_id_idx", "webhook_attempts", ["delivery_id", sa.text("sent_at DESC")]
    )
    for statement in FUNCTIONS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
