"""What the OpenAPI document demands of the Python client: its methods, their parameters and its models."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from tests.support.declared_routes import DOCUMENT, OPERATIONS, Declared, example

OPERATION_IDS = {operation.operation["operationId"]: operation for operation in OPERATIONS}
ELSEWHERE = {
    "X-CSRF-TOKEN": "the client sends bearer tokens, which need none",
    "Prefer": "the client parses all digits of money",
    "page": "a parameter of Rows.page",
    "cursor": "a parameter of Rows.page",
    "token": "the client takes the tokens from the cookies, to refresh them",
}
"""Documented parameters that the methods do not have, and why."""
NAMES = {"from": "from_", "Idempotency-Key": "idempotency_key"}
LIST_OPTIONS = {"page_size", "fields", "sort", "search", "deleted"}
"""Parameters of lists that are no filters."""


def method_name(operation_id: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", operation_id).lower()


def lists(operation: Declared) -> bool:
    """Return whether the operation returns pages of rows."""
    return operation.operation["operationId"].startswith("list")


def parameters(operation: Declared) -> dict[str, bool]:
    """Return the parameters that the method must have, and whether they are required."""
    if operation.operation["operationId"] == "processCsv":
        return {"content": True, "filename": False, "idempotency_key": False}
    documented = operation.operation.get("parameters", [])
    in_path = {p["name"] for p in documented if p["in"] == "path"}
    found = {p["name"]: p["name"] in in_path for p in documented}
    if lists(operation):
        found = {name: needed for name, needed in found.items() if needed or name in LIST_OPTIONS}
    schema = operation.schema or {}
    # A body with one optional member, without which there is no change.
    needed = (
        operation.fields
        if schema.get("minProperties") == len(operation.fields)
        else schema.get("required", ())
    )
    found |= {name: name in needed for name in operation.fields}
    return {NAMES.get(name, name): required for name, required in found.items() if name not in ELSEWHERE}


def parameters_of(method: Any) -> dict[str, bool]:
    """Return the parameters that a method has, without `self` and filters, and whether they are required."""
    named = list(inspect.signature(method).parameters.values())
    return {
        one.name: one.default is one.empty
        for one in named
        if one.name != "self" and one.kind is not one.VAR_KEYWORD
    }


def responses(operation: Declared) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the status, media type and schema of each documented success."""
    for status, response in operation.operation["responses"].items():
        if status < "300":
            for media_type, content in (response.get("content") or {"": {}}).items():
                yield int(status), media_type, content.get("schema", {})


def response_schemas() -> dict[str, dict[str, Any]]:
    """Return all named schemas of successes, except those of pages."""
    found = dict[str, dict[str, Any]]()

    def walk(schema: Any) -> None:
        if isinstance(schema, dict):
            name = schema.get("$ref", "").rpartition("/")[2]
            if name and name not in found:
                found[name] = DOCUMENT["components"]["schemas"][name]
                walk(found[name])
            for member in schema.values():
                walk(member)
        elif isinstance(schema, list):
            for member in schema:
                walk(member)

    for operation in OPERATIONS:
        for *_, schema in responses(operation):
            walk(schema)
    return {name: schema for name, schema in found.items() if not name.endswith("Page")}


def instance(schema: dict[str, Any]) -> Any:
    """Return a value that a schema of a response allows, with all members and without a further page."""
    if "$ref" in schema:
        return instance(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "const" in schema:
        return schema["const"]
    if schema.get("type") == "array":
        return [instance(schema["items"])]
    if schema.get("type") == "object":
        members = schema.get("properties", {})
        return {name: None if name == "next_cursor" else instance(member) for name, member in members.items()}
    return instance(schema["anyOf"][0]) if "anyOf" in schema else example(schema)
