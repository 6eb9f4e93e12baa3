-- Store the response of a request under its idempotency key. An expired key is replaced. Run it in the
-- transaction of lock_idempotency_key.
INSERT INTO idempotency_keys (user_id, key, fingerprint, response)
VALUES (:user_id::uuid, :key::text, :fingerprint::bytea, :response::text)
ON CONFLICT (user_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, response = excluded.response, created_at = clock_timestamp()
