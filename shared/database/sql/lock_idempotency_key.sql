-- Lock an idempotency key until the transaction ends. `ours` is false while another request holds it.
SELECT pg_try_advisory_xact_lock(hashtextextended(:user_id::uuid || :key::text, 0)) AS ours
