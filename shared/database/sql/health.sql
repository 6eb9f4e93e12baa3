-- The database answers, and is migrated.
SELECT 1 AS ok FROM operations LIMIT 1
