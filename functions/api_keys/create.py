"""POST /api/v1/api_keys: create an API key."""

from aws_lambda_powertools.event_handler import Response

from shared.auth import api_keys
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.schemas.requests import NewApiKey

app = Api(access=Access.SESSION)


@app.post(
    "/api/v1/api_keys",
    tags=["API keys"],
    summary="Create an API key.",
    description=(
        "The response shows the key once; the service stores only its hash. A program sends it as "
        "`Authorization: Bearer rc_…`. `scopes` are what it may do: `read` (GET), `compute` (single "
        "operations), `batch` (tasks and exports), and `admin`, which only an admin may choose "
        "(403) and without which an admin's key acts as a client's. A key with `admin` can create admins and "
        "set passwords, so its revocation and limits do not stop a thief. `spend_limit` is what it may spend "
        "per UTC day, UTC month or in total, for single operations and files. A user has at most 100 keys "
        "(409): revoke one to create another."
    ),
    operation_id="createApiKey",
    responses=documented(
        "ApiKeyCreated", 409, status=201, headers=("Location",), description="The API key, with its secret."
    ),
    status_code=201,
)
def create_api_key(body: NewApiKey) -> Response[str]:
    _, key = api_keys.create(app.credentials, app.caller.id, body)
    return created(key, "/api/v1/api_keys")
