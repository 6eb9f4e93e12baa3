-- Queue a quoted task, to charge its rows. `body` is null if nothing was started: the task is not quoted, its upload
-- expired, or the owner's token bucket of resumptions is empty (admins have none; `wait` is the seconds until it has a
-- token). Run it in one transaction with sending the task's message, so that neither happens alone. The file and
-- `cost` stay; the counts begin again, and the dry run's results are no longer published. The bad rows that the dry
-- run stored may be too many for one call, so each chunk deletes those of its rows.
-- If `admin_id` is not null, a change of another user's task is audited.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status,
           CASE WHEN status = 'quoted' THEN task_upload_expired_at(tasks) END AS upload_expired_at
    FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), token AS MATERIALIZED (
    SELECT CASE WHEN :owner::uuid IS NULL THEN 0
                ELSE take_token('resume:' || user_id, :capacity::numeric, :per_second::numeric) END AS wait
    FROM found
    WHERE status = 'quoted' AND upload_expired_at IS NULL
), started AS (
    UPDATE tasks t
    SET status = 'queued', dry_run = false, api_key_id = :api_key_id::uuid,
        bytes_done = 0, lines_done = 0, rows_done = 0, rows_failed = 0, run_rows = 0, run_bytes = 0,
        started_at = NULL, run_at = NULL, finished_at = NULL, updated_at = now(), errors_deleted = false,
        has_worker = false, results_at = NULL, results_upload = NULL, results_parts = 0, results_row = 1
    FROM found, token
    WHERE t.id = found.id AND token.wait = 0
    RETURNING t.id, t.user_id, t.status AS new_status, task_json(t) AS body
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'start', 'task', started.id,
           jsonb_build_object('status', found.status), jsonb_build_object('status', new_status)
    FROM found JOIN started ON true
    WHERE started.user_id <> :admin_id::uuid
)
SELECT user_id, status, upload_expired_at, (SELECT wait FROM token) AS wait,
       (SELECT body FROM started) AS body, false AS refunded
FROM found
