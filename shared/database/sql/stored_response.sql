-- Return the response stored for an idempotency key, and whether it belongs to the same request.
SELECT response AS prior, fingerprint = :fingerprint::bytea AS same_request
FROM idempotency_keys
WHERE user_id = :user_id::uuid AND key = :key::text AND created_at > now() - interval '72 hours'
