-- Return each user whose balance differs from the sum of the ledger entries or from the newest entry's
-- balance_after, who has an entry whose balance_before differs from the previous balance_after (`broken_at`
-- is the `seq` of the first such entry), or whose usage (`usage_spent`) differs from the ledger's charges less
-- refunds (`ledger_spent`). Amounts are in credits. No row means that balances and usage are correct.
WITH chain AS (
    SELECT user_id, seq, kind, amount, balance_after,
           balance_before <> lag(balance_after, 1, 0::numeric) OVER (PARTITION BY user_id ORDER BY seq) AS broken
    FROM ledger
), books AS (
    SELECT user_id, sum(amount) AS total,
           (array_agg(balance_after ORDER BY seq DESC))[1] AS newest,
           min(seq) FILTER (WHERE broken) AS broken_at,
           -sum(amount) FILTER (WHERE kind IN ('charge', 'batch', 'refund')) AS spent
    FROM chain
    GROUP BY user_id
), used AS (
    SELECT user_id, sum(spent) AS spent FROM usage_hours GROUP BY user_id
)
SELECT u.id, u.email, u.balance, b.total AS ledger_total, b.newest AS ledger_newest, b.broken_at,
       coalesce(b.spent, 0) AS ledger_spent, coalesce(used.spent, 0) AS usage_spent
FROM users u
LEFT JOIN books b ON b.user_id = u.id
LEFT JOIN used ON used.user_id = u.id
WHERE u.balance IS DISTINCT FROM coalesce(b.total, 0)
   OR u.balance IS DISTINCT FROM coalesce(b.newest, 0)
   OR b.broken_at IS NOT NULL
   OR coalesce(b.spent, 0) <> coalesce(used.spent, 0)
ORDER BY u.id
