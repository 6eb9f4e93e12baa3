-- The whole price list: one row an operation that the code can do.
SELECT id, type, cost FROM operations WHERE deleted_at IS NULL
