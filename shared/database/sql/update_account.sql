-- Set or remove the threshold of a user's own balance. It emits no event, even if the balance is below it already.
UPDATE users SET low_balance_threshold = :low_balance_threshold::numeric
WHERE id = :id::uuid AND deleted_at IS NULL
RETURNING id
