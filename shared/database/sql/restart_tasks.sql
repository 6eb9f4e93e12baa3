-- Select tasks whose message was lost: those whose worker has not updated them for a minute, and the oldest
-- waiting task of each owner without a running task. Each is selected at most once an hour, because SQS retries
-- a failing message for 43 minutes. Tasks locked by another transaction are skipped.
WITH waiting AS (
    SELECT DISTINCT ON (user_id) id FROM tasks
    WHERE status = 'queued' AND etag IS NOT NULL AND NOT owner_is_busy(user_id, NULL)
    ORDER BY user_id, created_at
), lost AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE updated_at <= now() - interval '1 minute'
      AND (status = 'processing' OR status = 'queued' AND id IN (SELECT id FROM waiting))
      AND (restarted_at IS NULL OR restarted_at <= now() - interval '1 hour')
    ORDER BY created_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
)
UPDATE tasks t SET restarted_at = now(), has_message = true
FROM lost
WHERE t.id = lost.id
RETURNING t.id, t.user_id
