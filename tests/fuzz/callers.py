"""The caller of schemathesis's requests (SCHEMATHESIS_HOOKS): anonymous, a client or an admin."""

import os
from functools import cache
from itertools import count
from typing import Any

import pg8000.native
import schemathesis

from shared.auth.tokens import LIFETIME, TokenType, issue
from shared.database.url import PostgresUrl
from tests.support.users import create_person

ROLE = os.environ["FUZZ_ROLE"]
CREDIT = 1000
"""Enough for many operations, and not for all: some calls must come to 402."""
THROTTLED = ("/login", "/admin", "/api/v1/process_csv", "/api/v1/tasks")
CALLS_BEFORE_FORGETTING = 20
"""Calls of those until the throttles forget them: enough for some to come to 429, and not most."""

_calls = count(1)


class Caller:
    """A new account whenever the session has ended: random requests log out, and delete and demote admins."""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        person = create_person(ROLE, CREDIT)
        return issue(person.session_id, person.id, ROLE, person.refresh_id).access

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


if ROLE != "anonymous":
    schemathesis.auth(refresh_interval=LIFETIME[TokenType.ACCESS] // 2)(Caller)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    if case.operation.path in THROTTLED and next(_calls) % CALLS_BEFORE_FORGETTING == 0:
        _database().run("DELETE FROM rate_limits")


@cache
def _database() -> pg8000.native.Connection:
    postgres = PostgresUrl.parse(os.environ["AWS_PGSQL_PATH"])
    socket = f"{postgres.unix_folder}/.s.PGSQL.5432"
    return pg8000.native.Connection("postgres", database=postgres.database, unix_sock=socket)
