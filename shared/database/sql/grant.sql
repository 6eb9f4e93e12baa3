-- Credit given (amount > 0) or taken back (amount < 0, never below zero) by an admin.
-- The same shape as the charge: see there.
WITH living AS MATERIALIZED (
    SELECT id, balance FROM users WHERE id = :user_id::uuid AND deleted_at IS NULL
), prior AS MATERIALIZED (
    SELECT fingerprint, response
    FROM idempotency_keys
    WHERE user_id = :admin_id::uuid AND key = :key::text AND created_at > now() - interval '72 hours'
), turn AS MATERIALIZED (
    SELECT :key::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended(:admin_id::uuid || :key::text, 0)) AS ours
), granted AS (
    UPDATE users u
    SET balance = u.balance + :amount::numeric
    FROM living, turn
    WHERE u.id = living.id AND u.deleted_at IS NULL
      AND turn.ours AND NOT EXISTS (SELECT FROM prior)
      AND u.balance + :amount::numeric >= 0
    RETURNING u.id AS user_id, u.balance
), entry AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, user_id, 'grant', :amount::numeric, balance - :amount::numeric, balance,
           jsonb_build_object('reason', :reason::text, 'granted_by', :admin_id::uuid)
    FROM granted
), answer AS (
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
), remembered AS (
    INSERT INTO idempotency_keys (user_id, key, fingerprint, response)
    SELECT :admin_id::uuid, :key::text, :fingerprint::bytea, body
    FROM answer
    WHERE :key::text IS NOT NULL AND (SELECT count(*) FROM expired) >= 0
)
SELECT
    (SELECT body FROM answer) AS body,
    (SELECT id FROM living) AS user_id,
    (SELECT trim_scale(balance) FROM living) AS balance,
    (SELECT ours FROM turn) AS ours,
    (SELECT response FROM prior) AS prior,
    (SELECT fingerprint = :fingerprint::bytea FROM prior) AS same_request
