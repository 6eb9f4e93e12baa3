-- Compare the next `row_limit` users, by id, with their point and the entries after it. A user becomes a suspect if the
-- point's entry is missing or changed, if an entry after it does not continue it, if the balance differs from the newest
-- entry's balance_after, or if the usage since the point's hour differs from the charges less refunds. Usage is not
-- compared until the backfill has finished. `rows` counts the users. Run it in the transaction of lock_audit.
WITH page AS MATERIALIZED (
    SELECT u.id, u.balance, coalesce(p.seq, 0) AS seq, coalesce(p.balance, 0) AS point_balance,
           coalesce(p.hour, '-infinity') AS hour, coalesce(p.hour_spent, 0) AS hour_spent
    FROM users u
    LEFT JOIN LATERAL (SELECT * FROM audit_points WHERE user_id = u.id LIMIT 1) p ON true
    WHERE u.id > coalesce((SELECT compared_user_id FROM audit_state), '00000000-0000-0000-0000-000000000000')
    ORDER BY u.id
    LIMIT :row_limit::bigint
), suspect AS (
    SELECT page.id
    FROM page
    CROSS JOIN LATERAL (
        SELECT min(entry.seq) AS first, (array_agg(balance_after ORDER BY entry.seq DESC))[1] AS balance,
               bool_or(broken) AS broken,
               -coalesce(sum(amount) FILTER (
                   WHERE entry.seq > page.seq AND kind IN ('charge', 'batch', 'refund')), 0) AS spent
        FROM (
            SELECT l.seq, kind, amount, balance_after,
                   CASE WHEN l.seq = page.seq THEN balance_after <> page.point_balance
                   ELSE balance_after <> balance_before + amount
                        OR balance_before <> lag(balance_after, 1, page.point_balance) OVER (ORDER BY l.seq)
                   END AS broken
            FROM ledger l
            WHERE l.user_id = page.id AND l.seq >= page.seq
        ) entry
    ) tail
    CROSS JOIN LATERAL (
        SELECT CASE WHEN EXISTS (SELECT FROM usage_backfill) THEN page.hour_spent + tail.spent
               ELSE (SELECT coalesce(sum(spent), 0) FROM usage_hours
                     WHERE user_id = page.id AND hour >= page.hour) END AS spent
    ) used
    WHERE tail.broken
       OR page.seq > 0 AND tail.first IS DISTINCT FROM page.seq
       OR page.balance <> coalesce(tail.balance, page.point_balance)
       OR used.spent <> page.hour_spent + tail.spent
), marked AS (
    INSERT INTO audit_points (user_id, is_suspect)
    SELECT id, true FROM suspect
    ON CONFLICT (user_id) DO UPDATE SET is_suspect = true
)
UPDATE audit_state
SET compared_user_id = CASE
    WHEN (SELECT count(*) FROM page) = :row_limit::bigint THEN (SELECT id FROM page ORDER BY id DESC LIMIT 1)
    END
RETURNING (SELECT count(*) FROM page) AS rows
