-- The fence of a chunk: lock the task, only if it is `processing` and its checkpoint is where the chunk
-- begins, and then its owner's row, until the chunk is committed.
WITH task AS MATERIALIZED (
    SELECT user_id, rows_failed FROM tasks
    WHERE id = :id::uuid AND bytes_done = :bytes_done::bigint AND status = 'processing'
    FOR NO KEY UPDATE
)
SELECT u.id AS user_id, u.balance, u.deleted_at IS NOT NULL AS deleted,
       (SELECT rows_failed FROM task) AS rows_failed
FROM users u
WHERE u.id = (SELECT user_id FROM task)
FOR NO KEY UPDATE
