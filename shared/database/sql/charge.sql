-- The charge: debit if it can be paid, record, ledger entry, idempotency key, in one statement.
-- Nothing lies between the lock on the user's row and its release but the server itself.
-- The answer's body is made here, so that what is stored for a replay is what was sent.
WITH caller AS MATERIALIZED (
    SELECT id, balance FROM caller(:session_id::uuid, :api_key_hash::bytea)
), price AS MATERIALIZED (
    SELECT id, cost FROM operations WHERE type = :type::text AND deleted_at IS NULL
), prior AS MATERIALIZED (
    SELECT k.fingerprint, k.response
    FROM idempotency_keys k, caller
    WHERE k.user_id = caller.id AND k.key = :key::text AND k.created_at > now() - interval '72 hours'
), turn AS MATERIALIZED (
    -- False while another request with the same key is in this very statement.
    SELECT :key::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended(caller.id || :key::text, 0)) AS ours
    FROM caller
), debit AS (
    UPDATE users u
    SET balance = u.balance - price.cost
    FROM caller, price, turn
    WHERE u.id = caller.id AND u.deleted_at IS NULL
      AND turn.ours AND NOT EXISTS (SELECT FROM prior)
      AND u.balance >= price.cost
    RETURNING u.id AS user_id, price.id AS operation_id, price.cost, u.balance
), record AS (
    INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance)
    SELECT :record_id::uuid, user_id, operation_id, :arguments::jsonb, :result::jsonb, cost, balance
    FROM debit
), entry AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)
    SELECT :entry_id::uuid, user_id, 'charge', -cost, balance + cost, balance,
           jsonb_build_object('record_id', :record_id::uuid)
    FROM debit
), answer AS (
    SELECT user_id,
           json_build_object(
               'status', 'success',
               'message', 'The operation was done and charged.',
               'result', :result::json,
               'amount', trim_scale(cost),
               'user_balance', trim_scale(balance),
               'record_id', :record_id::uuid)::text AS body
    FROM debit
), expired AS (
    DELETE FROM idempotency_keys k USING caller
    WHERE k.user_id = caller.id AND k.key = :key::text AND k.created_at <= now() - interval '72 hours'
    RETURNING 1
), remembered AS (
    -- Counting `expired` makes the delete come first.
    INSERT INTO idempotency_keys (user_id, key, fingerprint, response)
    SELECT user_id, :key::text, :fingerprint::bytea, body
    FROM answer
    WHERE :key::text IS NOT NULL AND (SELECT count(*) FROM expired) >= 0
)
SELECT
    (SELECT body FROM answer) AS body,
    (SELECT id FROM caller) AS user_id,
    (SELECT trim_scale(balance) FROM caller) AS balance,
    (SELECT trim_scale(cost) FROM price) AS cost,
    (SELECT ours FROM turn) AS ours,
    (SELECT response FROM prior) AS prior,
    (SELECT fingerprint = :fingerprint::bytea FROM prior) AS same_request
