"""The table of routes and risks is whole, and docs/results/owasp.md has the current one."""

from pathlib import Path

import pytest

from deploy.environment import ROOT
from tests.support.access_matrix import FOR_ADMINS, OPTIONAL_SIGN_IN, WITHOUT_OWNER, Risk, exposed, table
from tests.support.declared_routes import OPERATIONS

SOURCES = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]


@pytest.mark.parametrize("risk", Risk, ids=lambda risk: risk.name)
def test_every_risk_has_routes_and_a_test_of_each_of_them(risk: Risk) -> None:
    assert exposed(risk)
    assert any(f"@at_risk({risk})" in source for source in SOURCES)


def test_what_is_named_beside_the_document_is_declared() -> None:
    assert {str(route) for route in OPERATIONS} >= FOR_ADMINS | WITHOUT_OWNER | OPTIONAL_SIGN_IN


def test_whoever_changes_something_by_a_token_needs_the_csrf_token() -> None:
    safe = {str(route) for route in OPERATIONS if route.method == "GET"}
    open_to_nobody_signed_in = {"POST /login", "POST /admin"}
    assert {str(r) for r in OPERATIONS} - safe - open_to_nobody_signed_in == {
        str(route) for route in exposed(Risk.CSRF)
    }


def test_the_documented_table_is_the_one_that_is_tested() -> None:
    page = (ROOT / "docs" / "results" / "owasp.md").read_text("utf-8")
    assert table() in page, (
        "put what `python -m tests.support.access_matrix` prints into docs/results/owasp.md"
    )
