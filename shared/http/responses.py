"""Make the responses of endpoints, and declare them for the OpenAPI document."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from shared import exact_json
from shared.http.problems import meaning

if TYPE_CHECKING:
    from shared.lists.listing import Listing

JSON = "application/json"


def ok(body: str, *, headers: Mapping[str, str] | None = None, status: int = 200) -> Response[str]:
    """Return a response whose body is already JSON text."""
    return Response(status, JSON, body, dict(headers or {}))


def created(body: str, collection: str, *, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Return 201 with the created object. `collection` is the URL path of the objects of its kind."""
    return ok(body, status=201, headers={"Location": location(body, collection), **(headers or {})})


def location(body: str, collection: str) -> str:
    """Return the URL path of an object, whose JSON has an `id`."""
    return f"{collection}/{json.loads(body)['id']}"


def no_content() -> Response[str]:
    """Return 204 with an empty body."""
    return Response(204, None, "")


def binary(content: bytes, content_type: str, headers: Mapping[str, str], status: int = 200) -> Response[str]:
    """Return a response of any bytes: the body is base64, which API Gateway decodes."""
    response = Response(status, content_type, base64.b64encode(content).decode("ascii"), dict(headers))
    response.base64_encoded = True
    return response


def done(message: str, *, cookies: Any = (), **members: Any) -> Response[str]:
    """Return 200 with a message, for an operation that returns no object."""
    body = exact_json.dumps({"status": "success", "message": message, **members})
    return Response(200, JSON, body, cookies=list(cookies))


def documented(
    model: str | None,
    *problems: int,
    description: str,
    status: int = 200,
    headers: tuple[str, ...] = (),
) -> dict[int, Any]:
    """Declare an endpoint's responses, for the OpenAPI document.

    Args:
        model: the name in `shared/schemas/responses.py` of the success's body, or None for an empty one.
            Functions do not import that module, because its models take a twentieth of a cold start.
        problems: the statuses of the endpoint's own errors. `docs/openapi.py` adds those of sign-in, of
            request bodies and of the database.
        description: what the success returns.
        status: of the success.
        headers: of the success.
    """
    success: dict[str, Any] = {
        "description": description,
        "content": {JSON: {"model": model}} if model else {},
    }
    if headers:
        success["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return {status: success, **_documented_problems(problems)}


def documented_list(listing: "Listing", *problems: int, description: str) -> dict[int, Any]:
    """Declare the responses of a list, for the OpenAPI document. The arguments are as for `documented`.

    The schema is a reference: `docs/openapi.py` builds the page's model, which no function needs.
    """
    schema = {"$ref": f"#/components/schemas/{page_name(listing)}"}
    success = {"description": description, "content": {JSON: {"schema": schema}}}
    return {200: success, **_documented_problems(problems)}


def _documented_problems(statuses: Iterable[int]) -> dict[int, Any]:
    # Only their statuses: `docs/openapi.py` replaces each problem by the response that all endpoints share.
    return {status: {"description": meaning(status)} for status in statuses}


def page_name(listing: "Listing") -> str:
    """Return the name of the schema of one page of a list."""
    return f"{listing.schema.__name__}Page"
