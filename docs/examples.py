"""The examples in the OpenAPI document: one for each body, by its schema's name, and one for each error."""

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from docs.list_schemas import BY_PAGE, SCHEMAS, schemas_of
from shared import errors, exact_json
from shared.accounts import ACCOUNT_INACTIVE_DETAIL, WRONG_CREDENTIALS_DETAIL
from shared.auth.caller import NOT_SIGNED_IN_DETAIL
from shared.errors import DomainError
from shared.http import problems
from shared.http.problems import PROBLEM, PROBLEMS, problem_of
from shared.schemas.responses import CreditProblem, InputProblem, Problem

_ID = "0190a0a0-51c5-7c4e-8f3a-6b1d2c3e4f50"
_USER = "0190a0a0-0b1e-7a52-9d0c-1f2e3d4c5b6a"
_OPERATION = "0190a0a0-0a11-7d31-8b7e-2a3b4c5d6e7f"
_TASK = "0190a0a0-77aa-7b0c-a1d2-0c1b2a394857"
_TIME = "2026-11-23T07:00:00.000000Z"
_CSRF = "vV8mJk0Yy2JmX1r7oZ5cQ3uTn4LwPq9s"

_SUCCESS: dict[str, Any] = {"status": "success", "message": "Done."}
_CREATED: dict[str, Any] = {"created_at": _TIME, "deleted_at": None}
_TASK_BODY: dict[str, Any] = {
    "id": _TASK,
    "user_id": _USER,
    "filename": "operations.csv",
    "status": "processing",
    "bytes_total": 1000,
    "bytes_done": 250,
    "rows_done": 10,
    "rows_failed": 1,
    "percentage": 25,
    "rows_per_second": 40000,
    "seconds_left": 1,
    "spent": 45,
    "error": None,
    "results": None,
    "created_at": _TIME,
    "started_at": _TIME,
    "updated_at": _TIME,
    "finished_at": None,
    "dry_run": False,
    "max_spend": 1000,
    "cost": None,
    "refunded_at": None,
    "refund_id": None,
}
_RECORD: dict[str, Any] = {
    "operation_id": _OPERATION,
    "user_id": _USER,
    "amount": 5,
    "user_balance": 15,
    "operation_response": 0.3,
    "date": _TIME,
}
_API_KEY = {
    "id": _ID,
    "name": "nightly report",
    "created_at": _TIME,
    "scopes": ["read", "compute", "batch"],
    "expires_at": "2027-11-23T07:00:00.000000Z",
    "spend_limit": {"amount": 100, "per": "month"},
    "spent": 15,
    "last_used_at": _TIME,
}
_EXPORT = {
    "id": _ID,
    "user_id": _USER,
    "resource": "records",
    "format": "csv",
    "query": "operation=addition&fields=date%2Camount",
    "status": "completed",
    "rows_done": 1000,
    "error": None,
    "created_at": _TIME,
    "updated_at": _TIME,
    "finished_at": _TIME,
    "expires_at": "2026-11-30T07:00:00.000000Z",
}
_WEBHOOK = {
    "id": _ID,
    "url": "https://hooks.example.com/restcalculator",
    "events": ["task.completed", "task.stopped", "task.failed"],
    "description": "the nightly import",
    "created_at": _TIME,
    "paused": False,
    "paused_at": None,
    "paused_reason": None,
    "failing_since": None,
    "previous_secret_expires_at": None,
}
_SIGN_IN = {"email": "ada@example.com", "password": "Lovelace1!"}

_PAGE = {"total_pages": 1, "total": 1, "total_relation": "eq", "next_cursor": None}

BODIES: dict[str, Any] = {
    # requests
    "Login": _SIGN_IN,
    "PasswordChange": {"current_password": "Lovelace1!", "new_password": "Analytical2!"},
    "NewAdmin": {**_SIGN_IN, "admin_password": "the ADMIN_PASSWORD setting"},
    "OperationCall": {"type": "addition", "arguments": [0.1, 0.2]},
    "NewTask": {"filename": "operations.csv", "size": 1000, "dry_run": False, "max_spend": 500},
    "Resumption": {"max_spend": 1000},
    "NewExport": {
        "resource": "records",
        "format": "csv",
        "filters": {"operation": "addition"},
        "fields": ["date", "amount"],
    },
    "NewApiKey": {
        "name": "nightly report",
        "scopes": ["read", "compute", "batch"],
        "expires_at": "2027-11-23T07:00:00.000000Z",
        "spend_limit": {"amount": 100, "per": "month"},
    },
    "NewWebhook": {
        "url": "https://hooks.example.com/restcalculator",
        "events": ["task.completed", "task.stopped", "task.failed"],
        "description": "the nightly import",
    },
    "WebhookChange": {"paused": False},
    "AccountChange": {"low_balance_threshold": 10},
    "NewOperation": {"type": "addition", "cost": 5},
    "OperationChange": {"cost": 7.5},
    "NewRecord": _RECORD,
    "RecordChange": {"amount": 5},
    "NewUser": {**_SIGN_IN, "role": "client", "balance": 20, "status": "active"},
    "UserChange": {"role": "admin"},
    "CreditGrant": {"amount": 10, "reason": "a voucher"},
    "Refund": {"reason": "a wrong result"},
    # responses
    "Done": _SUCCESS,
    "SignedIn": {**_SUCCESS, "csrf_token": _CSRF, "expires_in": 900},
    "Session": {
        "id": _ID,
        "created_at": _TIME,
        "refreshed_at": _TIME,
        "expires_at": "2026-12-23T07:00:00.000000Z",
        "current": True,
    },
    "CsrfToken": {"csrf_token": _CSRF},
    "Health": {"status": "ok", "database": "ok"},
    "Charged": {**_SUCCESS, "result": 0.3, "amount": 5, "user_balance": 15, "record_id": _ID},
    "Granted": {"id": _ID, "user_id": _USER, "amount": 10, "reason": "a voucher", "user_balance": 30},
    "Refunded": {
        "id": _ID,
        "user_id": _USER,
        "record_id": _ID,
        "task_id": None,
        "amount": 5,
        "reason": "a wrong result",
        "user_balance": 20,
    },
    "User": {
        "id": _USER,
        "email": "ada@example.com",
        "role": "client",
        "balance": 20,
        **_CREATED,
        "status": "active",
        "low_balance_threshold": None,
    },
    "Operation": {"id": _OPERATION, "type": "addition", "cost": 5, **_CREATED},
    "Record": {
        "id": _ID,
        **_RECORD,
        "arguments": [0.1, 0.2],
        "task_id": None,
        "task_row": None,
        "deleted_at": None,
        "operation": "addition",
        "refunded_at": None,
        "refund_id": None,
    },
    "AuditEntry": {
        "id": _ID,
        "date": _TIME,
        "actor_id": _USER,
        "action": "update",
        "resource": "operation",
        "resource_id": _OPERATION,
        "before": {"cost": 5},
        "after": {"cost": 7.5},
    },
    "LedgerEntry": {
        "id": _ID,
        "user_id": _USER,
        "kind": "charge",
        "amount": -5,
        "balance_before": 20,
        "balance_after": 15,
        "reference": {"record_id": _ID},
        "date": _TIME,
    },
    "Usage": {
        "from": "2026-11-01T00:00:00.000000Z",
        "to": "2026-12-01T00:00:00.000000Z",
        "by": "day",
        "usage": [
            {
                "period": "2026-11-23T00:00:00.000000Z",
                "operation": "addition",
                "calls": 3,
                "rows": 10,
                "spent": 65,
            }
        ],
    },
    "Webhook": _WEBHOOK,
    "WebhookWithSecret": {
        **_WEBHOOK,
        "secret": "whsec_c2hvd24gb25seSBvbmNlLCAzMiBieXRlcyBsb25nLi4=",
    },
    "WebhookDelivery": {
        "id": _ID,
        "webhook_id": _ID,
        "event_id": _ID,
        "type": "task.completed",
        "status": "delivered",
        "created_at": _TIME,
        "next_attempt_at": None,
        "ended_at": _TIME,
        "attempts": [
            {"sent_at": _TIME, "duration_ms": 120, "status": 200, "response": "ok", "error": None},
        ],
    },
    "LowBalance": {"user_id": _USER, "balance": 5, "low_balance_threshold": 10},
    "TestedWebhook": {"webhook_id": _ID},
    "ApiKey": _API_KEY,
    "ApiKeyCreated": {**_API_KEY, "key": "rc_shown-this-once"},
    "Task": _TASK_BODY,
    "TaskAccepted": {"task_id": _TASK, **_TASK_BODY},
    "Export": _EXPORT,
    "ExportWithLink": {**_EXPORT, "url": "https://s3.example.com/exports?X-Amz-Signature=…"},
    "ResultsLink": {"url": "https://s3.example.com/results?X-Amz-Signature=…", "expires_at": _TIME},
    "UploadGranted": {
        "task_id": _TASK,
        **_TASK_BODY,
        "status": "awaiting_upload",
        "url": "https://s3.example.com/uploads",
        "fields": {"key": f"uploads/{_USER}/{_TASK}.csv", "Content-Type": "text/csv"},
    },
}

_WRITTEN: list[DomainError] = [
    errors.MalformedRequest("The body is not JSON."),
    errors.NotSignedIn(NOT_SIGNED_IN_DETAIL),
    errors.WrongCredentials(WRONG_CREDENTIALS_DETAIL),
    errors.InsufficientCredit(
        "The balance is 3 and this call costs 5. Add credit and send it again.",
        balance=Decimal(3),
        cost=Decimal(5),
    ),
    errors.SpendLimitReached(
        "This API key may spend 100 per month. 98 of it are spent, and this call costs 5. The month ends at "
        "2026-12-01T00:00:00.000000Z. Wait until then, or use another key.",
        balance=Decimal(20),
        cost=Decimal(5),
    ),
    errors.Forbidden("Only admins may do this."),
    errors.InsufficientScope("This API key lacks the scope 'batch'. Create a key that has it."),
    errors.CsrfMismatch("Send the csrf_token of your sign-in in the X-CSRF-TOKEN header."),
    errors.AccountInactive(ACCOUNT_INACTIVE_DETAIL),
    errors.NotFound("There is no such record."),
    errors.MethodNotAllowed("This path supports GET, POST.", allowed=["GET", "POST"]),
    errors.Conflict("A request with this idempotency key is still running. Try again."),
    errors.PayloadTooLarge("The body is larger than 262144 bytes."),
    errors.UnsupportedMediaType("Send application/json, not 'text/plain'."),
    errors.InvalidInput.at("#/arguments/0", "Input should be a number"),
    errors.IdempotencyKeyReused("This key was used for a different request. Send a new Idempotency-Key."),
    errors.TooManyRequests("Try again in 12 s.", retry_after=12),
    errors.ServiceUnavailable("The database is temporarily unavailable. Try again.", retry_after=5),
]


def complete(written: Sequence[DomainError]) -> list[DomainError]:
    """Add an error without facts for each problem that has no example, and sort them all by status.

    The detail of an added example is the problem's title.
    """
    shown = {problem_of(error).slug for error in written}
    kinds = {problem.slug: kind for kind, problem in PROBLEMS.items() if kind is not DomainError}
    added = [kind() for slug, kind in kinds.items() if slug not in shown]
    return sorted([*written, *added], key=lambda error: problem_of(error).status)


ERRORS = complete(_WRITTEN)

PROBLEM_MODELS = {402: CreditProblem, 422: InputProblem}
"""The problems with members of their own, by status."""

COLLECTIONS = {
    "User": "users",
    "Operation": "operations",
    "Record": "records",
    "ApiKeyCreated": "api_keys",
    "UploadGranted": "tasks",
    "TaskAccepted": "tasks",
    "Export": "exports",
    "WebhookWithSecret": "webhooks",
}
"""The collection to which the `Location` of a created object points, by its schema's name."""

HEADERS = {
    "Set-Cookie": "access_token_cookie=…; HttpOnly; SameSite=Lax; Path=/; Max-Age=900",
    "Idempotent-Replayed": "true",
    "ETag": '"9f86d081884c7d659a2feaa0c55ad015"',
}


def response_name(status: int) -> str:
    """Return the name of a status's shared response: the class of its first error, such as `NotFound`."""
    return next(type(error).__name__ for error in ERRORS if problem_of(error).status == status)


def problems_by_status() -> dict[str, Any]:
    """Return the document's shared responses: the description, headers and examples of each status."""
    by_status = groupby(ERRORS, key=lambda error: problem_of(error).status)
    return {response_name(status): _response(status, list(failures)) for status, failures in by_status}


def illustrate(operation: dict[str, Any]) -> None:
    """Add examples to the bodies and headers of an operation."""
    for message in (operation.get("requestBody", {}), *operation["responses"].values()):
        for content in message.get("content", {}).values():
            name = _schema_name(content)
            if (listing := BY_PAGE.get(name)) is not None:
                content["example"] = {**_PAGE, listing.name: [BODIES[listing.schema.__name__]]}
            elif name in BODIES:
                content["example"] = BODIES[name]
        for header, declaration in message.get("headers", {}).items():
            declaration["example"] = HEADERS[header] if header in HEADERS else _location(message)


def _location(message: dict[str, Any]) -> str:
    """Return the example of a response's Location: the created object, or the link of a redirect."""
    if not message.get("content"):
        return str(BODIES["ResultsLink"]["url"])
    name = _schema_name(*message["content"].values())
    return f"/api/v1/{COLLECTIONS[name]}/{BODIES[name]['id']}"


def _schema_name(content: dict[str, Any]) -> str:
    """Return the name of the schema that a body refers to, or an empty string."""
    return str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]


def problem_schemas() -> dict[str, Any]:
    """Return the schemas of all problems, by name."""
    models = (Problem, *PROBLEM_MODELS.values())
    return {name: schema for model in models for name, schema in schemas_of(model).items()}


def _response(status: int, failures: list[DomainError]) -> dict[str, Any]:
    examples = {
        problem_of(error).slug: {"value": json.loads(exact_json.dumps(problems.body(error, _ID)))}
        for error in failures
    }
    schema = {"$ref": f"{SCHEMAS}{PROBLEM_MODELS.get(status, Problem).__name__}"}
    response: dict[str, Any] = {
        "description": problems.meaning(status),
        "content": {PROBLEM: {"schema": schema, "examples": examples}},
    }
    headers = {name: value for error in failures for name, value in problems.headers(error).items()}
    if headers:
        response["headers"] = {
            name: {"required": True, "schema": {"type": "string"}, "example": value}
            for name, value in headers.items()
        }
    return response
