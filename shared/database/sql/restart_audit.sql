-- Forget what is verified: the audit begins at the first entry. If `is_full`, a full audit begins. Run it in the
-- transaction of lock_audit.
WITH forgotten AS (
    DELETE FROM audit_points
)
UPDATE audit_state SET verified_seq = 0, compared_user_id = NULL, is_full = is_full OR :is_full::boolean
