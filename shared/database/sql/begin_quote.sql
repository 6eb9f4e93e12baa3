-- Lock a dry run's task until its chunk is committed, if the task is `processing` and its checkpoint `bytes_done` is
-- the chunk's first byte. No row otherwise, as in begin_chunk. The owner's row is not locked: nothing is charged.
WITH task AS MATERIALIZED (
    SELECT user_id, rows_failed FROM tasks
    WHERE id = :id::uuid AND bytes_done = :bytes_done::bigint AND status = 'processing' AND dry_run
    FOR NO KEY UPDATE
)
SELECT task.user_id, task.rows_failed, u.deleted_at IS NOT NULL AS deleted, u.status = 'inactive' AS inactive
FROM task JOIN users u ON u.id = task.user_id
