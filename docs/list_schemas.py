"""The OpenAPI schemas of the API's lists: the query parameters and the pages."""

from typing import Any, get_type_hints

from aws_lambda_powertools.event_handler.openapi.models import Schema
from pydantic import BaseModel, create_model

from shared.http.responses import page_name
from shared.lists.listing import Listing
from shared.lists.query import FieldType
from shared.lists.registry import LISTS

SEARCH = (
    "Text that the operation's name, the arguments or the result contains, in any case. A page may have"
    " fewer rows than page_size and still a next_cursor: each search examines a limited number of rows."
)
BY_PAGE = {page_name(listing): listing for listing in LISTS}


def listing_of(operation: dict[str, Any]) -> Listing | None:
    """Return the list that an operation's response refers to, or None if it is not a list."""
    content = operation["responses"].get("200", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return BY_PAGE.get(reference.rpartition("/")[2])


def pages() -> dict[str, Any]:
    """Return the schemas of all pages and of the rows in them, by name."""
    schemas = dict[str, Any]()
    for name, listing in BY_PAGE.items():
        schema = _page_model(listing).model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs") | {name: schema}
    # Like Powertools, omit `default: null`, because a missing member is not null.
    return {
        name: Schema.model_validate(schema).model_dump(by_alias=True, exclude_none=True, mode="json")
        for name, schema in schemas.items()
    }


def _page_model(listing: Listing) -> type[BaseModel]:
    """Return the model of one page. All members of a row are optional, because `fields` selects them."""
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
    if listing.contains is not None:
        declared.append(_query("search", {"type": "string", "minLength": 1, "maxLength": 200}, SEARCH))
    if "deleted_at" in listing.public:
        declared.append(_query("deleted", {"type": "boolean"}, "Include deleted rows. For admins only."))
    for name, kind in listing.public.items():
        declared.append(_query(name, _filter_schema(kind)))
        declared += [
            _query(
                f"{name}__{operator}",
                {"type": "string"} if operator in ("in", "like") else _filter_schema(kind),
            )
            for operator in kind.operators
        ]
    return declared


def _filter_schema(kind: FieldType) -> dict[str, Any]:
    """Return the schema of a filter. A nullable field also accepts the word `null`."""
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
    """Return the schema of a comma-separated list of names that match the pattern."""
    return {"type": "string", "pattern": f"^{name}(,{name})*$"}


def _query(name: str, schema: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    parameter = {"name": name, "in": "query", "required": False, "schema": schema}
    return parameter | ({"description": description} if description else {})
