-- Charge a call: debit the balance if it covers the cost, insert the record, the ledger entry and the idempotency
-- key, and count the usage. All in one statement, so that the lock on the user's row is never held during a round trip.
-- The response is built here, so that a replay returns exactly the same text. `body` is null if nothing was
-- charged; the other columns give the reason. `balance` and `cost` are in credits; `prior` is the stored
-- response of an earlier request with the same key. For an API key, use charge_by_key.
WITH caller AS MATERIALIZED (
    SELECT id, balance FROM caller_with_key(:session_id::uuid, :api_key_hash::bytea)
),
-- include parts/charge_lookup.sql
,
-- include parts/key_lock.sql
, debit AS (
    UPDATE users u
    SET balance = u.balance - price.cost
    FROM caller, price, key_lock
    WHERE u.id = caller.id AND u.deleted_at IS NULL AND u.status = 'active'
      AND key_lock.holds_key AND NOT EXISTS (SELECT FROM prior)
      AND u.balance >= price.cost
    RETURNING u.id AS user_id, price.id AS operation_id, price.cost, u.balance
),
-- include parts/charge_entries.sql
