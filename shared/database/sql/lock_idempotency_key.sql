-- Lock an idempotency key until the transaction ends. `holds_key` is false while another request holds it.
SELECT pg_try_advisory_xact_lock(hashtextextended(:user_id::uuid || :key::text, 0)) AS holds_key
