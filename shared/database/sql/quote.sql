-- Return what charge.sql would find, without locks or changes. The columns are the same, so that the same code
-- reads both; `ours` and `body` are constants.
WITH caller AS MATERIALIZED (
    SELECT id, balance, api_key_id, scopes IS NULL OR 'compute' = ANY (scopes) AS in_scope
    FROM caller(:session_id::uuid, :api_key_hash::bytea)
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
    (SELECT fingerprint = :fingerprint::bytea FROM prior) AS same_request,
    (SELECT in_scope FROM caller) AS in_scope,
    trim_scale(k.limit_amount) AS limit_amount,
    k.limit_per,
    trim_scale(api_key_spent(k)) AS spent,
    rfc3339(api_key_period_end(k)) AS period_end
FROM (SELECT) one LEFT JOIN api_keys k ON k.id = (SELECT api_key_id FROM caller)
