"""Write `docs/openapi.json` from the endpoints' declarations: `python -m docs.openapi`.

Each endpoint declares its summary, description and responses. This module adds the parts that endpoints
share: security, headers, the errors of sign-in, bodies and the database, and the examples of
`docs/examples.py`.
"""

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge
from aws_lambda_powertools.event_handler.openapi.models import Contact, License

from deploy.serverless_file import DEFAULT_ROUTE, Service
from docs import examples, list_schemas, webhook_events
from shared.http.api import MULTIPART, Access, Api
from shared.http.forms import FIELD
from shared.http.money import PREFERENCE
from shared.operations.catalog import CATALOG
from shared.schemas import responses as models

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "openapi.json"
SECURITY_SCHEMES = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "access_token_cookie",
        "description": "Set by POST /login. Requests other than GET also need the X-CSRF-TOKEN header.",
    },
    "refresh_cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "refresh_token_cookie",
        "description": "Set by POST /login. Needs the X-CSRF-TOKEN header too.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, or an API key (rc_…).",
    },
}
CSRF_HEADER = "The csrf_token of the sign-in. Required with a cookie."
PREFER = (
    "`money=string` makes each amount of credits in the response a decimal string, so that parsers that read "
    "numbers as doubles lose no digits."
)
IDEMPOTENCY_KEY = (
    "A key of your choice. A retry with the same key is not executed again and returns the first response."
)


def version() -> str:
    """Return the project's version from `pyproject.toml`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def build() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all routes that `serverless.yml` declares."""
    merge = OpenAPIMerge(
        title="restcalculator",
        version=version(),
        description="A calculator that charges credit for each operation, one by one or by the million.",
        openapi_version="3.1.0",
        license_info=License(name="MIT", identifier="MIT"),
        contact=Contact(name="The maintainers, through the issues of the repository"),
        on_conflict="error",
    )
    for route in Service.load(ROOT / "serverless.yml", {}).routes:
        if route.path == DEFAULT_ROUTE:
            continue
        module = importlib.import_module(route.function.handler.rpartition(".")[0].replace("/", "."))
        merge.add_schema(_schema(module.app))
    document = merge.get_openapi_schema()
    document["servers"] = [{"url": "/"}]
    components = document["components"]
    components["securitySchemes"] = SECURITY_SCHEMES
    components["responses"] = examples.problems_by_status()
    document["webhooks"] = webhook_events.webhooks()
    components["schemas"] = _own(
        webhook_events.schemas() | components["schemas"] | list_schemas.pages() | examples.problem_schemas()
    )
    components["schemas"]["OperationType"]["x-operations"] = _operations()
    for item in document["paths"].values():
        for operation in item.values():
            _add_money_preference(operation, components["schemas"])
    return dict(document)


def _schema(app: Api) -> dict[str, Any]:
    """Return the OpenAPI document of one endpoint."""
    document: dict[str, Any] = (
        _described(app)
        .get_openapi_schema(openapi_version="3.1.0", security_schemes=SECURITY_SCHEMES)
        .model_dump(by_alias=True, exclude_none=True, mode="json")
    )
    document["components"].pop("securitySchemes")
    (item,) = document["paths"].values()
    ((method, operation),) = item.items()
    listing = list_schemas.listing_of(operation)
    if listing is not None:
        in_path = [one for one in operation.get("parameters", []) if one["in"] == "path"]
        operation["parameters"] = in_path + list_schemas.parameters(listing)
    if app.media_type == MULTIPART:
        operation["requestBody"] = _upload_form()
    for parameter in operation.get("parameters", []):
        parameter["schema"].pop("title", None)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        # The default of an optional body has null for each member, which differs from a missing member.
        content["schema"].pop("default", None)
    examples.illustrate(operation)
    _add_common(app, method, operation)
    return document


def _described(app: Api) -> APIGatewayHttpResolver:
    """Return a resolver with the endpoint, and with the models of its responses instead of their names."""
    resolver = APIGatewayHttpResolver(enable_validation=True)
    responses = {
        status: _with_model(response) for status, response in (app.declared.get("responses") or {}).items()
    }
    resolver.route(**{**app.declared, "responses": responses})(app.function)
    return resolver


def _with_model(response: dict[str, Any]) -> dict[str, Any]:
    contents = {
        media_type: {**content, "model": getattr(models, content["model"])} if "model" in content else content
        for media_type, content in response.get("content", {}).items()
    }
    return {**response, "content": contents} if contents else response


def _add_common(app: Api, method: str, operation: dict[str, Any]) -> None:
    """Add the errors, the header and the security that follow from the kind of endpoint."""
    responses = operation["responses"]
    own_success = [status for status in responses if status.startswith(("2", "3"))]
    statuses = {status for status in responses if not status.startswith(("2", "3"))}
    takes_input = bool(operation.get("parameters") or operation.get("requestBody"))
    statuses = {status for status in statuses if status != "422" or takes_input} | {"500", "503"}
    if "requestBody" in operation:
        statuses |= {"400", "413", "415", "422"}
    if app.access is not Access.ANYONE:
        statuses |= {"401", "403"}
        operation["security"] = [{"cookie": []}, {"bearer": []}]
        operation["description"] += " " + _key_rule(app, method)
    if "security" in operation and method != "get":
        operation.setdefault("parameters", []).append(_header("X-CSRF-TOKEN", CSRF_HEADER, {}))
    if app.idempotent:
        lengths = {"minLength": 1, "maxLength": 255}
        operation["parameters"].append(_header("Idempotency-Key", IDEMPOTENCY_KEY, lengths))
        statuses |= {"409"}
    operation["responses"] = {
        **{status: responses[status] for status in own_success},
        **{status: _problem(status) for status in sorted(statuses)},
    }


def _key_rule(app: Api, method: str) -> str:
    """Return the sentence on the API keys that an endpoint accepts."""
    if app.access is Access.OWN_KEY:
        return "An API key needs no scope, and is accepted only for itself."
    scope = app.required_scope(method.upper())
    return f"An API key needs the scope `{scope}`." if scope else "API keys are not accepted."


def _add_money_preference(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Declare the header that asks for money as strings, if a successful response has money."""
    for response in operation["responses"].values():
        if _has_money(response.get("content", {}), schemas):
            operation.setdefault("parameters", []).append(_header("Prefer", PREFER, {}, PREFERENCE))
            applied = {"schema": {"type": "string"}, "example": PREFERENCE}
            response.setdefault("headers", {})["Preference-Applied"] = applied
            return


def _has_money(schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a schema refers to Credits, directly or through other schemas."""
    names = list_schemas.references(schema)
    return "Credits" in names or any(_has_money(schemas[name], schemas) for name in names)


def _upload_form() -> dict[str, Any]:
    """Return the request body of an endpoint that parses its form itself."""
    file = {
        "type": "string",
        "format": "binary",
        "contentMediaType": "text/csv",
        "description": "A CSV file of operations.",
    }
    schema = {
        "type": "object",
        "properties": {FIELD: file},
        "required": [FIELD],
        "additionalProperties": False,
    }
    return {"required": True, "content": {MULTIPART: {"schema": schema}}}


def _operations() -> list[dict[str, Any]]:
    """Return what a form for a call needs to know of each operation."""
    return [
        {
            "type": name,
            "summary": operation.summary,
            "minArguments": operation.min_arguments,
            "maxArguments": operation.max_arguments,
        }
        for name, operation in CATALOG.items()
    ]


def _problem(status: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{examples.response_name(int(status))}"}


def _header(name: str, description: str, limits: dict[str, int], example: str = "") -> dict[str, Any]:
    schema = {"type": "string", **limits} | ({"examples": [example]} if example else {})
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _own(schemas: dict[str, Any]) -> dict[str, Any]:
    """Drop the schemas of Powertools' own validation errors, which the API never sends; sort the others.

    Drop the titles of members too, which Pydantic derives from their names.
    """
    powertools = {"HTTPValidationError", "ValidationError", "ResponseValidationError"}
    for schema in schemas.values():
        for member in schema.get("properties", {}).values():
            member.pop("title", None)
    return {name: schema for name, schema in sorted(schemas.items()) if name not in powertools}


if __name__ == "__main__":
    DOCUMENT.write_text(json.dumps(build(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
