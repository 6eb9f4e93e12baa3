"""Add one SQL function for each JSON body of the API, and one that finds the caller.

`task_json` is in 0002. The names of the JSON members are part of the API.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


USER_JSON = """
CREATE FUNCTION user_json(account users) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', account.id, 'email', account.email, 'role', account.role, 'balance', trim_scale(account.balance),
    'created_at', rfc3339(account.created_at), 'deleted_at', rfc3339(account.deleted_at))::text
"""

OPERATION_JSON = """
CREATE FUNCTION operation_json(operation operations) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', operation.id, 'type', operation.type, 'cost', trim_scale(operation.cost),
    'created_at', rfc3339(operation.created_at), 'deleted_at', rfc3339(operation.deleted_at))::text
"""

RECORD_JSON = """
CREATE FUNCTION record_json(record records) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', record.id, 'user_id', record.user_id, 'operation_id', record.operation_id,
    'arguments', record.arguments, 'operation_response', record.operation_response,
    'amount', trim_scale(record.amount), 'user_balance', trim_scale(record.user_balance),
    'date', rfc3339(record.date), 'task_id', record.task_id, 'task_row', record.task_row,
    'deleted_at', rfc3339(record.deleted_at))::text
"""

ENTRY_JSON = """
CREATE FUNCTION entry_json(entry ledger) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', entry.id, 'user_id', entry.user_id, 'kind', entry.kind, 'amount', trim_scale(entry.amount),
    'balance_before', trim_scale(entry.balance_before), 'balance_after', trim_scale(entry.balance_after),
    'reference', entry.reference, 'date', rfc3339(entry.date))::text
"""

API_KEY_JSON = """
CREATE FUNCTION api_key_json(api_key api_keys) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', api_key.id, 'name', api_key.name, 'created_at', rfc3339(api_key.created_at))::text
"""

# Return one JSON object with the members of all these objects, in order, spaced like `json_build_object`.
# The text of the values does not change. `||` of `jsonb` would change the order and the spacing.
JOIN_JSON = """
CREATE FUNCTION join_json(VARIADIC objects json[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT '{' || string_agg(to_json(member.key) || ' : ' || member.value, ', '
                             ORDER BY object.number, member.number) || '}'
    FROM unnest(objects) WITH ORDINALITY AS object (body, number),
         json_each(object.body) WITH ORDINALITY AS member (key, value, number);
END
"""

# Return the living user behind a session or an API key that is not revoked. The planner inlines the function
# because it is STABLE, not STRICT, and a single SELECT.
CALLER = """
CREATE FUNCTION caller(session_id uuid, api_key_hash bytea)
RETURNS TABLE (id uuid, role text, balance numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT u.id, u.role, u.balance
    FROM users u
    WHERE u.deleted_at IS NULL
      AND u.id = coalesce(
          (SELECT s.user_id FROM sessions s
           WHERE s.id = caller.session_id AND s.revoked_at IS NULL AND s.expires_at > now()),
          (SELECT k.user_id FROM api_keys k
           WHERE k.key_hash = caller.api_key_hash AND k.revoked_at IS NULL));
END
"""

FUNCTIONS = (USER_JSON, OPERATION_JSON, RECORD_JSON, ENTRY_JSON, API_KEY_JSON, JOIN_JSON, CALLER)


def upgrade() -> None:
    for statement in FUNCTIONS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
