-- Return what charge.sql would find, without locks or changes. The columns are the same, so that the same code
-- reads both; `holds_key` and `body` are constants.
WITH caller AS MATERIALIZED (
    SELECT id, balance, api_key_id, scopes IS NULL OR 'compute' = ANY (scopes) AS in_scope
    FROM caller_with_key(:session_id::uuid, :api_key_hash::bytea)
),
-- include parts/charge_lookup.sql
SELECT
    (SELECT id FROM caller) AS user_id,
    (SELECT trim_scale(balance) FROM caller) AS balance,
    (SELECT trim_scale(cost) FROM price) AS cost,
    true AS holds_key,
    NULL AS body,
    (SELECT response FROM prior) AS prior,
    (SELECT fingerprint = :fingerprint::bytea FROM prior) AS same_request,
-- include parts/key_limit.sql
