"""Make `docs/openapi.json` from the functions themselves: `python -m docs.openapi`.

Each function's resolver tells of its own route; what all have in common (signing in, bodies,
a database that may be away) is added here, once, and the examples of `docs/examples.py`.
"""

import importlib
import json
from pathlib import Path
from typing import Any, get_type_hints

from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge
from pydantic import BaseModel, create_model

from deploy.serverless_file import DEFAULT_ROUTE, Service
from docs import examples
from shared.http.api import MULTIPART, Api, Who
from shared.http.forms import FIELD
from shared.http.responses import documented
from shared.lists.listing import Listing
from shared.lists.query import FieldType
from shared.operations.catalog import CATALOG

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "openapi.json"
SECURITY_SCHEMES = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "access_token_cookie",
        "description": "Set by POST /login. What is not a GET also needs the X-CSRF-TOKEN header.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, or an API key (rc_…).",
    },
}


def build() -> dict[str, Any]:
    """The OpenAPI 3.1 document of every route that `serverless.yml` declares."""
    merge = OpenAPIMerge(
        title="restcalculator",
        version="1.0.0",
        description="A calculator that charges credit for each operation, one by one or by the million.",
        openapi_version="3.1.0",
        on_conflict="error",
    )
    for route in Service.load(ROOT / "serverless.yml", {}).routes:
        if route.path == DEFAULT_ROUTE:
            continue
        module = importlib.import_module(route.function.handler.rpartition(".")[0].replace("/", "."))
        merge.add_schema(_schema(module.app, _listing_of(module)))
    document = merge.get_openapi_schema()
    document["servers"] = [{"url": "/"}]
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    document["components"]["responses"] = examples.refusals()
    document["components"]["schemas"] = _tidy(document["components"]["schemas"])
    return dict(document)


def _listing_of(module: Any) -> Listing | None:
    return next((value for value in vars(module).values() if isinstance(value, Listing)), None)


def _schema(app: Api, listing: Listing | None) -> dict[str, Any]:
    (route,) = app._static_routes + app._dynamic_routes
    if listing is not None:
        route.responses = documented(_page_model(listing))
        route._dependant = None  # What a request before this made of the other answers.
    document: dict[str, Any] = app.get_openapi_schema(openapi_version="3.1.0").model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    (item,) = document["paths"].values()
    ((method, operation),) = item.items()
    operation["operationId"] = route.func.__name__
    operation["summary"] = (route.func.__doc__ or "").splitlines()[0]
    operation.pop("description", None)
    if listing is not None:
        operation["parameters"] = _list_parameters(listing)
    if app.takes == MULTIPART:
        operation["requestBody"] = _upload_form()
    if "requestBody" in operation and "OperationCall" in json.dumps(operation["requestBody"]):
        document["components"]["schemas"]["OperationCall"]["properties"]["type"]["enum"] = list(CATALOG)
    examples.illustrate(operation, listing)
    _add_common(app, method, operation)
    return document


def _add_common(app: Api, method: str, operation: dict[str, Any]) -> None:
    """Add the refusals, the header and the security that follow from what kind of endpoint it is."""
    answers = operation["responses"]
    own_success = [status for status in answers if status.startswith(("2", "3"))]
    statuses = {status for status in answers if not status.startswith(("2", "3"))}
    takes_input = bool(operation.get("parameters") or operation.get("requestBody"))
    statuses = {status for status in statuses if status != "422" or takes_input} | {"500", "503"}
    if "requestBody" in operation:
        statuses |= {"400", "413", "415", "422"}
    if app.who is not Who.ANYONE:
        statuses |= {"401"}
        operation["security"] = [{"cookie": []}, {"bearer": []}]
        if app.who is Who.ADMIN or method != "get":
            statuses |= {"403"}
        if method != "get":
            operation.setdefault("parameters", []).append(
                _header("X-CSRF-TOKEN", "Needed with the cookie.", {})
            )
    if any("Idempotent-Replayed" in answers[status].get("headers", {}) for status in own_success):
        lengths = {"minLength": 1, "maxLength": 255}
        operation["parameters"].append(_header("Idempotency-Key", "Charge once.", lengths))
    operation["responses"] = {
        **{status: answers[status] for status in own_success},
        **{status: _refusal(status) for status in sorted(statuses)},
    }


def _upload_form() -> dict[str, Any]:
    """The request body of an endpoint that parses its form by itself."""
    file = {"type": "string", "format": "binary", "description": "A CSV of operations."}
    schema = {
        "type": "object",
        "properties": {FIELD: file},
        "required": [FIELD],
        "additionalProperties": False,
    }
    return {"required": True, "content": {MULTIPART: {"schema": schema}}}


def _refusal(status: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{examples.response_name(int(status))}"}


def _header(name: str, description: str, limits: dict[str, int]) -> dict[str, Any]:
    schema = {"type": "string", **limits}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _page_model(listing: Listing) -> type[BaseModel]:
    """The answer of a list; `fields` may leave any member of its rows out."""
    hints = get_type_hints(listing.schema, include_extras=True)
    row: Any = create_model(  # type: ignore[call-overload]
        f"{listing.schema.__name__}Row",
        **{name: (hint | None, None) for name, hint in hints.items()},
    )
    page: Any = create_model(  # type: ignore[call-overload]
        f"{listing.schema.__name__}Page",
        total_pages=(int | None, None),
        total=(int | None, None),
        total_relation=(str | None, None),
        next_cursor=(str | None, ...),
        **{listing.name: (list[row], ...)},
    )
    return page  # type: ignore[no-any-return]


def _list_parameters(listing: Listing) -> list[dict[str, Any]]:
    name = f"({'|'.join(listing.public)})"
    sortable = f"-?({'|'.join(name for name, kind in listing.public.items() if kind.operators)})"
    parameters = [
        _query("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}),
        _query("page_size", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}),
        _query("cursor", {"type": "string"}, "The next_cursor of the page before, in place of a page."),
        _query("fields", _names(name), f"Which members the rows have, of {', '.join(listing.public)}."),
        _query("sort", _names(sortable), "Members to sort by, each with - for descending."),
    ]
    if "deleted_at" in listing.public:
        parameters.append(_query("deleted", {"type": "boolean"}, "For admins: deleted ones too."))
    for name, kind in listing.public.items():
        parameters.append(_query(name, _filter_schema(kind)))
        parameters += [
            _query(
                f"{name}__{operator}",
                {"type": "string"} if operator in ("in", "like") else _filter_schema(kind),
            )
            for operator in kind.operators
        ]
    return parameters


def _filter_schema(kind: FieldType) -> dict[str, Any]:
    """What a filter takes; `null` also, the word, where the field may be empty."""
    schema = _value_schema(kind)
    return (
        {"anyOf": [schema, {"const": "null"}]} if kind.nullable and schema != {"type": "string"} else schema
    )


def _value_schema(kind: FieldType) -> dict[str, Any]:
    if kind.choices:
        return {"type": "string", "enum": list(kind.choices)}
    formats = {"UUID": "uuid", "datetime": "date-time"}
    if (form := formats.get(kind.python.__name__)) is not None:
        return {"type": "string", "format": form}
    return {
        "type": {"int": "integer", "Decimal": "number", "float": "number"}.get(kind.python.__name__, "string")
    }


def _names(name: str) -> dict[str, str]:
    """Names that follow this pattern, with commas between."""
    return {"type": "string", "pattern": f"^{name}(,{name})*$"}


def _query(name: str, schema: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    parameter = {"name": name, "in": "query", "required": False, "schema": schema}
    return parameter | ({"description": description} if description else {})


def _tidy(schemas: dict[str, Any]) -> dict[str, Any]:
    """Only what is referred to: Powertools adds its own validation errors, which we do not send."""
    own = {"HTTPValidationError", "ValidationError", "ResponseValidationError"}
    return {name: schema for name, schema in sorted(schemas.items()) if name not in own}


if __name__ == "__main__":
    DOCUMENT.write_text(json.dumps(build(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
