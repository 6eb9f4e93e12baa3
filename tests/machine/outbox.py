"""The invariants of the outbox: each change has exactly one event, whatever died. They use no model."""

from tests.support.webhooks import EVENTS, SECRET

THRESHOLD = 10
"""The `low_balance_threshold` of each user, in credits."""
SUBSCRIBE = (
    f"""
    CREATE OR REPLACE FUNCTION give_threshold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.low_balance_threshold := {THRESHOLD};
        RETURN NEW;
    END $$""",
    "CREATE OR REPLACE TRIGGER give_threshold BEFORE INSERT ON users"
    " FOR EACH ROW EXECUTE FUNCTION give_threshold()",
    f"""
    CREATE OR REPLACE FUNCTION subscribe_to_all() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO webhooks (id, user_id, url, events, secret)
        VALUES (gen_random_uuid(), NEW.id, 'https://example.com', '{{{",".join(EVENTS)}}}', '{SECRET}');
        RETURN NULL;
    END $$""",
    "CREATE OR REPLACE TRIGGER subscribe_to_all AFTER INSERT ON users"
    " FOR EACH ROW EXECUTE FUNCTION subscribe_to_all()",
)
"""Statements that give each new user a threshold and a webhook for all events."""

_EVENTS = """
    SELECT id, user_id, type, created_at, body::json -> 'data' AS data FROM webhook_events"""
_ENDED = "('completed', 'quoted', 'out_of_credit', 'cancelled', 'failed')"

VIOLATIONS = {
    "a grant or refund without its event, or an event without its grant or refund": f"""
        SELECT l.id, e.id FROM (
            SELECT id, user_id,
                   CASE kind WHEN 'grant' THEN 'credit.granted' ELSE 'record.refunded' END AS type
            FROM ledger WHERE kind = 'refund' OR kind = 'grant' AND amount > 0
        ) l FULL JOIN ({_EVENTS} WHERE type IN ('credit.granted', 'record.refunded')) e
            ON e.data ->> 'id' = l.id::text AND e.user_id = l.user_id AND e.type = l.type
        WHERE l.id IS NULL OR e.id IS NULL""",
    "a grant or refund with two events": f"""
        SELECT data ->> 'id' FROM ({_EVENTS}) e WHERE type IN ('credit.granted', 'record.refunded')
        GROUP BY 1 HAVING count(*) > 1""",
    "a movement below the threshold without its event, or an event without its movement": f"""
        SELECT * FROM (
            SELECT user_id, balance_after AS balance,
                   row_number() OVER (PARTITION BY user_id ORDER BY seq) AS number
            FROM ledger
            WHERE kind <> 'opening' AND balance_before >= {THRESHOLD} AND balance_after < {THRESHOLD}
        ) l FULL JOIN (
            SELECT user_id, (data ->> 'balance')::numeric AS balance,
                   row_number() OVER (PARTITION BY user_id ORDER BY created_at) AS number
            FROM ({_EVENTS}) e WHERE type = 'balance.low'
        ) e USING (user_id, number) WHERE l.balance IS DISTINCT FROM e.balance""",
    "an end of a task with two events": f"""
        SELECT data ->> 'id' FROM ({_EVENTS}) e WHERE type LIKE 'task.%'
        GROUP BY 1, data ->> 'finished_at' HAVING count(*) > 1""",
    "a task that has ended without the event, or an event of an end that was not": f"""
        SELECT t.id, t.status, e.status FROM (
            SELECT t.id::text, CASE WHEN t.status IN {_ENDED} THEN t.status END AS status,
                   rfc3339(t.finished_at) AS finished_at
            FROM tasks t JOIN users u ON u.id = t.user_id WHERE u.deleted_at IS NULL
        ) t LEFT JOIN (
            SELECT DISTINCT ON (data ->> 'id') data ->> 'id' AS id, data ->> 'status' AS status,
                   data ->> 'finished_at' AS finished_at
            FROM ({_EVENTS}) e WHERE type LIKE 'task.%' ORDER BY data ->> 'id', created_at DESC
        ) e ON e.id = t.id
        WHERE t.status IS NOT NULL
          AND (t.status, t.finished_at) IS DISTINCT FROM (e.status, e.finished_at)""",
    "a completed export without exactly one event, or an event without it": f"""
        SELECT x.id, count(e.id) FROM exports x JOIN users u ON u.id = x.user_id
        LEFT JOIN ({_EVENTS} WHERE type = 'export.completed') e ON e.data ->> 'id' = x.id::text
        WHERE u.deleted_at IS NULL
        GROUP BY x.id HAVING count(e.id) <> (x.status = 'completed')::int""",
    "an event of the wrong type": f"""
        SELECT id FROM ({_EVENTS}) e WHERE type LIKE 'task.%' AND type <> CASE
            WHEN data ->> 'status' IN ('completed', 'quoted') THEN 'task.completed'
            WHEN data ->> 'status' = 'failed' THEN 'task.failed' ELSE 'task.stopped' END""",
    "an event without exactly one delivery": """
        SELECT e.id FROM webhook_events e LEFT JOIN webhook_deliveries d ON d.event_id = e.id
        GROUP BY e.id HAVING count(d.id) <> 1""",
}
"""Queries for violated invariants of the outbox."""
