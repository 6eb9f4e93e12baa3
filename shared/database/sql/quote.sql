-- Return what charge.sql would find, without locks or changes. The columns are the same, so that the same code
-- reads both; `ours` and `body` are constants.
WITH caller AS MATERIALIZED (
    SELECT id, balance FROM caller(:session_id::uuid, :api_key_hash::bytea)
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
