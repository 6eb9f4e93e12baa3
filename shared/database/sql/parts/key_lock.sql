key_lock AS MATERIALIZED (
    -- `holds_key` is false while another request with the same key runs this statement.
    SELECT :key::text IS NULL
        OR pg_try_advisory_xact_lock(hashtextextended(caller.id || :key::text, 0)) AS holds_key
    FROM caller
)
