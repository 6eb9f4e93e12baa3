"""A charge by hand: verify the token, run one statement, return. No routes, no validation, no log."""

import json
import os
import ssl
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import pg8000.native

CHARGE = """
WITH debit AS (
    UPDATE users u SET balance = u.balance - o.cost
    FROM sessions s, operations o
    WHERE s.id = :session::uuid AND s.revoked_at IS NULL AND s.expires_at > now() AND u.id = s.user_id
      AND o.type = :type AND o.deleted_at IS NULL AND u.deleted_at IS NULL AND u.balance >= o.cost
    RETURNING u.id, o.id AS operation_id, o.cost, u.balance
), record AS (
    INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance)
    SELECT :record::uuid, id, operation_id, :arguments::jsonb, :result::jsonb, cost, balance FROM debit
)
SELECT balance::text FROM debit"""


def handler(event: Any, context: Any) -> dict[str, Any]:
    token = event["headers"]["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(
        token, os.environ["JWT_SECRET_KEY"], algorithms=["HS256"], audience="restcalculator-api"
    )
    call = json.loads(event["body"])
    url = urlsplit(os.environ["AWS_PGSQL_PATH"])
    connection = pg8000.native.Connection(
        str(url.username),
        host=str(url.hostname),
        port=url.port or 5432,
        database=url.path.lstrip("/"),
        ssl_context=ssl.create_default_context(),
    )
    record, result = uuid4(), sum(call["arguments"])
    ((balance,),) = connection.run(
        CHARGE,
        session=claims["sid"],
        type=call["type"],
        record=record,
        arguments=json.dumps(call["arguments"]),
        result=json.dumps(result),
    )
    body = {"result": result, "user_balance": balance, "record_id": str(record)}
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
