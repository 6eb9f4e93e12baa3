-- Correct a record; a null leaves its column unchanged. No balance changes. Keeps what was charged, to whom and for
-- which operation, for a refund. `id` is null if nothing was changed.
WITH known AS (
    SELECT :user_id::uuid IS NULL OR EXISTS (SELECT FROM users WHERE id = :user_id::uuid) AS user_known,
           :operation_id::uuid IS NULL
               OR EXISTS (SELECT FROM operations WHERE id = :operation_id::uuid) AS operation_known
), found AS MATERIALIZED (
    SELECT records.id, record_json(records)::jsonb AS before
    FROM records, known
    WHERE records.id = :id::uuid AND deleted_at IS NULL AND user_known AND operation_known
    FOR NO KEY UPDATE OF records
), changed AS (
    UPDATE records r
    SET user_id = coalesce(:user_id::uuid, r.user_id),
        operation_id = coalesce(:operation_id::uuid, r.operation_id),
        amount = coalesce(:amount::numeric, r.amount),
        user_balance = coalesce(:user_balance::numeric, r.user_balance),
        operation_response = coalesce(:operation_response::jsonb, r.operation_response),
        date = coalesce(:date::timestamptz, r.date),
        charged = coalesce(r.charged, r.amount),
        charged_user_id = coalesce(r.charged_user_id, r.user_id),
        charged_operation_id = coalesce(r.charged_operation_id, r.operation_id)
    FROM found
    WHERE r.id = found.id
    RETURNING r.id, before, record_json(r)::jsonb AS after
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'update', 'record', id, changed_members(before, after),
           changed_members(after, before)
    FROM changed
)
SELECT user_known, operation_known, (SELECT id FROM changed) AS id FROM known
