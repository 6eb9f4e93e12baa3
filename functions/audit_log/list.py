"""GET /api/v1/audit_log: list the changes by admins."""

from aws_lambda_powertools.event_handler import Response

from shared.http.api import Access, Api
from shared.http.responses import documented_list, ok
from shared.lists.read_page import read_page
from shared.lists.registry import AUDIT_LOG

app = Api(access=Access.ADMIN)


@app.get(
    "/api/v1/audit_log",
    tags=["audit log"],
    summary="List changes by admins.",
    description=(
        "For admins. Returns the changes that admins made to users, prices, records, tasks of other users, "
        "and their own API keys and webhooks, the newest first: the admin, the time, and the values before "
        "and after. Entries are never changed or deleted, and never contain a password. The history of a "
        "price is `?resource=operation&resource_id=…`."
    ),
    operation_id="listAuditLog",
    responses=documented_list(AUDIT_LOG, description="One page of the audit log."),
)
def list_audit_log() -> Response[str]:
    return ok(read_page(AUDIT_LOG, app.query_string, app.caller))
