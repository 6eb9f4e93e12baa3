-- Verify the next `row_limit` entries of the ledger and move each user's point to the newest of them. A user becomes a
-- suspect if an entry does not continue the point, or if the usage of the hours that end before the new point's hour
-- differs from the charges less refunds. Usage is not compared until the backfill has finished. Stops before the first
-- entry that is younger than `settled_seconds`: an entry with a lower `seq` may still be in an open transaction. `rows`
-- counts the verified entries. Run it in the transaction of lock_audit. With LIMIT 1 Postgres finds a point by its index,
-- even if it planned the statement when there were few points.
WITH young AS MATERIALIZED (
    SELECT seq FROM (
        SELECT seq, date FROM ledger
        WHERE seq > (SELECT verified_seq FROM audit_state)
        ORDER BY seq
        LIMIT :row_limit::bigint
    ) following
    WHERE date > now() - make_interval(secs => :settled_seconds::float8)
    ORDER BY seq
    LIMIT 1
), entry AS MATERIALIZED (
    SELECT user_id, seq, amount, balance_before, balance_after, date_trunc('hour', date, 'UTC') AS hour,
           CASE WHEN kind IN ('charge', 'batch', 'refund') THEN -amount ELSE 0 END AS spent
    FROM ledger
    WHERE seq > (SELECT verified_seq FROM audit_state)
      AND seq < coalesce((SELECT seq FROM young), 9223372036854775807)
    ORDER BY seq
    LIMIT :row_limit::bigint
), chain AS (
    SELECT e.*, coalesce(p.hour, '-infinity') AS from_hour, coalesce(p.hour_spent, 0) AS from_spent,
           greatest(p.hour, max(e.hour) OVER (PARTITION BY e.user_id)) AS to_hour,
           e.balance_after <> e.balance_before + e.amount
           OR e.balance_before <> lag(e.balance_after, 1, coalesce(p.balance, 0::numeric))
                                  OVER (PARTITION BY e.user_id ORDER BY e.seq) AS broken
    FROM entry e
    LEFT JOIN LATERAL (SELECT * FROM audit_points WHERE user_id = e.user_id LIMIT 1) p ON true
), verified AS (
    SELECT user_id, from_hour, to_hour, max(seq) AS seq,
           (array_agg(balance_after ORDER BY seq DESC))[1] AS balance, bool_or(broken) AS broken,
           coalesce(sum(spent) FILTER (WHERE hour < to_hour), 0)
           + CASE WHEN from_hour < to_hour THEN from_spent ELSE 0 END AS ended_spent,
           coalesce(sum(spent) FILTER (WHERE hour = to_hour), 0)
           + CASE WHEN from_hour = to_hour THEN from_spent ELSE 0 END AS hour_spent
    FROM chain
    GROUP BY user_id, from_hour, from_spent, to_hour
), moved AS (
    INSERT INTO audit_points AS p (user_id, seq, balance, hour, hour_spent, is_suspect)
    SELECT v.user_id, v.seq, v.balance, v.to_hour, v.hour_spent, v.broken OR v.ended_spent <> used.spent
    FROM verified v
    CROSS JOIN LATERAL (
        SELECT CASE WHEN EXISTS (SELECT FROM usage_backfill) THEN v.ended_spent
               ELSE (SELECT coalesce(sum(spent), 0) FROM usage_hours
                     WHERE user_id = v.user_id AND hour >= v.from_hour AND hour < v.to_hour) END AS spent
    ) used
    ON CONFLICT (user_id) DO UPDATE
    SET seq = excluded.seq, balance = excluded.balance, hour = excluded.hour, hour_spent = excluded.hour_spent,
        is_suspect = p.is_suspect OR excluded.is_suspect
)
UPDATE audit_state
SET verified_seq = coalesce((SELECT max(seq) FROM entry), verified_seq)
RETURNING verified_seq, (SELECT count(*) FROM entry) AS rows
