"""The SQL statements against the migrated schema, and their results against the response schemas."""

import json
import re
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from deploy.environment import ROOT
from shared import accounts, database, exports, tasks, webhooks
from shared.billing import charges
from shared.database import connection as database_module
from shared.database.connection import statement_text
from shared.ids import uuid7
from shared.lists import registry as lists
from shared.lists.listing import Listing
from shared.lists.read_page import read_page
from shared.schemas import responses
from tests.integration.conftest import Server
from tests.support.users import API_KEY_PARAMETERS, Person, create_api_key, create_person
from tests.support.webhooks import subscribe

pytestmark = pytest.mark.usefixtures("database_url")

FOLDER = Path(database_module.__file__).parent / "sql"
STATEMENTS = sorted(path.stem for path in FOLDER.glob("*.sql"))
LISTS = [value for value in vars(lists).values() if isinstance(value, Listing)]
NAME = attrgetter("name")
WITHOUT_GET = {"audit_log", "deliveries", "ledger", "sessions"}
"""The lists whose rows no route returns singly."""


def test_template_and_docker_use_the_tested_postgres_version(server: Server) -> None:
    ((version,),) = server.maintenance.run("SHOW server_version_num")
    major = str(int(version) // 10000)
    template = (ROOT / "resources/database/own.yml").read_text("utf-8")
    assert re.findall(r'EngineVersion: "(\d+)', template) == [major]
    assert re.findall(r"Family: postgres(\d+)", template) == [major]
    compose = (ROOT / "localstack/docker-compose.yml").read_text("utf-8")
    assert re.findall(r"image: postgres:(\d+)", compose) == [major]


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_prepares_against_the_migrated_schema(server: Server, name: str) -> None:
    with server.connect(server.template) as connection:
        connection.prepare(statement_text(name)).close()


@pytest.mark.parametrize("name", STATEMENTS)
def test_parameters_of_a_statement_have_explicit_types(name: str) -> None:
    text = re.sub(r"--.*", "", statement_text(name))
    untyped = re.findall(r"(?<![:\w]):(\w+)(?!\w|::)", text)
    assert untyped == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_starts_with_a_comment(name: str) -> None:
    comment = statement_text(name).startswith("-- ")
    assert comment, f"Begin shared/database/sql/{name}.sql with a comment that states its purpose."


def assert_shaped(body: str, model: type[BaseModel]) -> None:
    """Assert that the JSON has exactly the model's fields and validates."""
    assert list(sorted(json.loads(body))) == sorted(model.model_fields)
    model.model_validate_json(body)


def one(statement: str, **parameters: Any) -> str:
    row = database.one(statement, **parameters)
    assert row is not None
    return str(row["body"])


def test_results_about_users_match_the_schemas() -> None:
    user = {
        "email": "ada@example.com",
        "password_hash": "x",
        "role": "client",
        "balance": Decimal(5),
        "status": "active",
    }
    user_id = uuid7()
    assert_shaped(
        one("create_user", id=user_id, entry_id=uuid7(), **user, admin_id=None, audit_id=uuid7()),
        responses.User,
    )
    assert_shaped(one("user", id=user_id), responses.User)


def test_results_about_operations_match_the_schemas() -> None:
    operation_id = uuid7()
    assert_shaped(
        one("create_operation", id=operation_id, type="x", cost=Decimal(5), admin_id=None, audit_id=uuid7()),
        responses.Operation,
    )
    assert_shaped(one("operation", id=operation_id), responses.Operation)
    changed = one(
        "update_operation", id=operation_id, cost=Decimal("0.1"), admin_id=uuid7(), audit_id=uuid7()
    )
    assert_shaped(changed, responses.Operation)
    assert json.loads(changed)["cost"] == 0.1


def test_results_about_records_match_the_schemas(client: Person) -> None:
    response = charges.charge(charges.Call(client.credentials, "addition", "[1, 2]", None), Decimal(3))
    assert_shaped(response.body, responses.Charged)
    record = one("record", id=json.loads(response.body)["record_id"], owner=client.id)
    assert_shaped(record, responses.Record)
    manual = {
        "user_id": client.id,
        "operation_id": json.loads(record)["operation_id"],
        "amount": Decimal(5),
        "user_balance": Decimal(15),
        "operation_response": "3",
        "date": None,
    }
    assert_shaped(
        one("create_record", id=uuid7(), **manual, admin_id=uuid7(), audit_id=uuid7()), responses.Record
    )


def test_results_about_tasks_match_the_schemas(client: Person) -> None:
    task_id, body = tasks.create(client.caller, "a.csv", 10, "queued")
    assert_shaped(body, responses.TaskAccepted)
    assert_shaped(tasks.get(task_id, client.id)["body"], responses.Task)


def test_results_about_api_keys_match_the_schemas(client: Person) -> None:
    key = {**API_KEY_PARAMETERS, "key_hash": b"x" * 32, "key": "rc_x"}
    key_id = uuid7()
    assert_shaped(one("create_api_key", id=key_id, user_id=client.id, **key), responses.ApiKeyCreated)
    assert_shaped(one("api_key", id=key_id, user_id=client.id), responses.ApiKey)


def test_result_of_a_grant_matches_the_schema(admin: Person, client: Person) -> None:
    response = charges.grant(admin.caller, client.id, Decimal(5), "gift", None)
    assert_shaped(response.body, responses.Granted)


@pytest.mark.parametrize("listing", LISTS, ids=NAME)
def test_rows_of_a_list_match_the_schema(admin: Person, listing: Listing) -> None:
    create_api_key(admin.id)
    charges.charge(charges.Call(admin.credentials, "addition", "[1, 2]", None), Decimal(3))
    tasks.create(admin.caller, "a.csv", 10, "queued")
    exports.create(admin.caller, "records", "csv", "")
    accounts.update_user(admin.id, create_person().id, {"balance": Decimal(7)})
    webhooks.test(admin.caller, subscribe(admin.id))
    page = json.loads(read_page(listing, "", admin.caller))
    assert page[listing.name]
    for row in page[listing.name]:
        assert_shaped(json.dumps(row), listing.schema)


@pytest.fixture
def row_of_each_list(admin: Person) -> dict[str, dict[str, Any]]:
    """Create a row for each list. Return the parameters with which the list's get finds its newest row."""
    key = {"id": create_api_key(admin.id).id, "user_id": admin.id}
    task_id, _ = tasks.create(admin.caller, 'ü "1".csv', 10, "queued")
    export = exports.create(admin.caller, "records", "csv", "fields=date")
    charge = charges.charge(charges.Call(admin.credentials, "addition", "[1.50, 2]", None), Decimal(3))
    operation_id = uuid7()
    database.one(
        "create_operation",
        id=operation_id,
        type="x",
        cost=Decimal("0.10"),
        admin_id=admin.id,
        audit_id=uuid7(),
    )
    webhook_id = subscribe(admin.id)
    webhooks.test(admin.caller, webhook_id)
    return {
        "api_keys": key,
        "exports": {"id": json.loads(export)["id"], "owner": None},
        "ledger": {},
        "operations": {"id": operation_id},
        "records": {"id": json.loads(charge.body)["record_id"], "owner": None},
        "tasks": {"id": task_id, "owner": None},
        "webhooks": {"id": webhook_id, "user_id": admin.id},
        "users": {"id": admin.id},
    }


@pytest.mark.parametrize(
    "listing", [listing for listing in LISTS if listing.name not in WITHOUT_GET], ids=NAME
)
def test_row_of_a_list_is_identical_to_the_result_of_a_get(
    admin: Person, listing: Listing, row_of_each_list: dict[str, dict[str, Any]]
) -> None:
    body = one(listing.name.removesuffix("s"), **row_of_each_list[listing.name])
    assert f"{body}, " in read_page(listing, "page_size=100", admin.caller).replace("}]", "}, ]")


@pytest.mark.parametrize("listing", LISTS, ids=NAME)
@pytest.mark.usefixtures("row_of_each_list")
def test_selecting_all_fields_returns_the_same_text(admin: Person, listing: Listing) -> None:
    whole = read_page(listing, "", admin.caller)
    assert json.loads(whole)[listing.name]
    assert read_page(listing, f"fields={','.join(listing.public)}", admin.caller) == whole


def test_join_json_keeps_order_and_formatting() -> None:
    joined = database.query(
        """SELECT join_json('{"b" : 1.50, "a":null}', '{}', NULL, '{"\u00fc": {"d":[2,  "x"]}}') AS body""",
        {},
    )
    assert joined == [{"body": '{"b" : 1.50, "a" : null, "ü" : {"d":[2,  "x"]}}'}]


@pytest.mark.parametrize("name", ["caller", "caller_by_key", "charge", "charge_by_key", "quote"])
def test_planner_inlines_the_function_that_finds_the_caller(server: Server, name: str) -> None:
    text = re.sub(r"(?<!:):\w+", "NULL", statement_text(name))
    with server.connect(server.template) as connection:
        plan = "\n".join(line for (line,) in connection.run(f"EXPLAIN {text}"))
    assert "on users u" in plan
    assert "Function Scan" not in plan


def test_money_has_no_trailing_zeros_and_times_are_rfc_3339(client: Person) -> None:
    body = one("user", id=client.id)
    assert '"balance" : 20,' in body
    assert re.search(r'"created_at" : "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"', body)
