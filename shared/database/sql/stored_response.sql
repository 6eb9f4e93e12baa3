-- Return the response stored for an idempotency key, and whether it belongs to the same request. Always one row: its
-- columns are null if no response is stored.
SELECT k.response AS prior, k.fingerprint = :fingerprint::bytea AS same_request
FROM (SELECT) one
LEFT JOIN idempotency_keys k
    ON k.user_id = :user_id::uuid AND k.key = :key::text AND k.created_at > now() - interval '72 hours'
