"""The headers of every response, and CORS: which origins may read responses."""

from collections.abc import Callable

import httpx
import pytest

from tests.e2e.conftest import FRONTEND_URL
from tests.support.declared_routes import OPERATIONS, Declared
from tests.support.http_client import API, Client

PAGES = ("/openapi.json", "/docs", "/")
ALLOWED = {"content-type", "authorization", "x-csrf-token", "idempotency-key", "prefer"}


@pytest.fixture(scope="module")
def caller(account: Callable[..., Client]) -> Client:
    return account(role="admin")


def check_headers(response: httpx.Response, *, cached: bool = False) -> None:
    headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age=" in headers["Strict-Transport-Security"]
    policy = headers["Content-Security-Policy"].split("; ")
    assert "frame-ancestors 'none'" in policy, "no other site may frame a page"
    assert headers["X-Request-Id"]
    if cached:
        assert "no-store" not in headers["Cache-Control"]
    else:
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("route", [r for r in OPERATIONS if r.path != "/logout"], ids=str)
def test_every_route_sends_the_headers_to_a_signed_in_caller(caller: Client, route: Declared) -> None:
    response = caller.request(route.method, route.concrete())
    check_headers(response, cached=route.path in PAGES and response.is_success)


@pytest.mark.parametrize("route", OPERATIONS, ids=str)
def test_every_route_sends_the_headers_to_an_anonymous_caller(anonymous: Client, route: Declared) -> None:
    check_headers(anonymous.request(route.method, route.concrete()), cached=route.path in PAGES)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nonsense"), ("PUT", f"{API}/records"), ("POST", "/docs")]
)
def test_unknown_route_sends_the_headers(anonymous: Client, method: str, path: str) -> None:
    check_headers(anonymous.request(method, path))


def test_every_request_has_its_own_id(client: Client) -> None:
    ids = {client.get(f"{API}/users/me").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_responses_are_utf_8_json(client: Client) -> None:
    assert client.get(f"{API}/users/me").headers["Content-Type"] == "application/json"
    name = "Größe 🧮"
    response = client.post(f"{API}/api_keys", json={"name": name})
    assert response.content.decode("utf-8")
    assert response.json()["name"] == name


def test_frontend_may_read_responses_with_credentials(client: Client) -> None:
    response = client.get(f"{API}/users/me", headers={"Origin": FRONTEND_URL})
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND_URL
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    exposed = response.headers["Access-Control-Expose-Headers"].lower().replace(" ", "").split(",")
    assert {"location", "retry-after", "x-request-id", "idempotent-replayed", "preference-applied"} <= set(
        exposed
    )


def test_frontend_may_read_error_responses(anonymous: Client) -> None:
    for path in (f"{API}/users/me", "/nonsense"):
        response = anonymous.get(path, headers={"Origin": FRONTEND_URL})
        assert response.headers["Access-Control-Allow-Origin"] == FRONTEND_URL


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000.evil.example"])
def test_other_origin_may_not_read_responses(client: Client, origin: str) -> None:
    for response in (
        client.get(f"{API}/users/me", headers={"Origin": origin}),
        client.options(f"{API}/users/me", headers=preflight(origin)),
    ):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Access-Control-Allow-Credentials" not in response.headers


def preflight(origin: str, method: str = "POST") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "x-csrf-token,idempotency-key,content-type",
    }


@pytest.mark.parametrize("route", OPERATIONS, ids=str)
def test_preflight_of_the_frontend_is_allowed_on_every_route(anonymous: Client, route: Declared) -> None:
    response = anonymous.options(route.concrete(), headers=preflight(FRONTEND_URL, route.method))
    assert response.status_code == 204
    assert response.content == b""
    assert response.headers["Access-Control-Allow-Origin"] == FRONTEND_URL
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    methods = response.headers["Access-Control-Allow-Methods"].replace(" ", "").split(",")
    assert route.method in methods
    headers = response.headers["Access-Control-Allow-Headers"].lower().replace(" ", "").split(",")
    assert set(headers) >= ALLOWED
