"""The authentication of schemathesis's requests (SCHEMATHESIS_HOOKS): anonymous, client or admin."""

import os
from functools import cache
from itertools import count
from typing import Any

import pg8000.native
import schemathesis

from docs import list_schemas
from shared.auth.tokens import LIFETIME, TokenType, issue
from shared.database.url import PostgresUrl
from tests.support.users import create_person

ROLE = os.environ["FUZZ_ROLE"]
CREDIT = 1000
"""Enough for many operations but not for all, so that some calls return 402."""
THROTTLED = ("/login", "/admin", "/api/v1/process_csv", "/api/v1/tasks")
CALLS_PER_RESET = 20
"""The number of throttled calls between two resets of the throttles, so that some of them return 429."""

_calls = count(1)


class Caller:
    """Create an account whenever a session has ended: random requests log out, delete and demote users."""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        person = create_person(ROLE, CREDIT)
        return issue(person.session_id, person.id, ROLE, person.refresh_id).access

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


if ROLE != "anonymous":
    schemathesis.auth(refresh_interval=LIFETIME[TokenType.ACCESS] // 2)(Caller)


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Give each operator of a list's fields its own parameter: the document describes them as one."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            listing = list_schemas.listing_of(operation)
            if listing is not None:
                operation["parameters"] += list_schemas.operator_parameters(listing)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    if case.operation.path in THROTTLED and next(_calls) % CALLS_PER_RESET == 0:
        _database().run("DELETE FROM rate_limits")


@cache
def _database() -> pg8000.native.Connection:
    postgres = PostgresUrl.parse(os.environ["AWS_PGSQL_PATH"])
    socket = f"{postgres.unix_folder}/.s.PGSQL.5432"
    return pg8000.native.Connection(
        "postgres", database=postgres.database, unix_sock=socket, ssl_context=False
    )
