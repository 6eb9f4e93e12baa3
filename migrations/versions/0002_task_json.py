"""Add task_json, the API's JSON of a task, for all statements that return one."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


TASK_JSON = """
CREATE FUNCTION task_json(task tasks) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', task.id, 'user_id', task.user_id, 'filename', task.filename, 'status', task.status,
    'bytes_total', task.bytes_total, 'bytes_done', task.bytes_done,
    'rows_done', task.rows_done, 'rows_failed', task.rows_failed,
    'percentage', task_percentage(task.status, task.bytes_done, task.bytes_total),
    'rows_per_second', task_speed(task, task.rows_done - task.run_rows),
    'seconds_left', CASE WHEN task.status = 'processing' THEN
        ceil((task.bytes_total - task.bytes_done)
             / nullif(task_speed(task, task.bytes_done - task.run_bytes), 0)) END,
    'spent', trim_scale(task.spent), 'error', task.error,
    'results', CASE WHEN task.status = 'completed' THEN '/api/v1/tasks/' || task.id || '/results' END,
    'created_at', rfc3339(task.created_at), 'started_at', rfc3339(task.started_at),
    'updated_at', rfc3339(task.updated_at), 'finished_at', rfc3339(task.finished_at))::text
"""


def upgrade() -> None:
    op.execute(TASK_JSON)


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
