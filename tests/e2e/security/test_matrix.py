"""The table of routes and risks is complete, and docs/results/owasp.md contains it."""

from pathlib import Path

import pytest

from deploy.environment import ROOT
from tests.support.access_matrix import FOR_ADMINS, OPTIONAL_SIGN_IN, WITHOUT_OWNER, Risk, exposed, table
from tests.support.declared_routes import OPERATIONS

SOURCES = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]


@pytest.mark.parametrize("risk", Risk, ids=lambda risk: risk.name)
def test_every_risk_has_routes_and_a_test(risk: Risk) -> None:
    assert exposed(risk)
    assert any(f"@at_risk({risk})" in source for source in SOURCES)


def test_routes_named_in_the_matrix_are_declared() -> None:
    assert {str(route) for route in OPERATIONS} >= FOR_ADMINS | WITHOUT_OWNER | OPTIONAL_SIGN_IN


def test_unsafe_routes_with_a_token_need_the_csrf_token() -> None:
    safe = {str(route) for route in OPERATIONS if route.method == "GET"}
    without_sign_in = {"POST /login", "POST /admin"}
    assert {str(r) for r in OPERATIONS} - safe - without_sign_in == {
        str(route) for route in exposed(Risk.CSRF)
    }


def test_owasp_page_contains_the_current_table() -> None:
    page = (ROOT / "docs" / "results" / "owasp.md").read_text("utf-8")
    assert table() in page, "run: make openapi"
