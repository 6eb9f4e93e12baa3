-- Begin the audit at the first entry. If `is_full`, a full audit begins. Run it in the transaction of lock_audit, after
-- forget_audit_points.
UPDATE audit_state SET verified_seq = 0, compared_user_id = NULL, is_full = is_full OR :is_full::boolean
