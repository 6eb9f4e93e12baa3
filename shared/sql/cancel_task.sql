-- Stop a task at its next chunk: the worker's checkpoint finds it is no longer processing.
WITH found AS MATERIALIZED (
    SELECT id, status FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), cancelled AS (
    UPDATE tasks t SET status = 'cancelled', finished_at = now(), updated_at = now()
    FROM found
    WHERE t.id = found.id AND found.status IN ('awaiting_upload', 'queued', 'processing')
    RETURNING t.id
)
SELECT status, EXISTS (SELECT FROM cancelled) AS cancelled FROM found
