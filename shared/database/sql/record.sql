-- Return a record of this owner, or of any user if `owner` is null.
SELECT record_json(records) AS body
FROM records
WHERE id = :id::uuid AND deleted_at IS NULL
  AND (:owner::uuid IS NULL OR user_id = :owner::uuid)
