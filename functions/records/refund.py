"""POST /api/v1/records/{id}/refund: refund a record."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared.billing import refunds
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.idempotency import run_once
from shared.schemas.requests import Refund

app = Api(access=Access.ADMIN, idempotent=True)


@app.post(
    "/api/v1/records/<id>/refund",
    tags=["records"],
    summary="Refund a record.",
    description=(
        "For admins. Returns exactly what the call was charged to the user who paid. A record that was "
        "refunded before, alone or with its task, or that was charged nothing, returns 409. Send an "
        "Idempotency-Key so that a retry gets the first response again."
    ),
    operation_id="refundRecord",
    responses=documented(
        "Refunded", 404, 409, headers=("Idempotent-Replayed",), description="The refund and the new balance."
    ),
)
def refund_record(id: UUID, body: Refund) -> Response[str]:
    request = app.idempotent_request({"id": id, "reason": body.reason})
    response = run_once(
        request, lambda statements: refunds.refund_record(app.caller, id, body.reason, statements)
    )
    return ok(response.body, headers=response.headers)
