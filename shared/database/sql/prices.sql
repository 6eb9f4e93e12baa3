-- Return all prices: the cost of one call of each operation, in credits.
SELECT id, type, cost FROM operations WHERE deleted_at IS NULL
