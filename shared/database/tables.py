"""The tables as SQLAlchemy Core metadata. Migrations create them and the lists' queries select from them.

Every constraint has a name: `shared/database/connection.py` maps the name of a violated constraint to a
domain error. Money is `numeric(18, 4)`, in credits.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

MONEY = Numeric(18, 4)
SUM = Numeric(38, 4)
TIME = DateTime(timezone=True)
# clock_timestamp() instead of now(), so that two entries of one transaction have an order.
CLOCK = func.clock_timestamp()


def _id() -> Column[object]:
    return Column("id", Uuid, primary_key=True)


def _owner() -> Column[object]:
    return Column("user_id", Uuid, ForeignKey("users.id"), nullable=False)


users = Table(
    "users",
    metadata,
    _id(),
    Column("email", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("balance", MONEY, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("deleted_at", TIME),
    # An inactive user cannot sign in or call.
    Column("status", Text, nullable=False, server_default="active"),
    # A movement of money that crosses it emits the event `balance.low`. Null for none.
    Column("low_balance_threshold", MONEY),
    CheckConstraint("balance >= 0", name="balance"),
    CheckConstraint("low_balance_threshold > 0", name="low_balance_threshold"),
    CheckConstraint("status IN ('active', 'inactive')", name="status"),
    CheckConstraint("role IN ('client', 'admin')", name="role"),
    Index("users_email_living_key", "email", unique=True, postgresql_where=text("deleted_at IS NULL")),
    Index("users_newest_idx", text("created_at DESC"), text("id DESC")),
)

operations = Table(
    "operations",
    metadata,
    _id(),
    Column("type", Text, nullable=False),
    Column("cost", MONEY, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("deleted_at", TIME),
    CheckConstraint("cost >= 0", name="cost"),
    Index("operations_type_living_key", "type", unique=True, postgresql_where=text("deleted_at IS NULL")),
)

# Records have no foreign keys: checking them took more than half of a batch chunk's time. Each statement
# that inserts a record has locked the user and read the operation; both are only ever soft-deleted.
records = Table(
    "records",
    metadata,
    _id(),
    Column("user_id", Uuid, nullable=False),
    Column("operation_id", Uuid, nullable=False),
    Column("arguments", JSONB),
    Column("operation_response", JSONB),
    Column("amount", MONEY, nullable=False),
    Column("user_balance", MONEY, nullable=False),
    Column("date", TIME, nullable=False, server_default=CLOCK),
    Column("task_id", Uuid),
    Column("task_row", BigInteger),
    Column("deleted_at", TIME),
    # What was charged, if an admin corrected the record: the amount (0 for a manual record), the user and the
    # operation.
    Column("charged", MONEY),
    Column("charged_user_id", Uuid),
    Column("charged_operation_id", Uuid),
    # The refund of this record alone. A refund of its whole task is in `tasks`.
    Column("refunded_at", TIME),
    Column("refund_id", Uuid),
    CheckConstraint("(task_id IS NULL) = (task_row IS NULL)", name="task"),
    Index(
        "records_task_row_key",
        "task_id",
        "task_row",
        unique=True,
        postgresql_where=text("task_id IS NOT NULL"),
    ),
    # Ascending, so that new records are appended and pages are filled: a split of a descending index leaves
    # half a page empty, and a record costs a quarter more. Lists read these indexes backwards.
    Index(
        "records_by_user_idx",
        "user_id",
        "date",
        "id",
        postgresql_where=text("deleted_at IS NULL"),
        postgresql_concurrently=True,
    ),
    Index("records_by_date_idx", "date", "id", postgresql_concurrently=True),
)

# Append-only: a trigger rejects UPDATE, DELETE and TRUNCATE. The statement that assigns `seq` holds the lock
# of the user's row, so `seq` orders the entries of each user.
ledger = Table(
    "ledger",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Uuid, nullable=False),
    _owner(),
    Column("kind", Text, nullable=False),
    Column("amount", MONEY, nullable=False),
    Column("balance_before", MONEY, nullable=False),
    Column("balance_after", MONEY, nullable=False),
    Column("reference", JSONB, nullable=False),
    Column("date", TIME, nullable=False, server_default=CLOCK),
    # Whether the statement that wrote the entry has counted it in `usage_hours`. Version 1.1 does not; then a
    # trigger does.
    Column("in_usage", Boolean, nullable=False, server_default=false()),
    CheckConstraint("kind IN ('opening', 'charge', 'batch', 'grant', 'adjustment', 'refund')", name="kind"),
    CheckConstraint("balance_after = balance_before + amount AND balance_after >= 0", name="sum"),
    Index("ledger_newest_idx", "user_id", text("seq DESC")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("response", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Index("idempotency_keys_created_at_idx", "created_at"),
)

# `bytes_done` is the batch's checkpoint and fence: the offset of the first byte not yet billed. `lines_done`
# is the number of lines before it, for error messages.
tasks = Table(
    "tasks",
    metadata,
    _id(),
    _owner(),
    Column("filename", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("bytes_total", BigInteger, nullable=False),
    Column("bytes_done", BigInteger, nullable=False, server_default="0"),
    Column("rows_done", BigInteger, nullable=False, server_default="0"),
    Column("rows_failed", BigInteger, nullable=False, server_default="0"),
    # Wider than a balance: after top-ups and resumptions, the sum of all charges can exceed 10^14.
    Column("spent", SUM, nullable=False, server_default="0"),
    Column("error", Text),
    Column("etag", Text),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("started_at", TIME),
    # The start of the current run, to compute its speed without earlier pauses.
    Column("run_at", TIME),
    Column("run_rows", BigInteger, nullable=False, server_default="0"),
    Column("run_bytes", BigInteger, nullable=False, server_default="0"),
    # The checkpoint of the results: the multipart upload's id, its number of parts, and the next row.
    Column("results_upload", Text),
    Column("results_parts", Integer, nullable=False, server_default="0"),
    Column("results_row", BigInteger, nullable=False, server_default="1"),
    Column("updated_at", TIME, nullable=False, server_default=CLOCK),
    Column("finished_at", TIME),
    Column("lines_done", BigInteger, nullable=False, server_default="0"),
    # Whether a worker processes the task. It counts only if `updated_at` is less than a minute ago.
    Column("has_worker", Boolean, nullable=False, server_default=false()),
    # When housekeeping last sent a message to replace a lost one.
    Column("restarted_at", TIME),
    Column("errors_deleted", Boolean, nullable=False, server_default=false()),
    # A dry run checks and prices all rows and charges none; `cost` is their price. It stays when the task is
    # started, and is null without a dry run.
    Column("dry_run", Boolean, nullable=False, server_default=false()),
    Column("max_spend", MONEY),
    Column("cost", SUM),
    # The API key that created the task, whose spending limit its chunks enforce.
    Column("api_key_id", Uuid),
    # The sum of refunds of single records, and the refund of the rest.
    Column("refunded", SUM, nullable=False, server_default="0"),
    Column("refunded_at", TIME),
    Column("refund_id", Uuid),
    # When the results of an ended task were complete; null for tasks that completed before version 1.2.
    Column("results_at", TIME),
    # Whether the service has sent a message of this task that no worker has received. S3's do not count.
    Column("has_message", Boolean, nullable=False, server_default=false()),
    CheckConstraint(
        "status IN ('awaiting_upload', 'queued', 'processing', 'completed',"
        " 'out_of_credit', 'failed', 'cancelled', 'quoted')",
        name="status",
    ),
    CheckConstraint("max_spend > 0", name="max_spend"),
    Index("tasks_running_idx", "user_id", postgresql_where=text("status = 'processing'")),
    # Indexes a column that never changes, so that checkpoints don't update this index.
    Index(
        "tasks_unfinished_idx",
        "created_at",
        postgresql_where=text("status IN ('awaiting_upload', 'queued', 'processing')"),
    ),
    Index("tasks_queued_idx", "user_id", "created_at", postgresql_where=text("status = 'queued'")),
    Index(
        "tasks_errors_idx",
        "finished_at",
        postgresql_where=text("finished_at IS NOT NULL AND NOT errors_deleted"),
    ),
    Index(
        "tasks_without_results_idx",
        "finished_at",
        postgresql_where=text("finished_at IS NOT NULL AND results_at IS NULL AND status <> 'completed'"),
        postgresql_concurrently=True,  # migrations/env.py builds it, because the table may be large
    ),
    Index("tasks_newest_idx", "user_id", text("created_at DESC"), text("id DESC")),
    Index("tasks_newest_of_all_idx", text("created_at DESC"), text("id DESC")),
)

task_errors = Table(
    "task_errors",
    metadata,
    Column("task_id", Uuid, ForeignKey("tasks.id"), primary_key=True),
    Column("task_row", BigInteger, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

# The rows of a task and their price, by operation. `spent` excludes refunded records.
task_operations = Table(
    "task_operations",
    metadata,
    Column("task_id", Uuid, ForeignKey("tasks.id"), primary_key=True),
    Column("type", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("spent", SUM, nullable=False),
)

# Each user's calls, rows of files and credits spent, by hour and operation. `spent` is the sum of the
# ledger's charges less its refunds.
usage_hours = Table(
    "usage_hours",
    metadata,
    Column("user_id", Uuid, ForeignKey("users.id"), primary_key=True),
    Column("hour", TIME, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False, server_default="0"),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("spent", SUM, nullable=False, server_default="0"),
    # For queries of all users. Postgres would also use an index on `hour` itself for one user, and so read
    # the rows of all users.
    Index("usage_hours_utc_idx", text("(hour AT TIME ZONE 'UTC')")),
)

# The newest ledger entry of each user that the audit has verified, with the balance after it. `hour` is the
# hour of that entry, and `hour_spent` the charges less refunds of the hour's verified entries. A suspect is
# checked completely each night until it is correct again. No foreign key, because its check would lock the
# user.
audit_points = Table(
    "audit_points",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("balance", MONEY, nullable=False, server_default="0"),
    Column("hour", TIME, nullable=False, server_default="-infinity"),
    Column("hour_spent", SUM, nullable=False, server_default="0"),
    Column("is_suspect", Boolean, nullable=False, server_default=false()),
    Index("audit_points_suspect_idx", "user_id", postgresql_where=text("is_suspect")),
)

# One row: the newest verified ledger entry, the position of an unfinished comparison of all users, and
# whether a full audit is unfinished.
audit_state = Table(
    "audit_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, server_default="1"),
    Column("verified_seq", BigInteger, nullable=False, server_default="0"),
    Column("compared_user_id", Uuid),
    Column("is_full", Boolean, nullable=False, server_default=false()),
    CheckConstraint("id = 1", name="one_row"),
)

# While the usage of charges from before version 1.2 is being counted: one row, with the `seq` of the newest
# ledger entry that is not counted yet.
usage_backfill = Table(
    "usage_backfill",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, server_default="1"),
    Column("seq", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# `owner` limits the rows of the file; null for the rows of all users. `cursor`, `upload_id` and `parts` are
# the checkpoint of the writing worker.
exports = Table(
    "exports",
    metadata,
    _id(),
    _owner(),
    Column("owner", Uuid),
    Column("resource", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="queued"),
    Column("rows_done", BigInteger, nullable=False, server_default="0"),
    Column("cursor", Text),
    Column("upload_id", Text),
    Column("parts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("updated_at", TIME, nullable=False, server_default=CLOCK),
    Column("finished_at", TIME),
    Column("expires_at", TIME),
    # As for tasks.
    Column("restarted_at", TIME),
    CheckConstraint("status IN ('queued', 'processing', 'completed', 'failed')", name="status"),
    CheckConstraint("resource IN ('records', 'ledger')", name="resource"),
    CheckConstraint("format IN ('csv', 'jsonl')", name="format"),
    Index("exports_newest_idx", "owner", text("created_at DESC"), text("id DESC")),
    Index("exports_newest_of_all_idx", text("created_at DESC"), text("id DESC")),
    Index(
        "exports_unfinished_idx",
        "created_at",
        postgresql_where=text("status IN ('queued', 'processing')"),
    ),
    Index("exports_finished_idx", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
)

# Changes by admins. Append-only, like the ledger.
audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("date", TIME, nullable=False, server_default=CLOCK),
    Column("actor_id", Uuid, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("resource_id", Uuid, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    Index("audit_log_resource_idx", "resource_id", text("seq DESC")),
    Index("audit_log_actor_idx", "actor_id", text("seq DESC")),
)

# One row for each sign-in, with its refresh token and the one before it, which stays valid for 10 seconds.
sessions = Table(
    "sessions",
    metadata,
    _id(),
    _owner(),
    Column("refresh_id", Uuid, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("expires_at", TIME, nullable=False),
    Column("revoked_at", TIME),
    Column("previous_refresh_id", Uuid),
    Column("rotated_at", TIME),
    Index("sessions_user_id_idx", "user_id"),
    Index("sessions_expires_at_idx", "expires_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _owner(),
    Column("name", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("revoked_at", TIME),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{read,compute,batch,admin}'")),
    Column("expires_at", TIME),
    Column("limit_amount", MONEY),
    Column("limit_per", Text),
    # The credits spent since the start of the limit's period, or in all without a period.
    Column("spent", SUM, nullable=False, server_default="0"),
    Column("spent_since", TIME),
    Column("last_used_at", TIME),
    CheckConstraint(
        "(limit_amount IS NULL) = (limit_per IS NULL) AND limit_amount > 0"
        " AND limit_per IN ('day', 'month', 'total')",
        name="limit",
    ),
    UniqueConstraint("key_hash"),
    Index("api_keys_user_id_idx", "user_id"),
)

# The URLs to which users' events are sent. `attempt_id` is the last attempt, until its result is recorded. A
# webhook gets one request at a time: the next one follows when its result is recorded, or `leased_until` has
# passed or is null because the dispatcher could not send the message. The next one is not sent before
# `not_before`, which is later the more attempts have failed in a row. `due_at` is when the dispatcher reads
# the webhook next: no request is possible earlier. It is null if no delivery waits.
webhooks = Table(
    "webhooks",
    metadata,
    _id(),
    _owner(),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("description", Text),
    Column("secret", Text, nullable=False),
    # The secrets that rotations replaced, as `{secret, expires_at}`. Each also signs until it expires.
    Column("previous_secrets", JSONB, nullable=False, server_default="[]"),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("paused_at", TIME),
    Column("paused_reason", Text),
    Column("deleted_at", TIME),
    # Failed attempts in a row, and when the first of them failed. The end of a pause, a new URL and the
    # reactivation of the user reset them.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", TIME),
    Column("not_before", TIME),
    Column("attempt_id", Uuid),
    Column("leased_until", TIME),
    Column("due_at", TIME),
    CheckConstraint(
        "(paused_at IS NULL) = (paused_reason IS NULL) AND paused_reason IN ('owner', 'failing', 'gone')",
        name="paused",
    ),
    Index("webhooks_user_id_idx", "user_id"),
    Index(
        "webhooks_due_at_idx",
        "due_at",
        "id",
        postgresql_where=text("paused_at IS NULL AND deleted_at IS NULL"),
        postgresql_concurrently=True,
    ),
    # Without deleted webhooks, of which a user can have many. One with a request under way still counts.
    Index(
        "webhooks_in_use_idx",
        "user_id",
        postgresql_where=text("deleted_at IS NULL OR leased_until IS NOT NULL"),
        postgresql_concurrently=True,
    ),
)

# The outbox: triggers write an event in the transaction that makes it true, if a webhook is subscribed to it.
# `body` is the text that is sent and signed.
webhook_events = Table(
    "webhook_events",
    metadata,
    _id(),
    _owner(),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Index("webhook_events_created_at_idx", "created_at"),
)

# An event for one webhook. `attempts` counts those recorded since the event or the last redelivery.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    _id(),
    _owner(),
    Column("webhook_id", Uuid, ForeignKey("webhooks.id"), nullable=False),
    Column("event_id", Uuid, ForeignKey("webhook_events.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", TIME, nullable=False, server_default=CLOCK),
    Column("next_attempt_at", TIME, nullable=False, server_default=CLOCK),
    # When the service gives up, also if the webhook is paused.
    Column("deadline", TIME, nullable=False),
    Column("ended_at", TIME),
    CheckConstraint("status IN ('pending', 'delivered', 'failed')", name="status"),
    Index(
        "webhook_deliveries_pending_idx",
        "webhook_id",
        "next_attempt_at",
        postgresql_where=text("status = 'pending'"),
    ),
    Index("webhook_deliveries_deadline_idx", "deadline", postgresql_where=text("status = 'pending'")),
    Index("webhook_deliveries_newest_idx", "user_id", "webhook_id", text("created_at DESC"), text("id DESC")),
    Index("webhook_deliveries_webhook_id_idx", "webhook_id"),
    Index("webhook_deliveries_event_id_idx", "event_id"),
)

# The requests of a delivery. `status` is that of the HTTP response; null if none came, and then `error` is
# the reason.
webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    _id(),
    Column("delivery_id", Uuid, ForeignKey("webhook_deliveries.id"), nullable=False),
    Column("sent_at", TIME, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("response", Text),
    Column("error", Text),
    Index("webhook_attempts_delivery_id_idx", "delivery_id", text("sent_at DESC")),
)

# Token buckets (as in RFC 2697). `tokens` is the number at `filled_at`; the statement that takes a token
# refills the bucket first. Unlogged, so that taking one writes no WAL; a crash of the server refills all
# buckets.
rate_limits = Table(
    "rate_limits",
    metadata,
    Column("bucket", Text, primary_key=True),
    Column("tokens", Numeric(12, 6), nullable=False),
    Column("filled_at", TIME, nullable=False, server_default=CLOCK),
    prefixes=["UNLOGGED"],
)
