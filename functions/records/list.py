"""GET /api/v1/records: the history of calls."""

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api, Who
from shared.http.responses import ok
from shared.lists.registry import RECORDS

app = Api(who=Who.SIGNED_IN)


@app.get("/api/v1/records", tags=["records"])
def list_records() -> Response[str]:
    """One's own calls; everybody's for an admin."""
    with UnitOfWork() as uow:
        return ok(RECORDS.page(uow, app.query_string, app.caller))
