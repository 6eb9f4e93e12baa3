-- Complete a task whose rows are all billed and whose results are in S3. The owner's row is locked for the same
-- reason as in cancel_task. No row if the task is no longer `processing`.
WITH found AS MATERIALIZED (
    SELECT id, user_id FROM tasks
    WHERE id = :id::uuid AND status = 'processing' AND bytes_done = bytes_total
    FOR UPDATE
), owner AS MATERIALIZED (
    SELECT id FROM users WHERE id = (SELECT user_id FROM found) FOR NO KEY UPDATE
)
UPDATE tasks t SET status = 'completed', finished_at = now(), results_at = now(), updated_at = now()
FROM found, owner
WHERE t.id = found.id
RETURNING t.id
