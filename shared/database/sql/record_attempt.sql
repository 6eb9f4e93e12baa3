-- Record the result of an attempt, once. Run it in a transaction after lock_webhook. A success of any attempt ends the
-- delivery. A failure counts for the delivery only if no other attempt was claimed meanwhile, the
-- webhook still has the attempt's `url`, and the delivery was not made due again: then the delivery is due again in
-- `retry_delay` seconds, or has failed if that is null. Otherwise it stays due. After `failures` failed attempts in a row
-- the webhook gets its next request after least(5 * 2^(failures - 1), 600) seconds, or `retry_after` if that is longer. It
-- is paused if it is `gone`, or if it has only failed for three days. A result of an earlier `url` changes none of this.
-- `recorded` is false for a repeated report; `status` is null unless the delivery has changed. Run schedule_webhooks
-- afterwards.
WITH attempt AS (
    INSERT INTO webhook_attempts (id, delivery_id, sent_at, duration_ms, status, response, error)
    SELECT :attempt_id::uuid, d.id, to_timestamp(:sent_at::float8), :duration_ms::int, :status::int, :response::text,
           :error::text
    FROM webhook_deliveries d
    WHERE d.id = :delivery_id::uuid AND d.webhook_id = :webhook_id::uuid
    ON CONFLICT (id) DO NOTHING
    RETURNING delivery_id
), webhook AS MATERIALIZED (
    SELECT w.id, w.attempt_id IS NOT DISTINCT FROM :attempt_id::uuid AS is_current,
           of_url AND :succeeded::boolean AS succeeded, of_url AND NOT :succeeded::boolean AS failed,
           of_url AND :gone::boolean AS gone,
           of_url AND NOT :succeeded::boolean
           AND coalesce(w.failing_since, now()) <= now() - interval '3 days' AS has_failed_long
    FROM webhooks w, attempt, LATERAL (SELECT w.url = :url::text) AS its (of_url)
    WHERE w.id = :webhook_id::uuid
), delivery AS (
    UPDATE webhook_deliveries d
    SET attempts = d.attempts + 1,
        status = CASE WHEN :succeeded::boolean THEN 'delivered'
                      WHEN :retry_delay::float8 IS NULL THEN 'failed' ELSE d.status END,
        ended_at = CASE WHEN :succeeded::boolean OR :retry_delay::float8 IS NULL THEN now() END,
        next_attempt_at = now() + coalesce(:retry_delay::float8, 0) * interval '1 second'
    FROM webhook, attempt
    WHERE d.id = attempt.delivery_id AND d.status = 'pending'
      AND (:succeeded::boolean OR webhook.is_current AND webhook.failed AND d.attempts + 1 = :number::int)
    RETURNING d.status
), changed AS (
    UPDATE webhooks w
    SET attempt_id = CASE WHEN webhook.is_current THEN NULL ELSE w.attempt_id END,
        leased_until = CASE WHEN webhook.is_current THEN NULL ELSE w.leased_until END,
        failures = CASE WHEN webhook.succeeded THEN 0 WHEN webhook.failed THEN w.failures + 1 ELSE w.failures END,
        failing_since = CASE WHEN webhook.failed THEN coalesce(w.failing_since, now())
                             WHEN NOT webhook.succeeded THEN w.failing_since END,
        not_before = CASE WHEN webhook.failed THEN now() + interval '1 second' * greatest(
                              least(5 * 2 ^ least(w.failures, 10), 600), coalesce(:retry_after::int, 0))
                          WHEN NOT webhook.succeeded THEN w.not_before END,
        paused_at = CASE WHEN webhook.gone OR webhook.has_failed_long THEN coalesce(w.paused_at, now())
                         ELSE w.paused_at END,
        paused_reason = CASE WHEN w.paused_at IS NOT NULL THEN w.paused_reason
                             WHEN webhook.gone THEN 'gone'
                             WHEN webhook.has_failed_long THEN 'failing' END
    FROM webhook
    WHERE w.id = webhook.id
    RETURNING w.paused_at = now() AS was_paused
)
SELECT EXISTS (SELECT FROM attempt) AS recorded, (SELECT status FROM delivery) AS status,
       coalesce((SELECT was_paused FROM changed), false) AS was_paused
