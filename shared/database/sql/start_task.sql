-- Start a task whose file is in the bucket, or go on with it. While another task of its owner is processed, it
-- becomes `queued` instead, and the worker that ends the other one starts it. lock_task has locked the owner's
-- row in this transaction, so that two tasks of one owner can't both start.
-- The ETag is set once: a file that replaces the first one is rejected.
WITH found AS MATERIALIZED (
    SELECT * FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
), turn AS MATERIALIZED (
    SELECT NOT owner_is_busy(:user_id::uuid, :id::uuid) AS free
), started AS (
    UPDATE tasks t
    SET status = CASE WHEN turn.free THEN 'processing' ELSE 'queued' END,
        has_worker = turn.free,
        bytes_total = :bytes_total::bigint,
        etag = coalesce(t.etag, :etag::text),
        started_at = CASE WHEN turn.free THEN coalesce(t.started_at, now()) ELSE t.started_at END,
        run_at = CASE WHEN found.status = 'processing' THEN t.run_at WHEN turn.free THEN now() END,
        run_rows = CASE WHEN found.status = 'processing' THEN t.run_rows ELSE t.rows_done END,
        run_bytes = CASE WHEN found.status = 'processing' THEN t.run_bytes ELSE t.bytes_done END,
        updated_at = now()
    FROM found, turn
    WHERE t.id = found.id AND found.status IN ('awaiting_upload', 'queued', 'processing')
    RETURNING t.id, t.status, t.etag
)
SELECT coalesce(started.status, found.status) AS status, found.bytes_done, found.lines_done, found.rows_done,
       started.etag, found.results_upload, found.results_parts, found.results_row
FROM found LEFT JOIN started ON true
