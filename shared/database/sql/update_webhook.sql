-- Change a webhook of this user. A null leaves its column unchanged, but with `changes_description` a null removes the
-- description. `forgets_failures`, for a new URL and the end of a pause, resets the failures, so that the dispatcher reads
-- the webhook at once. `admin_id` is null for a client, whose webhooks are not audited.
WITH before AS MATERIALIZED (
    SELECT id, webhook_json(webhooks)::jsonb AS body
    FROM webhooks
    WHERE id = :id::uuid AND user_id = :user_id::uuid AND deleted_at IS NULL
    FOR NO KEY UPDATE
), changed AS (
    UPDATE webhooks w
    SET url = coalesce(:url::text, w.url),
        events = coalesce(:events::text[], w.events),
        description = CASE WHEN :changes_description::boolean THEN :description::text ELSE w.description END,
        paused_at = CASE WHEN :paused::boolean THEN coalesce(w.paused_at, now())
                         WHEN :paused::boolean IS NULL THEN w.paused_at END,
        paused_reason = CASE WHEN :paused::boolean THEN coalesce(w.paused_reason, 'owner')
                             WHEN :paused::boolean IS NULL THEN w.paused_reason END,
        failures = CASE WHEN :forgets_failures::boolean THEN 0 ELSE w.failures END,
        failing_since = CASE WHEN NOT :forgets_failures::boolean THEN w.failing_since END,
        not_before = CASE WHEN NOT :forgets_failures::boolean THEN w.not_before END,
        due_at = CASE WHEN :forgets_failures::boolean THEN greatest(now(), w.leased_until) ELSE w.due_at END
    FROM before
    WHERE w.id = before.id
    RETURNING w.id, before.body AS before, webhook_json(w) AS body
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'update', 'webhook', id, changed_members(before, body::jsonb),
           changed_members(body::jsonb, before)
    FROM changed
    WHERE :admin_id::uuid IS NOT NULL
)
SELECT body FROM changed
