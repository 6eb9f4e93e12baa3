-- Clear the mark of users who are correct again, and recompute their points from all their verified entries.
UPDATE audit_points p
SET seq = coalesce(newest.seq, 0), balance = coalesce(newest.balance, 0), hour = coalesce(newest.hour, '-infinity'),
    hour_spent = coalesce(newest.spent, 0), is_suspect = false
FROM users u
LEFT JOIN LATERAL (
    SELECT last.seq, last.balance_after AS balance, date_trunc('hour', last.date, 'UTC') AS hour,
           (SELECT -sum(amount) FROM ledger
            WHERE user_id = u.id AND kind IN ('charge', 'batch', 'refund') AND seq <= last.seq
              AND date >= date_trunc('hour', last.date, 'UTC')) AS spent
    FROM ledger last
    WHERE last.user_id = u.id AND last.seq <= (SELECT verified_seq FROM audit_state)
    ORDER BY last.seq DESC
    LIMIT 1
) newest ON true
WHERE u.id = ANY(:user_ids::uuid[]) AND p.user_id = u.id
