"""POST /api/v1/users/{id}/credits: grant credit to a user or take it back."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared.billing import charges
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.schemas.requests import CreditGrant

app = Api(access=Access.ADMIN, idempotent=True)


@app.post(
    "/api/v1/users/<id>/credits",
    tags=["users"],
    summary="Grant credit to a user or take it back.",
    description=(
        "For admins. A negative amount takes credit back; the balance cannot go below zero (422). Send an "
        "Idempotency-Key so that a retry moves the money once."
    ),
    operation_id="grantCredit",
    responses=documented(
        "Granted", 404, 409, headers=("Idempotent-Replayed",), description="The movement and the new balance."
    ),
)
def grant_credit(id: UUID, body: CreditGrant) -> Response[str]:
    response = charges.grant(app.caller, id, body.amount, body.reason, app.idempotency_key)
    return ok(response.body, headers=response.headers)
