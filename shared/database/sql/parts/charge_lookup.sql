-- The price of a call, and the response of an earlier request with its idempotency key. `caller` is the caller.
price AS MATERIALIZED (
    SELECT id, cost FROM operations WHERE type = :type::text AND deleted_at IS NULL
), prior AS MATERIALIZED (
    SELECT k.fingerprint, k.response
    FROM idempotency_keys k, caller
    WHERE k.user_id = caller.id AND k.key = :key::text AND k.created_at > now() - interval '72 hours'
)
