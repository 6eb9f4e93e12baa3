-- The ledger entry and the audit log's entry of a refund. `credit` is the refunded `resource` (`record` or `task`), its
-- `id`, the `amount`, and the user's new `balance`.
entry AS (
    INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference, in_usage)
    SELECT :entry_id::uuid, user_id, 'refund', amount, balance - amount, balance,
           jsonb_build_object(resource || '_id', id, 'reason', :reason::text, 'refunded_by', :admin_id::uuid), true
    FROM credit
    RETURNING date
), audit AS (
    INSERT INTO audit_log (id, actor_id, action, resource, resource_id, before, after)
    SELECT :audit_id::uuid, :admin_id::uuid, 'refund', resource, id, '{"refund_id": null}',
           jsonb_build_object('refund_id', :entry_id::uuid, 'amount', trim_scale(amount),
                              'reason', :reason::text)
    FROM credit
)
