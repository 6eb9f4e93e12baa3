-- The fence of a chunk: the task, only if it stands where the chunk begins and still goes on, then
-- its owner's row, locked until the chunk is committed.
WITH task AS MATERIALIZED (
    SELECT user_id FROM tasks
    WHERE id = :id::uuid AND bytes_done = :bytes_done::bigint AND status = 'processing'
    FOR NO KEY UPDATE
)
SELECT u.id AS user_id, u.balance, u.deleted_at IS NOT NULL AS deleted
FROM users u
WHERE u.id = (SELECT user_id FROM task)
FOR NO KEY UPDATE
