-- Stop a task at its next chunk, whose fence finds that the task is not `processing` any more. The owner's row
-- is locked, so that no other task of the owner decides at the same time to wait for this one (start_task).
-- `body` is null if the task has ended already.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), owner AS MATERIALIZED (
    SELECT id FROM users WHERE id = (SELECT user_id FROM found) FOR NO KEY UPDATE
), cancelled AS (
    UPDATE tasks t SET status = 'cancelled', finished_at = now(), updated_at = now()
    FROM found, owner
    WHERE t.id = found.id AND found.status IN ('awaiting_upload', 'queued', 'processing')
    RETURNING task_json(t) AS body
)
SELECT status, (SELECT body FROM cancelled) AS body FROM found
