-- Lock a living user's row until the transaction ends, as a charge and a batch chunk do. At READ COMMITTED a
-- later statement of the transaction sees everything that was committed before the lock was granted; a statement
-- that waits for the lock itself sees only what was committed before it started.
SELECT id FROM users WHERE id = :id::uuid AND deleted_at IS NULL FOR NO KEY UPDATE
