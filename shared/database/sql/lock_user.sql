-- Lock a user's row until the transaction ends, unless the user is deleted. Charges and chunks lock the same
-- row. At READ COMMITTED, only later statements of this transaction see all that was committed while this one
-- waited.
SELECT id FROM users WHERE id = :id::uuid AND deleted_at IS NULL FOR NO KEY UPDATE
