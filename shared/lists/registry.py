"""The lists that the API offers."""

from shared.lists.listing import Listing
from shared.schemas import responses

API_KEYS = Listing(
    "api_keys",
    responses.ApiKey,
    newest=("created_at", "id"),
    owner="user_id",
    admins_see_all=False,
    hides_rows=True,
)
SESSIONS = Listing(
    "sessions",
    responses.Session,
    newest=("created_at", "id"),
    owner="user_id",
    admins_see_all=False,
    hides_rows=True,
)
OPERATIONS = Listing("operations", responses.Operation, newest=("created_at", "id"), hides_rows=True)
RECORDS = Listing(
    "records", responses.Record, newest=("date", "id"), owner="user_id", hides_rows=True, has_search=True
)
LEDGER = Listing("ledger", responses.LedgerEntry, newest=("seq",), owner="user_id")
AUDIT_LOG = Listing("audit_log", responses.AuditEntry, newest=("seq",))
USERS = Listing("users", responses.User, newest=("created_at", "id"), hides_rows=True)
TASKS = Listing("tasks", responses.Task, newest=("created_at", "id"), owner="user_id")
EXPORTS = Listing("exports", responses.Export, newest=("created_at", "id"), owner="owner")
WEBHOOKS = Listing(
    "webhooks",
    responses.Webhook,
    newest=("created_at", "id"),
    owner="user_id",
    admins_see_all=False,
    hides_rows=True,
)
WEBHOOK_DELIVERIES = Listing(
    "deliveries",
    responses.WebhookDelivery,
    newest=("created_at", "id"),
    owner="user_id",
    admins_see_all=False,
)

LISTS = (
    SESSIONS,
    API_KEYS,
    OPERATIONS,
    RECORDS,
    LEDGER,
    USERS,
    TASKS,
    EXPORTS,
    AUDIT_LOG,
    WEBHOOKS,
    WEBHOOK_DELIVERIES,
)
"""All lists, for the OpenAPI document."""
