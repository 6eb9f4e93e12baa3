-- Return the id and role of the user of a valid session. For an API key, use caller_by_key.
SELECT id, role, api_key_id, scopes FROM caller_with_key(:session_id::uuid, :api_key_hash::bytea)
