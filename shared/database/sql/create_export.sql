-- Create an export. `body` is null if the user's token bucket is empty, and `wait` is the seconds until it has a
-- token. `owner` limits the exported rows; null for the rows of all users.
WITH token AS MATERIALIZED (
    SELECT take_token('export:' || :user_id::uuid, :capacity::numeric, :per_second::numeric) AS wait
), created AS (
    INSERT INTO exports (id, user_id, owner, resource, format, query)
    SELECT :id::uuid, :user_id::uuid, :owner::uuid, :resource::text, :format::text, :query::text
    FROM token WHERE wait = 0
    RETURNING export_json(exports) AS body
)
SELECT token.wait, created.body
FROM token LEFT JOIN created ON true
