"""GET /api/v1/api_keys: the keys that are good."""

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import ok
from shared.lists.registry import API_KEYS

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/api_keys", tags=["API keys"])
def list_api_keys() -> Response[str]:
    """One's own keys, without their secrets."""
    with UnitOfWork() as uow:
        return ok(API_KEYS.page(uow, app.query_string, app.caller))
