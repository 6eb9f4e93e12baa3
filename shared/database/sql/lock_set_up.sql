-- Acquire the set-up lock until the transaction ends: of two concurrent set-ups, the second waits.
SELECT pg_advisory_xact_lock(hashtextextended('restcalculator set-up', 0))::text AS locked
