-- Grant credit to a user (amount > 0) or take it back (amount < 0), but not below a balance of 0. Built like
-- charge.sql. Amounts are in credits. `body` is null if nothing was granted; the other columns give the reason.
WITH recipient AS MATERIALIZED (
    SELECT id, balance FROM users WHERE id = :user_id::uuid AND deleted_at IS NULL
), prior AS MATERIALIZED (
    -- Version 1.1, which serves until the deploy ends, stores the key without the route. A grant's response begins
    -- with its id.
    SELECT fingerprint, response
    FROM idempotency_keys
    WHERE user_id = :admin_id::uuid AND created_at > now() - interval '72 hours'
      AND (key = :key::text OR key = :unscoped_key::text AND response LIKE '{"id" :%')
    ORDER BY key <> :key::text
    LIMIT 1
), key_lock AS MATERIALIZED (
    SELECT :key::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended(:admin_id::uuid || :key::text, 0)) AS holds_key
), granted AS (
    UPDATE users u
    SET balance = u.balance + :amount::numeric
    FROM recipient, key_lock
    WHERE u.id = recipient.id AND u.deleted_at IS NULL
      AND key_lock.holds_key AND NOT EXISTS (SELECT FROM prior)
      AND u.balance + :amount::numeric >= 0
    RETURNING u.id AS user_id, u.balance
), entry AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, user_id, 'grant', :amount::numeric, balance - :amount::numeric, balance,
           jsonb_build_object('reason', :reason::text, 'granted_by', :admin_id::uuid)
    FROM granted
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'grant', 'user', user_id, jsonb_build_object('balance', trim_scale(balance - :amount::numeric)),
           jsonb_build_object('balance', trim_scale(balance), 'reason', :reason::text,
                              'ledger_entry_id', :entry_id::uuid)
    FROM granted
), response AS (
    SELECT json_build_object(
               'id', :entry_id::uuid,
               'user_id', user_id,
               'amount', trim_scale(:amount::numeric),
               'reason', :reason::text,
               'user_balance', trim_scale(balance))::text AS body
    FROM granted
), expired AS (
    DELETE FROM idempotency_keys
    WHERE user_id = :admin_id::uuid AND key = :key::text AND created_at <= now() - interval '72 hours'
    RETURNING 1
), stored_key AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, response)
    SELECT :admin_id::uuid, :key::text, :fingerprint::bytea, body
    FROM response
    WHERE :key::text IS NOT NULL AND (SELECT count(*) FROM expired) >= 0
)
SELECT
    (SELECT body FROM response) AS body,
    (SELECT id FROM recipient) AS user_id,
    (SELECT trim_scale(balance) FROM recipient) AS balance,
    (SELECT holds_key FROM key_lock) AS holds_key,
    (SELECT response FROM prior) AS prior,
    (SELECT fingerprint = :fingerprint::bytea FROM prior) AS same_request
