"""Add an index of unfinished tasks, with which housekeeping finds abandoned ones."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "tasks_unfinished_idx",
        "tasks",
        ["created_at"],
        postgresql_where=sa.text("status IN ('awaiting_upload', 'queued', 'processing')"),
    )


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
