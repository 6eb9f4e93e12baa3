"""GET /api/v1/usage: return the usage by period and operation."""

from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from shared.billing import usage
from shared.http.api import Access, Api
from shared.http.responses import documented, ok
from shared.schemas.field_types import Time, UsagePeriod

# The default of a parameter that the query omits. Its type is not optional, because a query can't send null.
LEFT_OUT: Any = None

app = Api(access=Access.SIGNED_IN)


@app.get(
    "/api/v1/usage",
    tags=["usage"],
    summary="Get the usage by period and operation.",
    description=(
        "Returns how often each operation was called, singly and as rows of files, and the credits spent on "
        "it: the ledger's charges less refunds. Periods without usage are left out. A client sees their own; "
        f"an admin sees the sums of all users, or of one. At most {usage.PERIODS_LIMIT:,} periods, and "
        f"{usage.ROWS_LIMIT:,} combinations of user, hour and operation (422)."
    ),
    operation_id="getUsage",
    responses=documented("Usage", 404, description="The usage, the oldest period first."),
)
def get_usage(
    start: Annotated[
        Time, Query(alias="from", description="First hour. By default, 30 days before `to`.")
    ] = LEFT_OUT,
    end: Annotated[
        Time, Query(alias="to", description="End, exclusive. By default, the end of the current day in UTC.")
    ] = LEFT_OUT,
    by: Annotated[UsagePeriod, Query(description="The period, in UTC.")] = "day",
    user_id: Annotated[UUID, Query(description="One user. Only admins may name another user.")] = LEFT_OUT,
) -> Response[str]:
    app.reject_unknown_query("from", "to", "by", "user_id")
    return ok(usage.read(app.caller, start, end, by, user_id))
