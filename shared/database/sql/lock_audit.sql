-- Lock the state of the audit, so that two audits take turns. `newest_seq` is the ledger's newest entry.
SELECT verified_seq, is_full, coalesce((SELECT max(seq) FROM ledger), 0) AS newest_seq
FROM audit_state
FOR UPDATE
