"""DELETE /api/v1/sessions/{id}: end a session."""

from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import database
from shared.errors import NotFound
from shared.http.api import Access, Api
from shared.http.responses import documented, done

app = Api(access=Access.SESSION)


@app.delete(
    "/api/v1/sessions/<id>",
    tags=["sign-in"],
    summary="End a session.",
    description=(
        "Signs one of your devices out: the next request with its tokens returns 401. The session of another "
        "user, or one that has ended, is not found (404). To delete your own cookies too, use `POST /logout`."
    ),
    operation_id="endSession",
    responses=documented("Done", 404, description="The session has ended."),
)
def end_session(id: UUID) -> Response[str]:
    if database.one("end_session", id=id, user_id=app.caller.id) is None:
        raise NotFound("There is no such session.")
    return done("The session has ended.")
