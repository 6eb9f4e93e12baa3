"""Invalid paths, queries, methods and headers: a 4xx problem and no 500."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from tests.support import expect
from tests.support.declared_routes import DOCUMENT, LISTS, OPERATIONS, SERVICE, WITH_PARAMETER, Declared
from tests.support.http_client import API, Client
from tests.support.webhooks import create_webhook

INVALID_UUIDS = {
    "word": "x",
    "zero": "0",
    "negative": "-1",
    "short": "0190a0a0-0000-7000-8000-00000000000",
    "long": "0190a0a0-0000-7000-8000-0000000000000",
    "letters": "0190a0a0-0000-7000-8000-00000000000g",
    "NUL": "%00",
    "UUID and NUL": "0190a0a0-0000-7000-8000-000000000000%00",
    "quote": "%27%20OR%201=1--",
    "no UTF-8": "%ff%fe",
    "surrogate": "%ed%a0%80",
    "emoji": "%F0%9F%92%A3",
    "line break": "%0d%0a",
    "blank": "%20",
    "long word": "x" * 3000,
}
BAD_PAGING = [
    *({"page": value} for value in ("-1", "0", "1" + "0" * 21, "x", "", "1.5", "1e3", "%00", "٣")),
    *({"page_size": value} for value in ("0", "-1", "101", "1000000000", "x", "", "10.0")),
    {"cursor": ""},
    {"cursor": "x"},
    {"cursor": "é"},
    {"cursor": "bnVsbA"},
    {"cursor": "W1tdLCBbXV0"},
    {"cursor": "A" * 3000},
    {"fields": "nonsense"},
    {"sort": "nonsense"},
    {"sort": "-"},
    {"nonsense": "1"},
    {"nonsense__gte": "1"},
    {"id__nonsense": "1"},
    {"__gte": "1"},
    {"": "1"},
    {"\0": "1"},
    {"a" * 3000: "1"},
]
ILL_TYPED: dict[str, list[str]] = {
    "uuid": ["x", "", "\0", "0190a0a0", "1" * 400],
    "date-time": ["x", "", "\0", "2026-02-30", "0000-01-01", "99999-01-01", "infinity", "now"],
    "number": ["x", "", "\0", "NaN", "Infinity", "1e999999", "0x1", "--1"],
    "integer": ["x", "", "\0", "1.5", "NaN", "9" * 30, "--1"],
}
EXTREMES: dict[str, list[str]] = {
    "date-time": [
        "0001-01-01T00:00:00+23:59",
        "0001-01-01",
        "9999-12-31T23:59:59.999999-23:59",
        "2026-11-23T07:00:00",
    ],
    "number": ["1e300", "-1e300", "1e-300", "9" * 300],
    "integer": ["9223372036854775807", "9223372036854775808", "-9223372036854775809", "9" * 19],
    "string": ["\0", "\\", "%", "%\\", "_", "'", "\ud7ff", "x" * 300, "null"],
}
"""Values of the right type at its limits. They return an empty list or a 422."""


@pytest.fixture(scope="module")
def caller(account: Callable[..., Client]) -> Client:
    """An admin, so that no route returns 403."""
    return account(role="admin")


JSON_FIELDS = {"after", "arguments", "attempts", "before", "events", "operation_response", "reference"}
JSON_FIELDS |= {"scopes", "spend_limit"}


def field_type(route: Declared, name: str) -> str:
    """Return the type of a query parameter's field."""
    schema = route.query_parameters[_field(name)]
    return str("enum" if "enum" in schema else schema.get("format", schema["type"]))


def filters(route: Declared) -> list[str]:
    paging = {"page", "page_size", "cursor", "fields", "sort", "deleted", "search"}
    return [name for name in route.query_parameters if name not in paging]


def by_field(route: Declared) -> list[list[str]]:
    """Return the filters grouped by field: `amount`, `amount__gte` …"""
    names = sorted(filters(route), key=_field)
    return [list(names) for _, names in groupby(names, _field)]


def list_path(caller: Client, route: Declared) -> str:
    """Return the path of a list: of the caller's webhook, if it is the list of a webhook's deliveries."""
    if not route.has_parameter:
        return route.path
    webhooks = caller.rows("webhooks") or [create_webhook(caller)]
    return route.concrete(webhooks[0]["id"])


def _field(name: str) -> str:
    return name.partition("__")[0]


@pytest.mark.parametrize("route", WITH_PARAMETER, ids=str)
def test_invalid_uuid_in_a_path_is_rejected(caller: Client, route: Declared) -> None:
    body = {"json": route.body()} if route.schema else {}
    for name, text in INVALID_UUIDS.items():
        response = caller.request(route.method, route.concrete(text), **body)
        assert response.status_code in (404, 422), (name, response.text)
        expect.any_problem(response)


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_list_rejects_invalid_paging_and_unknown_parameters_by_name(caller: Client, route: Declared) -> None:
    path = list_path(caller, route)
    for query in BAD_PAGING:
        (name,) = query
        problem = expect.problem(caller.get(path, params=query), 422)
        assert name[:64] in problem["detail"], query
        assert problem["errors"][0]["pointer"].startswith("#/query/")


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_list_rejects_every_ill_typed_filter_by_name(caller: Client, route: Declared) -> None:
    path = list_path(caller, route)
    names = [name for name in filters(route) if not name.endswith("__like")]
    for half in (names[:60], names[60:]):
        for n in range(max(map(len, ILL_TYPED.values()))):
            values = {name: ILL_TYPED.get(field_type(route, name), ["\0"]) for name in half}
            query = {name: wrong[n % len(wrong)] for name, wrong in values.items()}
            if query:
                pointers = expect.pointers(caller.get(path, params=query))
                assert pointers == [f"#/query/{name}" for name in half], query


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_list_accepts_or_rejects_extreme_filters(caller: Client, route: Declared) -> None:
    path = list_path(caller, route)
    for names in by_field(route):
        for value in EXTREMES.get(field_type(route, names[0]), []):
            for query in (dict.fromkeys(names, value), {names[-1]: value}):
                response = caller.get(path, params={**query, "page_size": 1})
                if response.status_code != 200:
                    assert response.status_code == 422, (query, response.text)
                    expect.any_problem(response)


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_every_documented_filter_and_sort_is_accepted(caller: Client, route: Declared) -> None:
    path = list_path(caller, route)
    good = {
        "uuid": "0190a0a0-0000-7000-8000-000000000000",
        "date-time": "2026-11-23T07:00:00Z",
        "number": "1",
        "integer": "1",
        "string": "x",
        "boolean": "true",
    }
    for names in by_field(route):
        schema = route.query_parameters[names[0]]
        value = schema["enum"][0] if "enum" in schema else good[field_type(route, names[0])]
        query = {**dict.fromkeys(names, value), "page_size": 1}
        assert caller.get(path, params=query).status_code == 200, query
        if caller.get(path, params={"sort": names[0]}).status_code != 200:
            assert names[0] in JSON_FIELDS, "only JSON fields cannot be sorted"


@pytest.mark.parametrize(
    "query", ["page=%ff", "%ff=1", "page=%", "page=1&page=2", "page", "=", "&".join(["a=1"] * 500)]
)
def test_unreadable_query_string_returns_422(caller: Client, query: str) -> None:
    expect.problem(caller.get(f"{API}/records?{query}"), 422)


def paths() -> list[str]:
    return list(DOCUMENT["paths"])


@pytest.mark.parametrize("path", paths())
def test_unsupported_method_returns_405_with_the_allowed_methods(caller: Client, path: str) -> None:
    allowed = {method.upper() for method in DOCUMENT["paths"][path]}
    route = next(route for route in OPERATIONS if route.path == path)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        concrete = route.concrete()
        match = SERVICE.match(method, concrete)
        if match is None or match.route.path != "$default":
            continue
        response = caller.request(method, concrete)
        expect.problem(response, 405)
        assert set(response.headers["Allow"].split(", ")) >= allowed
        assert method not in response.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/nonsense",
        "/api",
        "/api/v1",
        "/api/v2/records",
        f"{API}/nonsense",
        f"{API}/records/x/y",
        f"{API}/RECORDS",
        "/login/",
        "/%00",
        "/%ff",
        "/%ed%a0%80",
        "/" + "x" * 4000,
        "/.env",
        "/..%2f..%2fetc%2fpasswd",
    ],
    ids=lambda path: path[:40],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_unknown_path_returns_404(anonymous: Client, method: str, path: str) -> None:
    expect.problem(anonymous.request(method, path), 404)


@pytest.mark.parametrize(
    "cookie", ["access_token_cookie=", "access_token_cookie=x", "=", ";;;", "a", "\xe9=\xe9", "x" * 4000]
)
def test_malformed_cookies_are_not_signed_in(anonymous: Client, cookie: str) -> None:
    headers: Any = {b"Cookie": cookie.encode("latin-1")}
    expect.problem(anonymous.get(f"{API}/users/me", headers=headers), 401)
    assert anonymous.post("/logout", headers=headers).status_code == 200
