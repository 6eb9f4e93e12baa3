"""The OpenAPI schemas of the API's lists: the query parameters and the pages."""

from typing import Any, get_args

from aws_lambda_powertools.event_handler.openapi.models import Schema
from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from shared.http.responses import page_name
from shared.lists.listing import Listing
from shared.lists.registry import LISTS
from shared.schemas.field_types import TotalRelation

SEARCH = (
    "Text that the operation's name, the arguments or the result contains, in any case. A page may have"
    " fewer rows than page_size and still a next_cursor: each search examines a limited number of rows."
)
SCHEMAS = "#/components/schemas/"
BY_PAGE = {page_name(listing): listing for listing in LISTS}
FILTERS = (
    "Conditions on fields: the name of a field, `__` and an operator. `gte`, `lte`, `gt` and `lt` compare "
    "numbers, times and texts. `in` takes up to 100 values, separated by commas. `like` matches a text with "
    "the wildcards `%` and `_`. Each condition is a query parameter of its own, such as `amount__gte=5` or "
    "`type__in=addition,division`. All conditions must match. An unknown field or operator returns 422."
)


def listing_of(operation: dict[str, Any]) -> Listing | None:
    """Return the list that an operation's response refers to, or None if it is not a list."""
    content = operation["responses"].get("200", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return BY_PAGE.get(reference.rpartition("/")[2])


def pages() -> dict[str, Any]:
    """Return the schemas of all pages and of the rows in them, by name."""
    schemas = dict[str, Any]()
    for name, listing in BY_PAGE.items():
        schemas |= schemas_of(listing.schema)
        row = f"{listing.schema.__name__}Row"
        schemas[row] = {**schemas.pop(listing.schema.__name__), "title": row}
        # All members of a row are optional, because `fields` selects them.
        schemas[row].pop("required")
        schemas |= schemas_of(_Page)
        page = schemas.pop("_Page")
        rows = {"type": "array", "items": {"$ref": f"{SCHEMAS}{row}"}}
        schemas[name] = {
            **page,
            "title": name,
            "properties": {**page["properties"], listing.name: rows},
            "required": [*page["required"], listing.name],
        }
    return schemas


class _Page(BaseModel):
    """One page of a list."""

    total_pages: int = Field(default=None, description="Left out with `cursor`.")
    total: int = Field(
        default=None, description="The number of matching rows, or a lower bound. Left out with `cursor`."
    )
    total_relation: TotalRelation = Field(
        default=None, description="Whether `total` is exact or a lower bound."
    )
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


def schemas_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model and of all models in it, by name.

    Like Powertools, omit `default: null`, because a missing member is not null.
    """
    schema = model.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")
    schemas = {**schema.pop("$defs", {}), model.__name__: schema}
    return {
        name: Schema.model_validate(one).model_dump(by_alias=True, exclude_none=True, mode="json")
        for name, one in schemas.items()
    }


def references(part: Any) -> set[str]:
    """Return the names of the schemas to which a part of the document refers, such as a schema or a body."""
    if isinstance(part, list):
        return {name for item in part for name in references(item)}
    if not isinstance(part, dict):
        return set()
    target = str(part.get("$ref", ""))
    own = {target.removeprefix(SCHEMAS)} if target.startswith(SCHEMAS) else set()
    return own.union(*map(references, part.values()))


def parameters(listing: Listing) -> list[dict[str, Any]]:
    """Return the query parameters of a list."""
    name = f"({'|'.join(listing.public)})"
    sortable = f"-?({'|'.join(name for name, kind in listing.public.items() if kind.operators)})"
    declared = [
        _query("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1}),
        _query("page_size", {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}),
        _query(
            "cursor", {"type": "string"}, "The next_cursor of the previous page. Do not combine it with page."
        ),
        _query(
            "fields", _names(name), f"The members of each row. Possible members: {', '.join(listing.public)}."
        ),
        _query("sort", _names(sortable), "The members to sort by. A leading - sorts in descending order."),
    ]
    if listing.has_search:
        declared.append(_query("search", {"type": "string", "minLength": 1, "maxLength": 200}, SEARCH))
    if "deleted_at" in listing.public:
        declared.append(_query("deleted", {"type": "boolean"}, "Include deleted rows. For admins only."))
    declared += [_query(name, _filter_schema(listing, name)) for name in listing.public]
    return [*declared, _conditions(listing)]


def operator_parameters(listing: Listing) -> list[dict[str, Any]]:
    """Return a parameter for each operator of each field, which the document describes as one: `filters`."""
    return [
        _query(
            f"{name}__{operator}",
            {"type": "string"} if operator in ("in", "like") else _value_schema(listing, name),
        )
        for name, kind in listing.public.items()
        for operator in kind.operators
    ]


def _conditions(listing: Listing) -> dict[str, Any]:
    """Return the parameter that describes the operators of all fields. Its members are query parameters."""
    by_operators: dict[tuple[str, ...], list[str]] = {}
    for name, kind in listing.public.items():
        if kind.operators:
            by_operators.setdefault(kind.operators, []).append(name)
    allowed = "|".join(
        f"({'|'.join(names)})__({'|'.join(operators)})" for operators, names in by_operators.items()
    )
    schema = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "propertyNames": {"pattern": f"^({allowed})$"},
    }
    return {**_query("filters", schema, FILTERS), "style": "form", "explode": True}


def _filter_schema(listing: Listing, name: str) -> dict[str, Any]:
    """Return the schema of a filter. A nullable field also accepts the word `null`."""
    schema = _value_schema(listing, name)
    nullable = listing.public[name].nullable and schema != {"type": "string"}
    return {"anyOf": [schema, {"const": "null"}]} if nullable else schema


def _value_schema(listing: Listing, name: str) -> dict[str, Any]:
    kind = listing.public[name]
    if kind.choices:
        return _choices(listing, name)
    formats = {"UUID": "uuid", "datetime": "date-time"}
    if (form := formats.get(kind.python.__name__)) is not None:
        return {"type": "string", "format": form}
    types = {"int": "integer", "Decimal": "number", "float": "number", "bool": "boolean"}
    return {"type": types.get(kind.python.__name__, "string")}


def _choices(listing: Listing, name: str) -> dict[str, Any]:
    """Return the reference to the schema of a field's enum, or the schema of a boolean."""
    annotation = listing.schema.model_fields[name].annotation
    named = [one for one in (annotation, *get_args(annotation)) if isinstance(one, TypeAliasType)]
    return {"$ref": f"{SCHEMAS}{named[0]}"} if named else {"type": "boolean"}


def _names(name: str) -> dict[str, str]:
    """Return the schema of a comma-separated list of names that match the pattern."""
    return {"type": "string", "pattern": f"^{name}(,{name})*$"}


def _query(name: str, schema: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    parameter = {"name": name, "in": "query", "required": False, "schema": schema}
    return parameter | ({"description": description} if description else {})
