-- Begin a full audit: forget what is verified. Run it in the transaction of lock_audit.
WITH forgotten AS (
    DELETE FROM audit_points
)
UPDATE audit_state SET verified_seq = 0, compared_user_id = NULL, is_full = true
