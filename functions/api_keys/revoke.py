"""DELETE /api/v1/api_keys/{id}: revoke an API key."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.auth.caller import check_own_key
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, done
from shared.ids import uuid7

app = Api(access=Access.OWN_KEY)


@app.delete(
    "/api/v1/api_keys/<id>",
    tags=["API keys"],
    summary="Revoke an API key.",
    description=(
        "The next request with the key returns 401. This cannot be undone. A program can revoke its own key "
        "with that key, for example when it is uninstalled."
    ),
    operation_id="revokeApiKey",
    responses=documented("Done", 404, description="The API key is revoked."),
)
def revoke_api_key(id: UUID) -> Response[str]:
    check_own_key(app.caller, id)
    row = database.one("revoke_api_key", id=id, user_id=app.caller.id, audit_id=uuid7())
    if row is None:
        raise NotFound("There is no such API key.")
    return done("The API key is revoked.")
