-- Lock a task and then its owner's row until the chunk is committed, if the task is `processing` and its
-- checkpoint `bytes_done` is the chunk's first byte. No row otherwise: another worker has billed the chunk, or
-- the task was cancelled. `balance` is in credits.
WITH task AS MATERIALIZED (
    SELECT user_id, rows_failed FROM tasks
    WHERE id = :id::uuid AND bytes_done = :bytes_done::bigint AND status = 'processing'
    FOR NO KEY UPDATE
)
SELECT u.id AS user_id, u.balance, u.deleted_at IS NOT NULL AS deleted, u.status = 'inactive' AS inactive,
       (SELECT rows_failed FROM task) AS rows_failed
FROM users u
WHERE u.id = (SELECT user_id FROM task)
FOR NO KEY UPDATE
