"""POST /api/v1/tasks/{task_id}/refund: refund a task."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared.billing import refunds
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.idempotency import run_once
from shared.schemas.requests import Refund

app = Api(access=Access.ADMIN, idempotent=True)


@app.post(
    "/api/v1/tasks/<task_id>/refund",
    tags=["tasks"],
    summary="Refund a task.",
    description=(
        "For admins. Returns what the rows of an ended task were charged, less the refunds of single "
        "records. A task that has not ended, was refunded before, or was charged nothing, returns 409. A "
        "refunded task cannot be resumed. Send an Idempotency-Key so that a retry gets the first response "
        "again."
    ),
    operation_id="refundTask",
    responses=documented(
        "Refunded", 404, 409, headers=("Idempotent-Replayed",), description="The refund and the new balance."
    ),
)
def refund_task(task_id: UUID, body: Refund) -> Response[str]:
    request = app.idempotent_request({"id": task_id, "reason": body.reason})
    response = run_once(
        request, lambda statements: refunds.refund_task(app.caller, task_id, body.reason, statements)
    )
    return ok(response.body, headers=response.headers)
