"""The minimum of a function with sign-in: routes with validation, tokens, Postgres."""

import jwt
import pg8000.native
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

handler = APIGatewayHttpResolver(enable_validation=True)


@handler.get("/lean/<id>")
def lean(id: str) -> dict[str, str]:
    return {"id": id, "jwt": jwt.__version__, "pg8000": pg8000.__version__}
