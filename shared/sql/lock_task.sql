-- A user's row, locked until the transaction ends.
SELECT id FROM users WHERE id = :id::uuid FOR UPDATE
