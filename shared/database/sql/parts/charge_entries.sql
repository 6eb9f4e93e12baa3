-- The rows that a debit inserts, and the columns of the result.
record AS (
    INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance)
    SELECT :record_id::uuid, user_id, operation_id, :arguments::jsonb, :result::jsonb, cost, balance
    FROM debit
), entry AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, in_usage)
    SELECT :entry_id::uuid, user_id, 'charge', -cost, balance + cost, balance,
           jsonb_build_object('record_id', :record_id::uuid), true
    FROM debit
    RETURNING user_id, date
), usage AS (
    INSERT INTO usage_hours AS u (user_id, hour, type, calls, spent)
    SELECT debit.user_id, date_trunc('hour', entry.date, 'UTC'), :type::text, 1, debit.cost
    FROM debit, entry
    ON CONFLICT (user_id, hour, type) DO UPDATE SET calls = u.calls + 1, spent = u.spent + excluded.spent
), response AS (
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
), stored_key AS (
    -- Counting `expired` makes Postgres delete the expired key before it inserts the new one.
    INSERT INTO idempotency_keys (user_id, key, fingerprint, response)
    SELECT user_id, :key::text, :fingerprint::bytea, body
    FROM response
    WHERE :key::text IS NOT NULL AND (SELECT count(*) FROM expired) >= 0
)
SELECT
    (SELECT body FROM response) AS body,
    (SELECT id FROM caller) AS user_id,
    (SELECT trim_scale(balance) FROM caller) AS balance,
    (SELECT trim_scale(cost) FROM price) AS cost,
    (SELECT holds_key FROM key_lock) AS holds_key,
    (SELECT response FROM prior) AS prior,
    (SELECT fingerprint = :fingerprint::bytea FROM prior) AS same_request
