-- Two set-ups at once take turns.
SELECT pg_advisory_xact_lock(hashtextextended('restcalculator set-up', 0))::text AS locked
