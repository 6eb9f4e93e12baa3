"""POST /api/v1/api_keys: a key that signs in a program."""

from aws_lambda_powertools.event_handler import Response

from shared import auth
from shared.answers import created, documented
from shared.app import Api, Who
from shared.ids import uuid7
from shared.requests import NewApiKey
from shared.resources import ApiKeyCreated
from shared.unit_of_work import UnitOfWork

app = Api(who=Who.SIGNED_IN)


@app.post(
    "/api/v1/api_keys",
    tags=["API keys"],
    responses=documented(ApiKeyCreated, status=201, headers=("Location",)),
    status_code=201,
)
def create_api_key(body: NewApiKey) -> Response[str]:
    """The key is shown this once; only its hash is kept."""
    key_id = uuid7()
    key, key_hash = auth.new_api_key()
    with UnitOfWork() as uow:
        row = uow.only(
            "create_api_key", id=key_id, user_id=app.caller.id, name=body.name, key_hash=key_hash, key=key
        )
    return created(row["body"], f"/api/v1/api_keys/{key_id}")
