-- Begin or go on with a task whose file is in the bucket, unless as many of its owner's as may are
-- running: then it is queued. Its owner's row is locked before, so that they are counted right.
-- The lock on the task waits for a resume that is being kept; the ETag is set once, so that a file
-- put in its place is not taken for it.
WITH found AS MATERIALIZED (
    SELECT * FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
), others AS MATERIALIZED (
    -- A task that shows no sign of life for a minute has lost its worker.
    SELECT count(*) AS running FROM tasks
    WHERE user_id = :user_id::uuid AND id <> :id::uuid AND status = 'processing'
      AND updated_at > now() - interval '1 minute'
), turn AS MATERIALIZED (
    SELECT running < :most::bigint AS free FROM others
), started AS (
    UPDATE tasks t
    SET status = CASE WHEN turn.free THEN 'processing' ELSE 'queued' END,
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
SELECT coalesce(started.status, found.status) AS status, found.bytes_done, found.rows_done, started.etag,
       found.results_upload, found.results_parts, found.results_row
FROM found LEFT JOIN started ON true
