-- Lock the state of the audit, so that two audits take turns. `newest_seq` is the ledger's newest entry. The settings
-- apply to the rest of the transaction and make Postgres choose the plan that reads the fewest rows: by default, with
-- few users, it scans the whole ledger in its physical order.
SELECT verified_seq, is_full, coalesce((SELECT max(seq) FROM ledger), 0) AS newest_seq,
       set_config('enable_seqscan', 'off', true), set_config('seq_page_cost', '0', true),
       set_config('random_page_cost', '0', true)
FROM audit_state
FOR UPDATE
