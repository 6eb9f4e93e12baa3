-- What the charge would find: the caller, the price, and the answer that a replay gets. See there.
WITH caller AS MATERIALIZED (
    SELECT u.id, u.balance
    FROM users u
    WHERE u.deleted_at IS NULL
      AND u.id = coalesce(
          (SELECT s.user_id FROM sessions s
           WHERE s.id = :session_id::uuid AND s.revoked_at IS NULL AND s.expires_at > now()),
          (SELECT k.user_id FROM api_keys k
           WHERE k.key_hash = :api_key_hash::bytea AND k.revoked_at IS NULL))
), price AS MATERIALIZED (
    SELECT id, cost FROM operations WHERE type = :type::text AND deleted_at IS NULL
), prior AS MATERIALIZED (
    SELECT k.fingerprint, k.response
    FROM idempotency_keys k, caller
    WHERE k.user_id = caller.id AND k.key = :key::text AND k.created_at > now() - interval '72 hours'
)
SELECT
    (SELECT id FROM caller) AS user_id,
    (SELECT trim_scale(balance) FROM caller) AS balance,
    (SELECT trim_scale(cost) FROM price) AS cost,
    true AS ours,
    NULL AS body,
    (SELECT response FROM prior) AS prior,
    (SELECT fingerprint = :fingerprint::bytea FROM prior) AS same_request
