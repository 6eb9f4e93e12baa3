"""The routes in serverless.yml, each with its operation in the OpenAPI document."""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from deploy.environment import ROOT
from deploy.serverless_file import DEFAULT_ROUTE, Service
from docs import list_schemas

SERVICE = Service.load(ROOT / "serverless.yml", {})
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))


@dataclass(frozen=True)
class Declared:
    """A route and its operation in the OpenAPI document."""

    method: str
    path: str
    operation: dict[str, Any] = field(repr=False, hash=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def concrete(self, value: str | None = None) -> str:
        """Return the path with every parameter replaced by `value`, or by an unused id."""
        return re.sub(r"\{\w+\}", lambda _: str(uuid4()) if value is None else value, self.path)

    @property
    def has_parameter(self) -> bool:
        return "{" in self.path

    @property
    def needs_sign_in(self) -> bool:
        """Whether a request without an access token or API key returns 401."""
        accepted = self.operation.get("security", [])
        return {"cookie": []} in accepted and {} not in accepted

    @property
    def query_parameters(self) -> dict[str, dict[str, Any]]:
        """Return the schemas of the query parameters by name, without the `null` of nullable filters.

        The document describes the operators of a list's fields as one parameter. Here each has its own.
        """
        parameters = [p for p in self.operation.get("parameters", []) if p["in"] == "query"]
        listing = list_schemas.listing_of(self.operation)
        if listing is not None:
            parameters = [p for p in parameters if p["name"] != "filters"]
            parameters += list_schemas.operator_parameters(listing)
        return {p["name"]: resolved(p["schema"].get("anyOf", [p["schema"]])[0]) for p in parameters}

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """Return the schema of the JSON body, or None for a route without one."""
        content = self.operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return None
        return resolved(content["application/json"]["schema"])

    @property
    def needs_body(self) -> bool:
        return bool(self.operation["requestBody"].get("required"))

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        return {name: resolved(schema) for name, schema in (self.schema or {}).get("properties", {}).items()}

    def body(self) -> Any:
        """Return a body that the schema allows. Its ids do not exist."""
        return {name: example(schema) for name, schema in self.fields.items()}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Resolve the reference of a schema, and mark an optional one as nullable."""
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        (inner,) = (kind for kind in schema["anyOf"] if kind.get("type") != "null")
        return {**resolved(inner), "nullable": True}
    return schema


def example(schema: dict[str, Any]) -> Any:
    """Return a value that a field's schema allows."""
    schema = resolved(schema)
    if "enum" in schema:
        return schema["enum"][0]
    if "examples" in schema:
        return schema["examples"][0]
    match schema.get("type"), schema.get("format"):
        case "string", "uuid":
            return str(UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000))
        case "string", "date-time":
            return "2126-11-23T07:00:00Z"
        case "string", _:
            return "abcdefg1!"[: schema.get("maxLength", 9)].ljust(schema.get("minLength", 1), "x")
        case (("number" | "integer"), _):
            return 1
        case "boolean", _:
            return False
        case "array", _:
            return [example(schema["items"])] * (1 if schema.get("uniqueItems") else 2)
        case "object", _:
            return {name: example(member) for name, member in schema.get("properties", {}).items()}
        case _:
            return "anything"


def _declared() -> list[Declared]:
    routes = [route for route in SERVICE.routes if route.path != DEFAULT_ROUTE]
    return [Declared(r.method, r.path, DOCUMENT["paths"][r.path][r.method.lower()]) for r in routes]


OPERATIONS = _declared()
SIGNED_IN = [route for route in OPERATIONS if route.needs_sign_in]
WITH_JSON = [route for route in OPERATIONS if route.schema is not None]
WITH_PARAMETER = [route for route in OPERATIONS if route.has_parameter]
LISTS = [route for route in OPERATIONS if "page_size" in route.query_parameters]
