"""The models have the fields, types and values that the OpenAPI document declares."""

from datetime import datetime
from decimal import Decimal
from typing import Any, get_type_hints
from uuid import UUID

import msgspec
import pytest

from restcalc import models, problems
from tests.support.declared_routes import DOCUMENT
from tests.support.documented_client import response_schemas

ALL_SCHEMAS = DOCUMENT["components"]["schemas"]
BUILT_IN = {"Credits": Decimal, "AuditedFields": dict[str, Any], "Done": None}
"""Schemas without a model of their own. A method whose success is `Done` returns None."""
SCHEMAS = {name: schema for name, schema in response_schemas().items() if name not in BUILT_IN}
NULL = {"type": "null"}
NUMBER_OR_TEXT = [{"type": "number"}, {"type": "string"}]


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if "enum" in schema])
def test_enum_has_the_documented_values(name: str) -> None:
    assert [member.value for member in model(name)] == SCHEMAS[name]["enum"]


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if "enum" not in schema])
def test_model_has_the_documented_fields(name: str) -> None:
    members, kind = SCHEMAS[name]["properties"], model(name)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    types = get_type_hints(kind)
    assert fields.keys() == members.keys()
    for member, schema in members.items():
        optional = member not in required(name)
        assert types[fields[member].name] == python_type(schema, optional=optional), member
        assert (fields[member].default is not msgspec.NODEFAULT) == optional, member


def test_a_problem_has_the_documented_members() -> None:
    schemas = ("Problem", "CreditProblem", "InputProblem")
    documented = set().union(*(ALL_SCHEMAS[name]["properties"] for name in schemas))
    fields = {field.name for field in msgspec.structs.fields(problems.Problem)}
    assert fields == documented - {"status"} | {"message"}  # the last one is API Gateway's


def test_an_unknown_member_is_ignored_and_an_unknown_value_is_kept() -> None:
    """The service may be newer than the client."""
    text = (
        b'{"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "by": "week", "usage": [], "new": 1}'
    )
    usage = msgspec.json.decode(text, type=models.Usage)
    assert usage.by == usage.by.value == "week"
    assert usage.by not in list(models.UsagePeriod)


def model(schema: str) -> Any:
    """Return the model of a schema. The rows of a list have that of the resource."""
    return getattr(models, schema.removesuffix("Row"))


def required(name: str) -> set[str]:
    """Return the members that are always present. Those of rows depend on `fields`."""
    resource = ALL_SCHEMAS.get(name.removesuffix("Row"), {"required": ALL_SCHEMAS[name]["properties"]})
    return set(resource.get("required", ()))


def python_type(schema: dict[str, Any], *, optional: bool = False) -> Any:
    """Return the type of a member of a response."""
    kinds = schema.get("anyOf", [schema])
    if kinds == NUMBER_OR_TEXT:
        return Any  # at run time; Decimal | str for the type checker
    (kind,) = (kind for kind in kinds if kind != NULL)
    found = type_of(kind)
    return found | None if optional or NULL in kinds else found


def type_of(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return BUILT_IN[name] if name in BUILT_IN else model(name)
    match schema.get("type"), schema.get("format"):
        case "array", None:
            return list[type_of(schema["items"])]  # type: ignore[misc]
        case "object", None:
            values = schema["additionalProperties"]
            return dict[str, Any] if values is True else dict[str, type_of(values)]  # type: ignore[misc]
        case kind:
            return {
                ("string", None): str,
                ("string", "uuid"): UUID,
                ("string", "date-time"): datetime,
                ("integer", None): int,
                ("number", None): float,
                ("boolean", None): bool,
                (None, None): Any,
            }[kind]
