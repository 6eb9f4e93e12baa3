-- Return the usage of a user, or of all users if `user_id` is null, by period and operation, for the hours from
-- `start` (inclusive) to `end` (exclusive). `by` is `hour`, `day` or `month`, in UTC. Two branches, because one
-- condition for both could not use the primary key.
WITH hours AS (
    SELECT hour, type, calls, rows, spent FROM usage_hours
    WHERE user_id = :user_id::uuid AND hour >= :start::timestamptz AND hour < :end::timestamptz
    UNION ALL
    SELECT hour, type, calls, rows, spent FROM usage_hours
    WHERE :user_id::uuid IS NULL AND hour >= :start::timestamptz AND hour < :end::timestamptz
), periods AS (
    SELECT date_trunc(:by::text, hour, 'UTC') AS period, type, sum(calls) AS calls, sum(rows) AS rows,
           sum(spent) AS spent
    FROM hours
    GROUP BY 1, 2
), listed AS (
    SELECT json_agg(json_build_object(
               'period', rfc3339(period), 'operation', type, 'calls', calls, 'rows', rows,
               'spent', trim_scale(spent)) ORDER BY period, type) AS usage
    FROM periods
)
SELECT json_build_object(
           'from', rfc3339(:start::timestamptz), 'to', rfc3339(:end::timestamptz), 'by', :by::text,
           'usage', coalesce(usage, '[]'))::text AS body,
       :user_id::uuid IS NULL OR EXISTS (SELECT FROM users WHERE id = :user_id::uuid) AS user_known
FROM listed
