"""The JSON bodies of requests that name an operation. They are beside the catalog, which has the names."""

from typing import Annotated

from pydantic import Field, WithJsonSchema
from typing_extensions import TypeAliasType

from shared.operations.catalog import ALIASES, CATALOG
from shared.schemas.field_types import Amount, Number
from shared.schemas.requests import Request

# The enum is only for the document: `catalog.find` rejects other names, with a message that lists these.
OperationType = TypeAliasType(
    "OperationType",
    Annotated[
        str,
        Field(min_length=1, max_length=64),
        WithJsonSchema({"type": "string", "enum": [*CATALOG, *ALIASES]}),
    ],
)
"""The name of an operation, or its alias."""


class OperationCall(Request):
    type: OperationType
    arguments: list[Number] = Field(default=[], max_length=1000)


class NewOperation(Request):
    type: OperationType
    cost: Amount
