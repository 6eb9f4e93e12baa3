-- Housekeeping: delete the rejected rows of tasks that ended 90 days ago, when their results expire in S3 too
-- (resources/batch.yml). `rows` counts deleted rows and finished tasks; `row_limit` applies to each.
WITH ended AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE finished_at <= now() - interval '90 days' AND NOT errors_deleted
    ORDER BY finished_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), selected AS MATERIALIZED (
    SELECT e.task_id, e.task_row FROM ended JOIN task_errors e ON e.task_id = ended.id LIMIT :row_limit::bigint
), deleted AS (
    DELETE FROM task_errors e USING selected
    WHERE e.task_id = selected.task_id AND e.task_row = selected.task_row
    RETURNING 1
), finished AS (
    UPDATE tasks t SET errors_deleted = true
    FROM ended
    WHERE t.id = ended.id AND NOT EXISTS (SELECT FROM task_errors e WHERE e.task_id = ended.id)
    RETURNING 1
)
SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM finished) AS rows
