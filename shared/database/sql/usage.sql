-- Return the usage of a user, or of all users if `user_id` is null, by period and operation, for the hours from
-- `start` (inclusive) to `end` (exclusive). `by` is `hour`, `day` or `month`, in UTC. It reads at most `rows_limit`
-- rows and one more; then `is_over_limit` is true. Two branches, because one condition for both could not use an
-- index. Only the second one can use usage_hours_utc_idx. It is ordered, because with a limit alone Postgres may
-- expect to find enough rows early in a scan of the whole table.
WITH hours AS (
    (SELECT hour, type, calls, rows, spent FROM usage_hours
     WHERE user_id = :user_id::uuid AND hour >= :start::timestamptz AND hour < :end::timestamptz
     LIMIT :rows_limit::bigint + 1)
    UNION ALL
    (SELECT hour, type, calls, rows, spent FROM usage_hours
     WHERE :user_id::uuid IS NULL AND hour AT TIME ZONE 'UTC' >= :start::timestamptz AT TIME ZONE 'UTC'
       AND hour AT TIME ZONE 'UTC' < :end::timestamptz AT TIME ZONE 'UTC'
     ORDER BY hour AT TIME ZONE 'UTC'
     LIMIT :rows_limit::bigint + 1)
), periods AS (
    SELECT date_trunc(:by::text, hour, 'UTC') AS period, type, sum(calls) AS calls, sum(rows) AS rows,
           sum(spent) AS spent, count(*) AS hours
    FROM hours
    GROUP BY 1, 2
), listed AS (
    SELECT json_agg(json_build_object(
               'period', rfc3339(period), 'operation', type, 'calls', calls, 'rows', rows,
               'spent', trim_scale(spent)) ORDER BY period, type) AS usage,
           sum(hours) > :rows_limit::bigint AS is_over_limit
    FROM periods
)
SELECT json_build_object(
           'from', rfc3339(:start::timestamptz), 'to', rfc3339(:end::timestamptz), 'by', :by::text,
           'usage', coalesce(usage, '[]'))::text AS body,
       :user_id::uuid IS NULL OR EXISTS (SELECT FROM users WHERE id = :user_id::uuid) AS user_known,
       is_over_limit
FROM listed
