"""GET /health: whether the service and its database are well."""

import json

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.http.api import Api
from shared.http.responses import documented, ok
from shared.schemas.responses import Health

app = Api()


@app.get("/health", tags=["docs"], responses=documented(Health, 503))
def health() -> Response[str]:
    """503 when the database can't be reached."""
    with UnitOfWork() as uow:
        uow.all("health")
    return ok(json.dumps({"status": "ok", "database": "ok"}))
