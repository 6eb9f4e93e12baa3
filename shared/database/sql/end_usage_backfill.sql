-- End the backfill: from now on, the audit compares usage, and calls from before version 1.2 can be refunded.
DELETE FROM usage_backfill
