-- Select exports whose message was lost: unfinished ones that did not change for an hour. Exports locked by
-- another transaction are skipped.
UPDATE exports SET updated_at = now(), status = 'queued'
WHERE id IN (
    SELECT id FROM exports
    WHERE status IN ('queued', 'processing') AND updated_at <= now() - interval '1 hour'
    ORDER BY created_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
)
RETURNING id, user_id, format
