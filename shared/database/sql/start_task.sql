-- Start or continue a task whose file is in S3. If a worker processes another task of its owner, the task
-- becomes `queued`, and the worker that ends the other task starts it. Run it in a transaction after lock_task,
-- whose lock on the owner's row keeps two tasks of one owner from starting at once. The ETag is set once: a
-- file that replaces the first one is rejected.
WITH found AS MATERIALIZED (
    SELECT * FROM tasks WHERE id = :id::uuid AND user_id = :user_id::uuid FOR UPDATE
), owner AS MATERIALIZED (
    SELECT NOT owner_is_busy(:user_id::uuid, :id::uuid) AS is_free
), started AS (
    UPDATE tasks t
    SET status = CASE WHEN owner.is_free THEN 'processing' ELSE 'queued' END,
        has_worker = owner.is_free,
        bytes_total = :bytes_total::bigint,
        etag = coalesce(t.etag, :etag::text),
        started_at = CASE WHEN owner.is_free THEN coalesce(t.started_at, now()) ELSE t.started_at END,
        run_at = CASE WHEN found.status = 'processing' THEN t.run_at WHEN owner.is_free THEN now() END,
        run_rows = CASE WHEN found.status = 'processing' THEN t.run_rows ELSE t.rows_done END,
        run_bytes = CASE WHEN found.status = 'processing' THEN t.run_bytes ELSE t.bytes_done END,
        updated_at = now()
    FROM found, owner
    WHERE t.id = found.id AND found.status IN ('awaiting_upload', 'queued', 'processing')
    RETURNING t.id, t.status, t.etag
)
SELECT coalesce(started.status, found.status) AS status, found.bytes_done, found.lines_done, found.rows_done,
       started.etag, found.dry_run,
       -- Not below 0: `max_spend` may have become less than the task has spent. Null without a limit.
       found.max_spend - least(found.spent, found.max_spend) AS task_credit,
       found.results_upload, found.results_parts, found.results_row
FROM found LEFT JOIN started ON true
