-- Soft-delete an operation. It can't be called any more; the records of its calls stay.
UPDATE operations SET deleted_at = now() WHERE id = :id::uuid AND deleted_at IS NULL RETURNING id
