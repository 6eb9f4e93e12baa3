"""Exports: files of records or ledger entries, which the worker writes."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from shared import database
from shared.auth import throttle
from shared.auth.caller import Caller
from shared.database import Statements
from shared.errors import InvalidInput
from shared.ids import uuid7
from shared.lists.listing import Listing
from shared.lists.query import parse
from shared.lists.registry import LEDGER, RECORDS
from shared.schemas.field_types import ExportFormat, ExportResource

LISTINGS: Mapping[str, Listing] = {"records": RECORDS, "ledger": LEDGER}
EXPORTS_AT_ONCE = 6
EXPORTS_PER_SECOND = 0.1
"""The export bucket of a user: its capacity, and the tokens that it gains per second."""

LONGEST_QUERY = 10_000
"""Characters. Lists show the queries of 100 exports, and a function's response is limited to 6 MB."""


def query_string(resource: ExportResource, filters: Mapping[str, str], fields: Sequence[str]) -> str:
    """Return the query string of the list that the export writes.

    Raises:
        InvalidInput: the list has no such filter or field, or the value is invalid.
    """
    listing = LISTINGS[resource]
    if unknown := [name for name in filters if name.partition("__")[0] not in listing.public]:
        raise InvalidInput.at(f"#/filters/{unknown[0][:64]}", f"The {resource} have no such filter.")
    query = urlencode({**filters, **({"fields": ",".join(fields)} if fields else {})})
    if len(query) > LONGEST_QUERY:
        raise InvalidInput.at(
            "#/filters", f"Filters and fields are limited to {LONGEST_QUERY:,} characters in a query string."
        )
    try:
        parse(query, listing.public)
    except InvalidInput as error:
        for fault in error.errors:
            name = fault["pointer"].rpartition("/")[2]
            fault["pointer"] = "#/fields" if name == "fields" else f"#/filters/{name}"
        raise
    return query


def create(
    caller: Caller,
    resource: ExportResource,
    format: ExportFormat,
    query: str,
    statements: Statements = database,
) -> str:
    """Create an export and return it as JSON.

    Args:
        query: the query string of the list.
        statements: the caller's unit of work, if the export is created in a transaction.

    Raises:
        TooManyRequests: too many exports.
    """
    row = statements.only(
        "create_export",
        id=uuid7(),
        user_id=caller.id,
        owner=caller.visible_owner,
        resource=resource,
        format=format,
        query=query,
        capacity=EXPORTS_AT_ONCE,
        per_second=EXPORTS_PER_SECOND,
    )
    throttle.check(row["wait"])
    return str(row["body"])
