-- Return the living user behind a session or an API key that is not revoked.
SELECT id, role FROM caller(:session_id::uuid, :api_key_hash::bytea)
