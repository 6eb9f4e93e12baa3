"""DELETE /api/v1/operations/{id}: an operation without a price can't be called."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared.database.unit_of_work import UnitOfWork
from shared.errors import NotFound
from shared.http.api import Api, Who
from shared.http.responses import documented, done
from shared.schemas.responses import Done

app = Api(who=Who.ADMIN)


@app.delete("/api/v1/operations/<id>", tags=["operations"], responses=documented(Done, 404))
def delete_operation(id: UUID) -> Response[str]:
    """The records of its calls stay."""
    with UnitOfWork() as uow:
        if uow.one("delete_operation", id=id) is None:
            raise NotFound("There is no such operation.")
    return done("The operation is deleted.")
