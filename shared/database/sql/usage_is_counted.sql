-- Return whether the usage of all charges from before version 1.2 is counted.
SELECT NOT EXISTS (SELECT FROM usage_backfill) AS counted
