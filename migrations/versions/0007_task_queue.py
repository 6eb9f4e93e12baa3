"""Extend tasks: a queue per owner, line numbers, sums over 10^14, and the deletion of rejected rows."""

import importlib

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = (
    sa.Column("lines_done", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("has_worker", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("restarted_at", sa.DateTime(timezone=True)),
    sa.Column("errors_deleted", sa.Boolean, nullable=False, server_default=sa.false()),
)

OWNER_IS_BUSY = """
CREATE FUNCTION owner_is_busy(owner uuid, besides uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM tasks
    WHERE user_id = owner AND id IS DISTINCT FROM besides AND status = 'processing'
      AND updated_at > now() - interval '1 minute')
"""


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("tasks", column)
    # Postgres can't alter a column that the body of an SQL function uses.
    op.execute("DROP FUNCTION task_json(tasks)")
    op.alter_column("tasks", "spent", type_=sa.Numeric(38, 4))
    op.execute(importlib.import_module("migrations.versions.0002_task_json").TASK_JSON)
    op.execute(OWNER_IS_BUSY)
    op.create_index(
        "tasks_queued_idx", "tasks", ["user_id", "created_at"], postgresql_where=sa.text("status = 'queued'")
    )
    op.create_index(
        "tasks_errors_idx",
        "tasks",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL AND NOT errors_deleted"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
