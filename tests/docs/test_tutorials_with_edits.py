"""The tutorials that add an operation and an endpoint work from their first edit to their last command."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import running_browser
from tests.docs.conftest import URL
from tests.support.console import compute, new_client, result
from tests.support.http_client import Client
from tests.support.pages.page import Commands, Edit, steps
from tests.support.pages.runner import Reader

ADD_AN_OPERATION = "docs/tutorial/add-an-operation.md"
ADD_AN_ENDPOINT = "docs/tutorial/add-an-endpoint.md"


@pytest.fixture(scope="module")
def with_power(reader: Reader) -> str:
    """The URL of the service after a reader has followed the tutorial on adding an operation."""
    reader.follow(steps(ADD_AN_OPERATION))
    return reader.urls[URL]


@pytest.fixture(scope="module")
def admin(with_power: str) -> Iterator[Client]:
    with Client(with_power) as client:
        assert client.sign_in("defaultadmin@admin.as", "adminpass").is_success
        yield client


def test_operation_is_added_in_one_file_besides_its_test() -> None:
    edits = [step.path for step in steps(ADD_AN_OPERATION) if isinstance(step, Edit)]
    assert edits == ["shared/operations/arithmetic.py", "tests/unit/test_catalog.py"]


def test_added_operation_is_in_the_openapi_document(with_power: str) -> None:
    document = httpx.get(f"{with_power}/openapi.json", trust_env=False).json()
    schema = document["components"]["schemas"]["OperationType"]
    assert "power" in schema["enum"]
    (power,) = (one for one in schema["x-operations"] if one["type"] == "power")
    assert (power["minArguments"], power["maxArguments"]) == (2, 2)


def test_added_operation_is_priced_called_and_batched(admin: Client) -> None:
    (price,) = admin.rows("operations", type="power")
    assert price["cost"] == 5
    charged = admin.compute("power", 2, 10).json()
    assert (charged["result"], charged["amount"]) == (1024, 5)
    by_row = {
        record["task_row"]: record["operation_response"]
        for record in admin.rows("records", operation="power")
    }
    assert by_row == {None: 1024, 1: 1024, 2: 0.5}


def test_added_operation_is_in_the_command_line() -> None:
    (call,) = (
        one for one in steps(ADD_AN_OPERATION) if isinstance(one, Commands) and " compute power" in one.text
    )
    assert (call.text, call.output) == (".venv/bin/restcalc compute power 2 10\n", "1024\n")


def test_added_operation_has_a_form_in_the_console(with_power: str, admin: Client) -> None:
    with running_browser() as browser, browser.new_context(base_url=with_power, locale="en-GB") as context:
        page = context.new_page()
        with new_client(page, admin):
            page.goto("/#/compute?operation=power")
            compute(page, "2", "10")
            expect(result(page)).to_contain_text("1024")


def test_endpoint_is_added_step_by_step(reader: Reader) -> None:
    reader.follow(steps(ADD_AN_ENDPOINT))
