-- Return each of the users (all without `user_ids`) whose balance differs from the sum of the ledger entries or from the
-- newest entry's balance_after, who has an entry whose balance_before differs from the previous balance_after
-- (`broken_at` is the `seq` of the first such entry), or whose usage (`usage_spent`) differs from the ledger's charges
-- less refunds (`ledger_spent`). Usage is not compared until the backfill has finished. Amounts are in credits. No row
-- means that balances and usage are correct. Reads all entries of the users, each user's by the index.
SELECT u.id, u.email, u.balance, b.total AS ledger_total, newest.balance AS ledger_newest, b.broken_at,
       coalesce(b.spent, 0) AS ledger_spent, coalesce(used.spent, 0) AS usage_spent
FROM users u
CROSS JOIN LATERAL (
    SELECT sum(amount) AS total, min(seq) FILTER (WHERE broken) AS broken_at,
           -sum(amount) FILTER (WHERE kind IN ('charge', 'batch', 'refund')) AS spent
    FROM (
        SELECT seq, kind, amount,
               balance_before <> lag(balance_after, 1, 0::numeric) OVER (ORDER BY seq) AS broken
        FROM ledger
        WHERE user_id = u.id
    ) chain
) b
LEFT JOIN LATERAL (
    SELECT balance_after AS balance FROM ledger WHERE user_id = u.id ORDER BY seq DESC LIMIT 1
) newest ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN EXISTS (SELECT FROM usage_backfill) THEN b.spent
           ELSE (SELECT sum(spent) FROM usage_hours WHERE user_id = u.id) END AS spent
) used
WHERE u.id = ANY(coalesce(:user_ids::uuid[], ARRAY(SELECT id FROM users)))
  AND (u.balance IS DISTINCT FROM coalesce(b.total, 0)
       OR u.balance IS DISTINCT FROM coalesce(newest.balance, 0)
       OR b.broken_at IS NOT NULL
       OR coalesce(b.spent, 0) <> coalesce(used.spent, 0))
ORDER BY u.id
