"""The OpenAPI document, /health and /docs. tests/browser/test_policy.py uses the page in a browser."""

from tests.support.declared_routes import DOCUMENT, OPERATIONS
from tests.support.http_client import Client


def test_served_document_is_the_committed_one(anonymous: Client) -> None:
    response = anonymous.get("/openapi.json")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == DOCUMENT


def test_document_describes_exactly_the_declared_routes() -> None:
    described = {f"{m.upper()} {path}" for path, item in DOCUMENT["paths"].items() for m in item}
    assert described == {str(route) for route in OPERATIONS}
    assert DOCUMENT["openapi"].startswith("3.1")


def test_health_reports_service_and_database_as_ok(anonymous: Client) -> None:
    response = anonymous.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok"}


def test_docs_page_loads_only_files_of_the_service(anonymous: Client) -> None:
    response = anonymous.get("/docs")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert "https://" not in response.text
