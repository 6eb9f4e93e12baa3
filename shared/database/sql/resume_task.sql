-- Queue a task again that ran out of credit or was cancelled. `body` is null if nothing was resumed: the task has
-- another status, was refunded, its upload expired, or the owner's token bucket is empty (admins have none; `wait` is
-- the seconds until it has a token). Run it in one transaction with sending the task's message, so that neither
-- happens alone. A task without an ETag has no file yet and awaits its upload. The results written so far are no
-- longer published: those of all rows will replace them.
-- If `admin_id` is not null, a change of another user's task is audited.
WITH found AS MATERIALIZED (
    SELECT id, user_id, status, max_spend, refunded_at IS NOT NULL AS refunded,
           CASE WHEN status IN ('out_of_credit', 'cancelled') THEN task_upload_expired_at(tasks) END
               AS upload_expired_at
    FROM tasks
    WHERE id = :id::uuid AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
    FOR UPDATE
), token AS MATERIALIZED (
    SELECT CASE WHEN :owner::uuid IS NULL THEN 0
                ELSE take_token('resume:' || user_id, :capacity::numeric, :per_second::numeric) END AS wait
    FROM found
    WHERE status IN ('out_of_credit', 'cancelled') AND NOT refunded AND upload_expired_at IS NULL
), resumed AS (
    UPDATE tasks t
    SET status = CASE WHEN t.etag IS NULL THEN 'awaiting_upload' ELSE 'queued' END,
        -- From now on, the spending limit of the key that resumes it applies, or none for a session.
        api_key_id = :api_key_id::uuid,
        max_spend = CASE WHEN :changes_max_spend::boolean THEN :max_spend::numeric ELSE t.max_spend END,
        error = NULL, finished_at = NULL, errors_deleted = false, updated_at = now(), has_worker = false,
        results_at = NULL, results_upload = NULL, results_parts = 0, results_row = 1
    FROM found, token
    WHERE t.id = found.id AND token.wait = 0
    RETURNING t.id, t.user_id, task_json(t) AS body,
              jsonb_build_object('status', found.status, 'max_spend', trim_scale(found.max_spend)) AS before,
              jsonb_build_object('status', t.status, 'max_spend', trim_scale(t.max_spend)) AS after
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'resume', 'task', id, changed_members(before, after),
           changed_members(after, before)
    FROM resumed
    WHERE user_id <> :admin_id::uuid
)
SELECT user_id, status, refunded, upload_expired_at, (SELECT wait FROM token) AS wait,
       (SELECT body FROM resumed) AS body
FROM found
