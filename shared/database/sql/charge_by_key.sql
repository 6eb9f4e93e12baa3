-- Charge a call of an API key as charge.sql does, if the key has the scope `compute` and its spending limit covers the
-- cost. A statement of its own, because these checks would cost a charge of a session a fifth more. `in_scope` is
-- whether the key may compute; the columns after it are the key's spending limit, null without one.
WITH caller AS MATERIALIZED (
    SELECT id, balance, api_key_id, 'compute' = ANY (scopes) AS in_scope
    FROM caller_with_key(:session_id::uuid, :api_key_hash::bytea)
),
-- include parts/charge_lookup.sql
,
-- include parts/key_lock.sql
, payer AS MATERIALIZED (
    -- Lock the user's row before the key's, as begin_chunk does. Then the key is charged only if the balance
    -- covers the cost, and no two transactions can deadlock.
    SELECT u.balance, caller.api_key_id
    FROM users u, caller, key_lock
    WHERE u.id = caller.id AND u.deleted_at IS NULL AND u.status = 'active' AND caller.in_scope
      AND key_lock.holds_key AND NOT EXISTS (SELECT FROM prior)
    FOR NO KEY UPDATE OF u
), key_charge AS (
    -- Postgres evaluates the condition on the newest version of the row, so parallel calls can't exceed the limit.
    UPDATE api_keys k
    SET spent = api_key_spent(k) + price.cost, spent_since = api_key_period(k),
        last_used_at = CASE WHEN k.last_used_at > now() - interval '1 hour' THEN k.last_used_at ELSE now() END
    FROM payer, price
    WHERE k.id = payer.api_key_id AND k.revoked_at IS NULL
      AND payer.balance >= price.cost
      AND (k.limit_amount IS NULL OR api_key_spent(k) + price.cost <= k.limit_amount)
    RETURNING k.id
), debit AS (
    UPDATE users u
    SET balance = u.balance - price.cost
    FROM caller, price, key_charge
    WHERE u.id = caller.id
    RETURNING u.id AS user_id, price.id AS operation_id, price.cost, u.balance
),
-- include parts/charge_entries.sql
    ,
-- include parts/key_limit.sql
