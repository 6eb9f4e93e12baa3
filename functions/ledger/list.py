"""GET /api/v1/ledger: the statement."""

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import ok
from shared.lists.registry import LEDGER

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/ledger", tags=["ledger"])
def list_ledger() -> Response[str]:
    """One's own movements of money; everybody's for an admin."""
    with UnitOfWork() as uow:
        return ok(LEDGER.page(uow, app.query_string, app.caller))
