-- Lock the position of the backfill, so that two runs take turns. No row if the backfill has finished. The transaction
-- waits for a lock for less than the deadlock_timeout of 1 s, so that no charge is the victim of a deadlock with it.
-- Its later statement is planned without sequential scans: a batch is a small part of the records.
SELECT seq, set_config('lock_timeout', '500ms', true), set_config('enable_seqscan', 'off', true)
FROM usage_backfill
FOR UPDATE
