-- A key for a program: only its hash is kept.
INSERT INTO api_keys (id, user_id, name, key_hash)
VALUES (:id::uuid, :user_id::uuid, :name::text, :key_hash::bytea)
RETURNING json_build_object(
    'id', id, 'name', name, 'created_at', rfc3339(created_at), 'key', :key::text)::text AS body
