"""serverless.yml, the functions, the OpenAPI document and the contract have the same routes."""

import importlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from deploy.environment import ROOT
from deploy.serverless_file import DEFAULT_ROUTE, Service
from docs import list_schemas, openapi
from shared.http.api import Access, Api
from shared.lists.listing import Listing
from shared.lists.registry import LISTS
from shared.operations.catalog import ALIASES, CATALOG
from shared.schemas import requests
from tests.support import contract
from tests.support.contract import assert_agree

SERVICE = Service.load(ROOT / "serverless.yml", {})
ROUTES = {
    (route.method, route.path): route.function.handler
    for route in SERVICE.routes
    if route.path != DEFAULT_ROUTE
}
FILES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "functions").rglob("*.py") if path.name != "__init__.py"
)
WITH_REFRESH_TOKEN = {("POST", "/refresh"), ("POST", "/logout")}
"""Routes that also accept the refresh token. The endpoint checks it, and /logout succeeds without one."""
ROUTED = [file for file in FILES if not file.startswith("functions/housekeeping/")]


@cache
def built() -> dict[str, Any]:
    return openapi.build()


def document() -> dict[str, Any]:
    written: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text("utf-8"))
    return written


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the OpenAPI document's operations by method and path."""
    return {
        (method.upper(), path): operation
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }


def app_of(file: str) -> Api:
    app = importlib.import_module(file.removesuffix(".py").replace("/", ".")).app
    assert isinstance(app, Api)
    return app


def test_contract_has_exactly_the_declared_routes() -> None:
    assert_agree(set(contract.ROUTES), set(ROUTES), "docs/contract.md (a row of its tables)")


def test_openapi_document_has_exactly_the_declared_routes() -> None:
    assert_agree(set(operations()), set(ROUTES), "docs/openapi.json (run `make openapi`)")


def test_committed_openapi_document_is_current() -> None:
    assert document() == json.loads(json.dumps(built())), (
        "docs/openapi.json is out of date: run `make openapi`"
    )


def test_files_in_functions_match_the_declared_functions() -> None:
    declared = {function.handler for function in SERVICE.functions.values()}
    assert {file.removesuffix(".py") + (".app" if file in ROUTED else ".handler") for file in FILES} == {
        handler for handler in declared if handler.startswith("functions/")
    }
    assert all((ROOT / handler.rpartition(".")[0]).with_suffix(".py").is_file() for handler in declared)


def test_only_housekeeping_functions_have_a_schedule_and_no_route() -> None:
    scheduled = {function.handler for function in SERVICE.functions.values() if function.schedule}
    scheduled -= {"webhooks/dispatcher.handler"}
    assert scheduled == {file.removesuffix(".py") + ".handler" for file in FILES if file not in ROUTED}
    assert scheduled & {route.function.handler for route in SERVICE.routes} == set()


def test_handlers_are_unique_among_routes_and_functions() -> None:
    assert max(Counter(ROUTES.values()).values()) == 1
    assert max(Counter(function.handler for function in SERVICE.functions.values()).values()) == 1


@pytest.mark.parametrize("file", [file for file in ROUTED if file != "functions/docs/not_found.py"])
def test_function_handles_exactly_its_declared_route(file: str) -> None:
    app = app_of(file)
    own = [
        (method, re.sub(r"<(\w+)>", r"{\1}", route.path))
        for route in app._static_routes + app._dynamic_routes
        for method in ([route.method] if isinstance(route.method, str) else route.method)
    ]
    assert own == [key for key, handler in ROUTES.items() if handler == file.removesuffix(".py") + ".app"]
    assert len(own) == 1


def test_default_route_uses_the_not_found_function() -> None:
    (default,) = (route for route in SERVICE.routes if route.path == DEFAULT_ROUTE)
    assert default.function.handler == "functions/docs/not_found.app"
    assert app_of("functions/docs/not_found.py").access is Access.ANYONE


def test_docstring_of_every_function_starts_with_its_route() -> None:
    for (method, path), handler in ROUTES.items():
        module = importlib.import_module(handler.rpartition(".")[0].replace("/", "."))
        assert (module.__doc__ or "").startswith(f"{method} {path}: "), handler


def subclasses(kind: type[BaseModel]) -> set[type[BaseModel]]:
    return {kind, *(found for child in kind.__subclasses__() for found in subclasses(child))}


def test_models_have_unique_names() -> None:
    built()
    ours = [
        model
        for model in subclasses(BaseModel)
        if model.__module__.partition(".")[0] in ("shared", "functions", "worker")
    ]
    assert len(ours) > 20
    assert {name: count for name, count in Counter(m.__name__ for m in ours).items() if count > 1} == {}


def test_document_contains_exactly_the_referenced_schemas() -> None:
    written = document()
    referred = set(re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(written)))
    assert referred == set(written["components"]["schemas"])


def test_every_operation_has_a_unique_id_a_summary_and_a_success() -> None:
    ids = [operation["operationId"] for operation in operations().values()]
    assert len(set(ids)) == len(ids)
    for route, operation in operations().items():
        assert operation["summary"], route
        assert any(status.startswith(("2", "3")) for status in operation["responses"]), route


def test_every_error_response_of_the_document_is_a_problem() -> None:
    error_responses = document()["components"]["responses"]
    for response in error_responses.values():
        assert list(response["content"]) == ["application/problem+json"]
    for route, operation in operations().items():
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                assert response["$ref"].rpartition("/")[2] in error_responses, (route, status)


def test_document_declares_the_callers_of_each_operation() -> None:
    for route, operation in operations().items():
        who = app_of(ROUTES[route].rpartition(".")[0] + ".py").access
        if route not in WITH_REFRESH_TOKEN:
            assert bool(operation.get("security")) is (who is not Access.ANYONE), route
        assert ("401" in operation["responses"]) >= (who is not Access.ANYONE), route
        assert ("403" in operation["responses"]) >= (who is Access.ADMIN), route


def test_every_route_that_accepts_a_cookie_declares_the_csrf_header() -> None:
    for route, operation in operations().items():
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        has_security = bool(operation.get("security"))
        assert ("X-CSRF-TOKEN" in headers) is (has_security and route[0] != "GET"), route
    for route in WITH_REFRESH_TOKEN:
        assert {"refresh_cookie": []} in operations()[route]["security"]
        assert {"bearer": []} in operations()[route]["security"]


def test_document_has_one_named_schema_per_enum() -> None:
    written = document()
    named = written["components"]["schemas"]
    enums = [tuple(schema["enum"]) for schema in named.values() if "enum" in schema]
    assert len(enums) == len(set(enums))
    assert {"Role", "UserStatus", "Scope", "LimitPeriod", "LedgerKind", "TaskStatus", "OperationType"} <= {
        name for name, schema in named.items() if "enum" in schema
    }
    assert json.dumps(written).count('"enum": ') == len(enums), "an enum without a name: use a TypeAliasType"


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_row_of_a_list_has_optional_members_of_which_only_nullable_ones_may_be_null(listing: Listing) -> None:
    row = document()["components"]["schemas"][f"{listing.schema.__name__}Row"]
    assert "required" not in row
    nullable = {
        name for name, member in row["properties"].items() if {"type": "null"} in member.get("anyOf", [])
    }
    accepts_null = {
        name for name, kind in listing.public.items() if kind.nullable and kind.python is not object
    }
    assert accepts_null <= nullable
    for name in nullable:
        assert type(None) in get_args(listing.schema.model_fields[name].annotation), name


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
def test_list_describes_the_operators_of_all_fields_as_one_parameter(listing: Listing) -> None:
    (operation,) = (one for one in operations().values() if list_schemas.listing_of(one) is listing)
    parameters = {p["name"]: p for p in operation["parameters"] if p["in"] == "query"}
    paging = {"page", "page_size", "cursor", "fields", "sort", "search", "deleted"}
    assert parameters.keys() - paging == {*listing.public, "filters"}
    allowed = re.compile(parameters["filters"]["schema"]["propertyNames"]["pattern"])
    separate = [parameter["name"] for parameter in list_schemas.operator_parameters(listing)]
    assert len(separate) == sum(len(kind.operators) for kind in listing.public.values())
    assert all(allowed.match(name) for name in separate)
    for name, kind in listing.public.items():
        assert not allowed.match(name)
        for operator in {"gte", "lte", "gt", "lt", "in", "like"}:
            assert f"`{operator}`" in parameters["filters"]["description"]
            assert bool(allowed.match(f"{name}__{operator}")) is (operator in kind.operators)


def test_document_names_its_license_and_a_contact() -> None:
    assert document()["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    assert document()["info"]["contact"]["name"]


def test_admin_routes_of_the_contract_match_the_functions() -> None:
    admins = {
        route for route in ROUTES if app_of(ROUTES[route].rpartition(".")[0] + ".py").access is Access.ADMIN
    }
    assert len(contract.FOR_ADMINS) > 10
    assert_agree(contract.FOR_ADMINS, admins, "docs/contract.md (as `admin` in the column who)")


def test_every_request_schema_of_the_document_rejects_unknown_fields() -> None:
    bodies = {model.__name__ for model in subclasses(requests.Request)} - {"Request", "Change"}
    written = document()["components"]["schemas"]
    assert bodies <= set(written)
    for name in bodies:
        assert written[name]["additionalProperties"] is False, name


def test_document_lists_every_operation_of_the_catalog() -> None:
    called = document()["components"]["schemas"]["OperationType"]
    assert called["enum"] == [*CATALOG, *ALIASES]


def test_document_contains_no_local_paths() -> None:
    assert str(Path.home()) not in openapi.DOCUMENT.read_text("utf-8")
    assert str(ROOT) not in openapi.DOCUMENT.read_text("utf-8")
