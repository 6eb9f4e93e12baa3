"""GET /health: check the service and its database."""

from aws_lambda_powertools.event_handler import Response

from shared import database, exact_json
from shared.http.api import Api
from shared.http.responses import documented, ok

app = Api()


@app.get(
    "/health",
    tags=["docs"],
    summary="Check the health of the service.",
    description="Runs one statement in the database. Returns 503 if the database can't be reached.",
    operation_id="getHealth",
    responses=documented("Health", 503, description="The service and its database work."),
)
def health() -> Response[str]:
    database.run("health")
    return ok(exact_json.dumps({"status": "ok", "database": "ok"}))
