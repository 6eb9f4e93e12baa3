-- Housekeeping: fail deliveries that were not possible until their deadline, because their webhook was paused or their
-- user inactive, delete events after 30 days with their deliveries and attempts, and delete deleted webhooks that have
-- no deliveries.
WITH overdue AS MATERIALIZED (
    SELECT id FROM webhook_deliveries
    WHERE status = 'pending' AND deadline <= now()
    ORDER BY deadline
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), failed AS (
    UPDATE webhook_deliveries d SET status = 'failed', ended_at = now()
    FROM overdue
    WHERE d.id = overdue.id
    RETURNING 1
), expired AS MATERIALIZED (
    SELECT id FROM webhook_events e
    WHERE created_at <= now() - interval '30 days'
      AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.event_id = e.id AND d.status = 'pending')
    ORDER BY created_at
    LIMIT :row_limit::bigint
    FOR UPDATE SKIP LOCKED
), attempts AS (
    DELETE FROM webhook_attempts a USING webhook_deliveries d, expired
    WHERE d.event_id = expired.id AND a.delivery_id = d.id
), deliveries AS (
    DELETE FROM webhook_deliveries d USING expired WHERE d.event_id = expired.id
), deleted AS (
    DELETE FROM webhook_events e USING expired WHERE e.id = expired.id RETURNING 1
), unused AS (
    DELETE FROM webhooks WHERE id IN (
        SELECT id FROM webhooks w
        WHERE deleted_at <= now() - interval '1 hour'
          AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id)
        LIMIT :row_limit::bigint)
    RETURNING 1
)
SELECT (SELECT count(*) FROM failed) + (SELECT count(*) FROM deleted) + (SELECT count(*) FROM unused) AS rows
