-- Cancel a task. Its worker stops at the next chunk, because begin_chunk requires the status `processing`. The
-- owner's row is locked, so that start_task can't queue another task behind this one at the same time. Run it in
-- one transaction with sending the message whose worker writes the results, unless a live worker stops and writes
-- them itself. `status` is the status before; `body` is null if the task had already ended.
-- If `admin_id` is not null, a change of another user's task is audited.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status,
           status = 'processing' AND has_worker AND updated_at > now() - interval '1 minute' AS has_live_worker
    FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), owner AS MATERIALIZED (
    SELECT id FROM users WHERE id = (SELECT user_id FROM found) FOR NO KEY UPDATE
), cancelled AS (
    UPDATE tasks t
    SET status = 'cancelled', finished_at = now(), updated_at = now(),
        has_worker = false, results_upload = NULL, results_parts = 0, results_row = 1
    FROM found, owner
    WHERE t.id = found.id AND found.status IN ('awaiting_upload', 'queued', 'processing')
    RETURNING t.id, t.user_id, t.status AS new_status, task_json(t) AS body
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'cancel', 'task', cancelled.id,
           jsonb_build_object('status', found.status), jsonb_build_object('status', new_status)
    FROM found JOIN cancelled ON true
    WHERE cancelled.user_id <> :admin_id::uuid
)
SELECT user_id, status, has_live_worker, (SELECT body FROM cancelled) AS body FROM found
