-- The price of a call, and the state of its idempotency key. `caller` is the request's caller.
price AS MATERIALIZED (
    SELECT id, cost FROM operations WHERE type = :type::text AND deleted_at IS NULL
), prior AS MATERIALIZED (
    SELECT k.fingerprint, k.response
    FROM idempotency_keys k, caller
    WHERE k.user_id = caller.id AND k.key = :key::text AND k.created_at > now() - interval '72 hours'
), key_lock AS MATERIALIZED (
    -- `ours` is false while another request with the same key runs this statement.
    SELECT :key::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended(caller.id || :key::text, 0)) AS ours
    FROM caller
)
