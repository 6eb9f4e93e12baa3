"""POST /api/v1/api_keys: create a key that signs in a program."""

from aws_lambda_powertools.event_handler import Response

from shared.auth import api_keys
from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import created, documented
from shared.schemas.requests import NewApiKey
from shared.schemas.responses import ApiKeyCreated

app = Api(who=Who.SIGNED_IN)


@app.post(
    "/api/v1/api_keys",
    tags=["API keys"],
    responses=documented(ApiKeyCreated, 409, status=201, headers=("Location",)),
    status_code=201,
)
def create_api_key(body: NewApiKey) -> Response[str]:
    """Create an API key. The response shows it once; the database stores only its hash."""
    with UnitOfWork() as uow:
        key_id, key = api_keys.create(uow, app.credentials, app.caller.id, body.name)
    return created(key, f"/api/v1/api_keys/{key_id}")
