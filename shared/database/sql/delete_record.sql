-- A record put out of sight. It moves no money: the ledger keeps what happened.
UPDATE records SET deleted_at = now() WHERE id = :id::uuid AND deleted_at IS NULL RETURNING id
