-- Return the id and role of the user of a valid session or API key.
SELECT id, role FROM caller(:session_id::uuid, :api_key_hash::bytea)
