"""Add refunds, usage, quotes, exports, suspended users, limits of API keys, and the audit log."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(18, 4)
SUM = sa.Numeric(38, 4)
TIME = sa.DateTime(timezone=True)
CLOCK = sa.func.clock_timestamp()

COLUMNS: dict[str, tuple[sa.Column[Any], ...]] = {
    "users": (sa.Column("status", sa.Text, nullable=False, server_default="active"),),
    "ledger": (sa.Column("in_usage", sa.Boolean, nullable=False, server_default=sa.false()),),
    "records": (
        sa.Column("charged", MONEY),
        sa.Column("charged_user_id", sa.Uuid),
        sa.Column("charged_operation_id", sa.Uuid),
        sa.Column("refunded_at", TIME),
        sa.Column("refund_id", sa.Uuid),
    ),
    "api_keys": (
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.Text),
            nullable=False,
            # Keys of version 1.1, also those that it creates later, have all rights of their user.
            server_default=sa.text("'{read,compute,batch,admin}'"),
        ),
        sa.Column("expires_at", TIME),
        sa.Column("limit_amount", MONEY),
        sa.Column("limit_per", sa.Text),
        sa.Column("spent", SUM, nullable=False, server_default="0"),
        sa.Column("spent_since", TIME),
        sa.Column("last_used_at", TIME),
    ),
    "tasks": (
        sa.Column("dry_run", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("max_spend", MONEY),
        sa.Column("cost", SUM),
        sa.Column("api_key_id", sa.Uuid),
        sa.Column("refunded", SUM, nullable=False, server_default="0"),
        sa.Column("refunded_at", TIME),
        sa.Column("refund_id", sa.Uuid),
        sa.Column("results_at", TIME),
        sa.Column("has_message", sa.Boolean, nullable=False, server_default=sa.false()),
    ),
}

CHECKS = {
    "users_status_check": ("users", "status IN ('active', 'inactive')"),
    "api_keys_limit_check": (
        "api_keys",
        "(limit_amount IS NULL) = (limit_per IS NULL) AND limit_amount > 0"
        " AND limit_per IN ('day', 'month', 'total')",
    ),
    "tasks_max_spend_check": ("tasks", "max_spend > 0"),
}

WIDER_CHECKS = {
    "ledger_kind_check": (
        "ledger",
        "kind IN ('opening', 'charge', 'batch', 'grant', 'adjustment', 'refund')",
    ),
    "tasks_status_check": (
        "tasks",
        "status IN ('awaiting_upload', 'queued', 'processing', 'completed',"
        " 'out_of_credit', 'failed', 'cancelled', 'quoted')",
    ),
}

# `shared.billing.usage_backfill` counts the entries that exist now; the trigger and 1.2 count the later ones.
# No other transaction that has written an entry is open, because this one has locked the table.
BEGIN_BACKFILL = "INSERT INTO usage_backfill (seq) SELECT seq FROM ledger ORDER BY seq DESC LIMIT 1"

# Version 1.1, which serves during the deploy and after a rollback, does not count usage. It also ignores dry
# runs, even once started, and spending limits of tasks, so its charges of their rows are rejected; a worker
# of the new version receives the message when SQS retries it. Remove the trigger once no deploy starts from
# 1.1.
COUNT_USAGE = """
CREATE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    counted record;
BEGIN
    IF EXISTS (
        SELECT FROM tasks t LEFT JOIN api_keys k ON k.id = t.api_key_id
        WHERE t.id = (NEW.reference ->> 'task_id')::uuid
          AND (t.cost IS NOT NULL OR t.max_spend IS NOT NULL OR k.limit_amount IS NOT NULL)
    ) THEN
        RAISE EXCEPTION 'Version 1.1 cannot process a dry run or a task with a spending limit.';
    END IF;
    FOR counted IN
        SELECT o.type, count(*) FILTER (WHERE r.task_id IS NULL) AS calls, count(r.task_id) AS rows,
               sum(r.amount) AS spent
        FROM records r JOIN operations o ON o.id = r.operation_id
        WHERE r.id = (NEW.reference ->> 'record_id')::uuid
           OR r.task_id = (NEW.reference ->> 'task_id')::uuid
              AND r.task_row BETWEEN (NEW.reference ->> 'first_row')::bigint
                                 AND (NEW.reference ->> 'last_row')::bigint
        GROUP BY o.type
    LOOP
        INSERT INTO usage_hours AS u (user_id, hour, type, calls, rows, spent)
        VALUES (NEW.user_id, date_trunc('hour', NEW.date, 'UTC'), counted.type, counted.calls, counted.rows,
                counted.spent)
        ON CONFLICT (user_id, hour, type) DO UPDATE
        SET calls = u.calls + excluded.calls, rows = u.rows + excluded.rows, spent = u.spent + excluded.spent;
        IF counted.rows > 0 THEN
            INSERT INTO task_operations AS o (task_id, type, rows, spent)
            VALUES ((NEW.reference ->> 'task_id')::uuid, counted.type, counted.rows, counted.spent)
            ON CONFLICT (task_id, type) DO UPDATE
            SET rows = o.rows + excluded.rows, spent = o.spent + excluded.spent;
        END IF;
    END LOOP;
    RETURN NULL;
END $$
"""

COUNT_USAGE_OF_OLD_CODE = """
CREATE TRIGGER ledger_count_usage AFTER INSERT ON ledger FOR EACH ROW
WHEN (NOT NEW.in_usage AND NEW.kind IN ('charge', 'batch')) EXECUTE FUNCTION count_usage()
"""

USER_JSON = """
CREATE OR REPLACE FUNCTION user_json(account users) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', account.id, 'email', account.email, 'role', account.role, 'balance', trim_scale(account.balance),
    'created_at', rfc3339(account.created_at), 'deleted_at', rfc3339(account.deleted_at),
    'status', account.status)::text
"""

# Return JSON spaced like `json_build_object`. A `"` within a string follows a backslash.
SPACED_JSON = r"""
CREATE FUNCTION spaced_json(value jsonb) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(value::text, '(?<!\\)": ', '" : ', 'g')::json
"""

RECORD_JSON = """
CREATE OR REPLACE FUNCTION record_json(record records) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', record.id, 'user_id', record.user_id, 'operation_id', record.operation_id,
    'arguments', record.arguments, 'operation_response', spaced_json(record.operation_response),
    'amount', trim_scale(record.amount), 'user_balance', trim_scale(record.user_balance),
    'date', rfc3339(record.date), 'task_id', record.task_id, 'task_row', record.task_row,
    'deleted_at', rfc3339(record.deleted_at),
    'operation', (SELECT o.type FROM operations o WHERE o.id = record.operation_id),
    'refunded_at', rfc3339(coalesce(
        record.refunded_at, (SELECT t.refunded_at FROM tasks t WHERE t.id = record.task_id))),
    'refund_id', coalesce(
        record.refund_id, (SELECT t.refund_id FROM tasks t WHERE t.id = record.task_id)))::text
"""

ENTRY_JSON = """
CREATE OR REPLACE FUNCTION entry_json(entry ledger) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', entry.id, 'user_id', entry.user_id, 'kind', entry.kind, 'amount', trim_scale(entry.amount),
    'balance_before', trim_scale(entry.balance_before), 'balance_after', trim_scale(entry.balance_after),
    'reference', spaced_json(entry.reference), 'date', rfc3339(entry.date))::text
"""

API_KEY_JSON = """
CREATE OR REPLACE FUNCTION api_key_json(api_key api_keys) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', api_key.id, 'name', api_key.name, 'created_at', rfc3339(api_key.created_at),
    'scopes', to_jsonb(api_key.scopes), 'expires_at', rfc3339(api_key.expires_at),
    'spend_limit', api_key_limit(api_key),
    'spent', trim_scale(api_key_spent(api_key)), 'last_used_at', rfc3339(api_key.last_used_at))::text
"""

# Return the start of the current period of an API key's limit, in UTC; null without a period. now() is the
# start of the transaction, which may have waited for one that already began the next period.
API_KEY_PERIOD = """
CREATE FUNCTION api_key_period(api_key api_keys) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN api_key.limit_per IN ('day', 'month')
       THEN greatest(api_key.spent_since, date_trunc(api_key.limit_per, now(), 'UTC')) END
"""

# Return when the current period of an API key's limit ends; null without a period.
API_KEY_PERIOD_END = """
CREATE FUNCTION api_key_period_end(api_key api_keys) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (api_key_period(api_key) AT TIME ZONE 'UTC'
        + CASE api_key.limit_per WHEN 'day' THEN interval '1 day' WHEN 'month' THEN interval '1 month' END)
       AT TIME ZONE 'UTC'
"""

API_KEY_LIMIT = """
CREATE FUNCTION api_key_limit(api_key api_keys) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN api_key.limit_amount IS NOT NULL THEN json_build_object(
    'amount', trim_scale(api_key.limit_amount), 'per', api_key.limit_per) END
"""

# Return the credits that an API key has spent in the current period of its limit; in total without a period.
API_KEY_SPENT = """
CREATE FUNCTION api_key_spent(api_key api_keys) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN api_key.spent_since < api_key_period(api_key) THEN 0 ELSE api_key.spent END
"""

TASK_SECONDS_LEFT = """
CREATE FUNCTION task_seconds_left(task tasks) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN task.status = 'processing' THEN
    ceil((task.bytes_total - task.bytes_done)
         / nullif(task_speed(task, task.bytes_done - task.run_bytes), 0)) END
"""

TASK_JSON = """
CREATE OR REPLACE FUNCTION task_json(task tasks) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', task.id, 'user_id', task.user_id, 'filename', task.filename, 'status', task.status,
    'bytes_total', task.bytes_total, 'bytes_done', task.bytes_done,
    'rows_done', task.rows_done, 'rows_failed', task.rows_failed,
    'percentage', task_percentage(task.status, task.bytes_done, task.bytes_total),
    'rows_per_second', task_speed(task, task.rows_done - task.run_rows),
    'seconds_left', task_seconds_left(task),
    'spent', trim_scale(task.spent), 'error', task.error,
    'results', task_results(task),
    'created_at', rfc3339(task.created_at), 'started_at', rfc3339(task.started_at),
    'updated_at', rfc3339(task.updated_at), 'finished_at', rfc3339(task.finished_at),
    'dry_run', task.dry_run, 'max_spend', trim_scale(task.max_spend),
    'cost', trim_scale(task.cost),
    'refunded_at', rfc3339(task.refunded_at), 'refund_id', task.refund_id)::text
"""

# Return when a task's upload expired, or null before. S3 deletes it 30 days after the upload
# (resources/batch.yml), at the next midnight; the upload begins at most 15 minutes after the task's creation.
TASK_UPLOAD_EXPIRED_AT = """
CREATE FUNCTION task_upload_expired_at(task tasks) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN task.created_at + interval '30 days' <= now() THEN task.created_at + interval '30 days' END
"""

# Return when S3 deletes the results of an ended task (resources/batch.yml). Tasks that completed before this
# migration have no `results_at`.
TASK_RESULTS_EXPIRE_AT = """
CREATE FUNCTION task_results_expire_at(task tasks) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(task.results_at, task.finished_at) + interval '90 days'
"""

# Return the path of a task's complete results, or null. Before, only completed tasks had results.
TASK_RESULTS = """
CREATE FUNCTION task_results(task tasks) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN task_results_expire_at(task) <= now() THEN NULL
       WHEN task.status = 'completed' OR task.results_at IS NOT NULL
       THEN '/api/v1/tasks/' || task.id || '/results' END
"""

# `current` is whether it is the session with this id.
SESSION_JSON = """
CREATE FUNCTION session_json(session sessions, current_id uuid) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', session.id, 'created_at', rfc3339(session.created_at), 'refreshed_at', rfc3339(session.rotated_at),
    'expires_at', rfc3339(session.expires_at),
    'current', session.id IS NOT DISTINCT FROM current_id)::text
"""

# The members of an object that another one lacks or has with another value.
CHANGED_MEMBERS = """
CREATE FUNCTION changed_members(object jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(member.key, member.value), '{}')
    FROM jsonb_each(object) AS member
    WHERE member.value IS DISTINCT FROM other -> member.key;
END
"""

ENTRY_OF_AUDIT_LOG_JSON = """
CREATE FUNCTION audit_log_json(entry audit_log) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', entry.id, 'date', rfc3339(entry.date), 'actor_id', entry.actor_id, 'action', entry.action,
    'resource', entry.resource, 'resource_id', entry.resource_id, 'before', spaced_json(entry.before),
    'after', spaced_json(entry.after))::text
"""

EXPORT_JSON = """
CREATE FUNCTION export_json(export exports) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', export.id, 'user_id', export.user_id, 'resource', export.resource, 'format', export.format,
    'query', export.query, 'status', export.status, 'rows_done', export.rows_done, 'error', export.error,
    'created_at', rfc3339(export.created_at), 'updated_at', rfc3339(export.updated_at),
    'finished_at', rfc3339(export.finished_at), 'expires_at', rfc3339(export.expires_at))::text
"""

# Return the active user of a session or an API key that is neither revoked nor expired, and the key. The
# planner inlines the function because it is STABLE, not STRICT, and a single SELECT.
CALLER_WITH_KEY = """
CREATE FUNCTION caller_with_key(session_id uuid, api_key_hash bytea)
RETURNS TABLE (id uuid, role text, balance numeric, api_key_id uuid, scopes text[])
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT u.id, u.role, u.balance, k.id, k.scopes
    FROM (SELECT caller_with_key.session_id AS session_id,
                 caller_with_key.api_key_hash AS api_key_hash) presented
    LEFT JOIN api_keys k ON k.key_hash = presented.api_key_hash AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > now())
    LEFT JOIN sessions s ON s.id = presented.session_id AND s.revoked_at IS NULL AND s.expires_at > now()
    JOIN users u ON u.id = coalesce(s.user_id, k.user_id)
    WHERE u.deleted_at IS NULL AND u.status = 'active';
END
"""

# Version 1.1 looks callers up with this function and knows neither scopes nor spending limits, so it rejects
# (401) a key that lacks a scope or has a limit. Remove the function once no deploy starts from 1.1.
CALLER_OF_OLD_CODE = """
CREATE OR REPLACE FUNCTION caller(session_id uuid, api_key_hash bytea)
RETURNS TABLE (id uuid, role text, balance numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT found.id, found.role, found.balance
    FROM caller_with_key(caller.session_id, caller.api_key_hash) found
    LEFT JOIN api_keys k ON k.id = found.api_key_id
    WHERE found.api_key_id IS NULL
       OR k.limit_amount IS NULL AND k.scopes @> '{read,compute,batch,admin}';
END
"""

OLD_CODE = (COUNT_USAGE, COUNT_USAGE_OF_OLD_CODE)
# Insert a `'` where a spreadsheet could start a formula (OWASP, CSV injection): at the start of a cell, and
# after `;`, tab and line breaks, which some spreadsheets treat as separators. ASCII and full-width signs are
# covered.
CSV_TEXT = r"""
CREATE FUNCTION csv_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(
    value, '^(?=[\t\r\n])|(?:^|[;\t\r\n]"*)(?=[=+@\uff1d\uff0b\uff20\uff0d-])', '\&''', 'g')
"""

# A number is no formula.
CSV_JSON = """
CREATE FUNCTION csv_json(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE jsonb_typeof(value)
       WHEN 'number' THEN value::text WHEN 'null' THEN NULL ELSE csv_text(value #>> '{}') END
"""

FUNCTIONS = (
    CSV_TEXT,
    CSV_JSON,
    SPACED_JSON,
    USER_JSON,
    RECORD_JSON,
    ENTRY_JSON,
    API_KEY_PERIOD,
    API_KEY_PERIOD_END,
    API_KEY_LIMIT,
    API_KEY_SPENT,
    API_KEY_JSON,
    TASK_UPLOAD_EXPIRED_AT,
    TASK_RESULTS_EXPIRE_AT,
    TASK_RESULTS,
    TASK_SECONDS_LEFT,
    TASK_JSON,
    SESSION_JSON,
    CHANGED_MEMBERS,
    ENTRY_OF_AUDIT_LOG_JSON,
    EXPORT_JSON,
    CALLER_WITH_KEY,
    CALLER_OF_OLD_CODE,
)


def upgrade() -> None:
    # In the order in which a chunk of 1.1 reaches the tables, so that it cannot deadlock with this migration.
    # Calls wait until the end, so no statement below reads a whole table.
    op.execute("LOCK TABLE tasks, users, api_keys, records, ledger IN ACCESS EXCLUSIVE MODE")
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)
    for name, (table, _) in WIDER_CHECKS.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, (table, condition) in (CHECKS | WIDER_CHECKS).items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
    op.create_table(
        "usage_hours",
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", name="usage_hours_user_id_fkey")),
        sa.Column("hour", TIME),
        sa.Column("type", sa.Text),
        sa.Column("calls", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("rows", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("spent", SUM, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("user_id", "hour", "type", name="usage_hours_pkey"),
    )
    op.create_index("usage_hours_utc_idx", "usage_hours", [sa.text("(hour AT TIME ZONE 'UTC')")])
    op.create_table(
        "task_operations",
        sa.Column("task_id", sa.Uuid, sa.ForeignKey("tasks.id", name="task_operations_task_id_fkey")),
        sa.Column("type", sa.Text),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("spent", SUM, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "type", name="task_operations_pkey"),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid),
        sa.Column("user_id", sa.Uuid, sa.ForeignKey("users.id", name="exports_user_id_fkey"), nullable=False),
        sa.Column("owner", sa.Uuid),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="queued"),
        sa.Column("rows_done", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("cursor", sa.Text),
        sa.Column("upload_id", sa.Text),
        sa.Column("parts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sa.Column("created_at", TIME, nullable=False, server_default=CLOCK),
        sa.Column("updated_at", TIME, nullable=False, server_default=CLOCK),
        sa.Column("finished_at", TIME),
        sa.Column("expires_at", TIME),
        sa.Column("restarted_at", TIME),
        sa.PrimaryKeyConstraint("id", name="exports_pkey"),
        sa.CheckConstraint("status IN ('queued', 'processing', 'completed', 'failed')", name="status"),
        sa.CheckConstraint("resource IN ('records', 'ledger')", name="resource"),
        sa.CheckConstraint("format IN ('csv', 'jsonl')", name="format"),
    )
    op.create_index(
        "exports_newest_idx", "exports", ["owner", sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_index("exports_newest_of_all_idx", "exports", [sa.text("created_at DESC"), sa.text("id DESC")])
    op.create_index(
        "exports_unfinished_idx",
        "exports",
        ["created_at"],
        postgresql_where=sa.text("status IN ('queued', 'processing')"),
    )
    op.create_index(
        "exports_finished_idx",
        "exports",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True)),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("date", TIME, nullable=False, server_default=CLOCK),
        sa.Column("actor_id", sa.Uuid, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("resource_id", sa.Uuid, nullable=False),
        sa.Column("before", postgresql.JSONB),
        sa.Column("after", postgresql.JSONB),
        sa.PrimaryKeyConstraint("seq", name="audit_log_pkey"),
    )
    op.create_index("audit_log_resource_idx", "audit_log", ["resource_id", sa.text("seq DESC")])
    op.create_index("audit_log_actor_idx", "audit_log", ["actor_id", sa.text("seq DESC")])
    op.execute(
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.create_table(
        "audit_points",
        sa.Column("user_id", sa.Uuid),
        sa.Column("seq", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("balance", MONEY, nullable=False, server_default="0"),
        sa.Column("hour", TIME, nullable=False, server_default="-infinity"),
        sa.Column("hour_spent", SUM, nullable=False, server_default="0"),
        sa.Column("is_suspect", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("user_id", name="audit_points_pkey"),
    )
    op.create_index(
        "audit_points_suspect_idx", "audit_points", ["user_id"], postgresql_where=sa.text("is_suspect")
    )
    op.create_table(
        "audit_state",
        sa.Column("id", sa.Integer, autoincrement=False, server_default="1"),
        sa.Column("verified_seq", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("compared_user_id", sa.Uuid),
        sa.Column("is_full", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="audit_state_pkey"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.execute("INSERT INTO audit_state DEFAULT VALUES")
    op.create_table(
        "usage_backfill",
        sa.Column("id", sa.Integer, autoincrement=False, server_default="1"),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="usage_backfill_pkey"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    for statement in (BEGIN_BACKFILL, *OLD_CODE, *FUNCTIONS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
