-- Begin or go on with a task whose file is in the bucket. The lock waits for a resume that is being
-- kept; the file's ETag is set once, so that a file put in its place is not taken for it.
WITH found AS MATERIALIZED (
    SELECT * FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
), started AS (
    UPDATE tasks t
    SET status = 'processing',
        bytes_total = :bytes_total::bigint,
        etag = coalesce(t.etag, :etag::text),
        started_at = coalesce(t.started_at, now()),
        updated_at = now()
    FROM found
    WHERE t.id = found.id AND found.status IN ('awaiting_upload', 'queued', 'processing')
    RETURNING t.id, t.etag
)
SELECT found.status, found.bytes_done, found.rows_done, started.id IS NOT NULL AS started, started.etag
FROM found LEFT JOIN started ON true
