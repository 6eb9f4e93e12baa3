-- Forget an idempotency key, because the work behind its response failed after the response was stored.
DELETE FROM idempotency_keys WHERE user_id = :user_id::uuid AND key = :key::text
