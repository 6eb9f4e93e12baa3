-- Stop a task at its next chunk: the worker's checkpoint finds it is no longer processing. The body is
-- null when there was nothing to stop.
WITH found AS MATERIALIZED (
    SELECT id, status FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), cancelled AS (
    UPDATE tasks t SET status = 'cancelled', finished_at = now(), updated_at = now()
    FROM found
    WHERE t.id = found.id AND found.status IN ('awaiting_upload', 'queued', 'processing')
    RETURNING task_json(t) AS body
)
SELECT status, (SELECT body FROM cancelled) AS body FROM found
