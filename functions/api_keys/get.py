"""GET /api/v1/api_keys/{id}: return one API key, without its secret."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, ok

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/api_keys/<id>",
    tags=["API keys"],
    summary="Get an API key.",
    description=(
        "Returns one of your own keys, without its secret. A revoked key, or the key of another user, is "
        "not found (404)."
    ),
    operation_id="getApiKey",
    responses=documented("ApiKey", 404, description="The API key, without its secret."),
)
def get_api_key(id: UUID) -> Response[str]:
    row = database.one("api_key", id=id, user_id=app.caller.id)
    if row is None:
        raise NotFound("There is no such API key.")
    return ok(row["body"])
