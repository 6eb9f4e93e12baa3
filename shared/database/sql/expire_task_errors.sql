-- Housekeeping: delete the bad rows of tasks that ended 90 days ago, when their results expire too
-- (resources/batch.yml). A limited number of rows at a time, and no task that another transaction has locked.
WITH over AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE finished_at <= now() - interval '90 days' AND NOT errors_deleted
    ORDER BY finished_at
    LIMIT :most::bigint
    FOR UPDATE SKIP LOCKED
), chosen AS MATERIALIZED (
    SELECT e.task_id, e.task_row FROM over JOIN task_errors e ON e.task_id = over.id LIMIT :most::bigint
), deleted AS (
    DELETE FROM task_errors e USING chosen
    WHERE e.task_id = chosen.task_id AND e.task_row = chosen.task_row
    RETURNING 1
), done AS (
    UPDATE tasks t SET errors_deleted = true
    FROM over
    WHERE t.id = over.id AND NOT EXISTS (SELECT FROM task_errors e WHERE e.task_id = over.id)
    RETURNING 1
)
SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM done) AS rows
