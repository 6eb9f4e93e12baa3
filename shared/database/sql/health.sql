-- Verify that the database responds and is migrated.
SELECT 1 AS ok FROM operations LIMIT 1
