"""Exports: files of records and ledger entries, written by the worker."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.eventually import eventually
from tests.support.http_client import API, Client, exact
from tests.support.uploads import HEADER, TASK_TIMEOUT_SECONDS, ended, upload

EXPORTS = f"{API}/exports"


def create(client: Client, resource: str = "records", **members: Any) -> str:
    """Create an export and return its path."""
    response = client.post(EXPORTS, json={"resource": resource, **members})
    assert response.status_code == 202, response.text
    return str(response.headers["Location"])


def completed(client: Client, path: str) -> dict[str, Any]:
    """Wait until the export is completed. Return it."""

    def completed_export() -> dict[str, Any] | None:
        export = exact(client.get(path))
        assert export["status"] != "failed", export
        return export if export["status"] == "completed" else None

    return eventually(completed_export, within=TASK_TIMEOUT_SECONDS)


def download(s3: httpx.Client, export: dict[str, Any]) -> str:
    response = s3.get(export["url"])
    assert response.status_code == 200, response.text
    assert "attachment" in response.headers["Content-Disposition"]
    return response.content.decode()


def table(s3: httpx.Client, export: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(download(s3, export), newline="")))


@pytest.fixture
def buyer(account: Callable[..., Client]) -> Client:
    """A client with three records, one of them a negative number."""
    client = account(balance=100)
    for operation, arguments in (
        ("addition", (1, 2)),
        ("substraction", (1, 3)),
        ("multiplication", (2, 2)),
    ):
        assert client.compute(operation, *arguments).status_code == 200
    return client


@pytest.mark.parametrize("resource", ["records", "ledger"])
def test_json_lines_export_has_the_rows_of_the_list(buyer: Client, s3: httpx.Client, resource: str) -> None:
    export = completed(buyer, create(buyer, resource, format="jsonl"))
    rows = [json.loads(line) for line in download(s3, export).splitlines()]
    listed = buyer.get(f"{API}/{resource}", params={"page_size": 100}).json()[resource]
    assert rows == listed
    assert export["rows_done"] == len(listed)


def test_csv_export_has_a_column_for_each_field(buyer: Client, s3: httpx.Client) -> None:
    rows = table(s3, completed(buyer, create(buyer)))
    listed = buyer.rows("records")
    assert [row["id"] for row in rows] == [record["id"] for record in listed]
    assert list(rows[0]) == list(listed[0])
    assert [(row["operation"], row["arguments"], row["operation_response"]) for row in rows] == [
        ("multiplication", "[2, 2]", "4"),
        ("substraction", "[1, 3]", "-2"),
        ("addition", "[1, 2]", "3"),
    ]


def test_export_honours_filters_and_fields(buyer: Client, s3: httpx.Client) -> None:
    members = {"filters": {"operation__in": "addition,substraction"}, "fields": ["operation", "amount"]}
    rows = table(s3, completed(buyer, create(buyer, **members)))
    assert rows == [{"operation": name, "amount": "5"} for name in ("substraction", "addition")]


def test_export_of_no_rows_is_empty(client: Client, s3: httpx.Client) -> None:
    nothing = {"filters": {"amount": "12345"}}
    assert download(s3, completed(client, create(client, format="jsonl", **nothing))) == ""
    assert table(s3, completed(client, create(client, **nothing))) == []


def test_text_that_a_spreadsheet_reads_as_a_formula_is_defused(
    admin: Client, client: Client, s3: httpx.Client
) -> None:
    reason = "a voucher;=1+1"
    grant = {"amount": 1, "reason": reason}
    assert admin.post(f"{API}/users/{client.id}/credits", json=grant).status_code == 200
    (operation,) = client.rows("operations", type="addition")
    record = {"operation_id": operation["id"], "user_id": client.id, "amount": -1, "user_balance": 0}
    for response in ("=HYPERLINK(1)", -5):
        created = admin.post(f"{API}/records", json={**record, "operation_response": response})
        assert created.status_code == 201, created.text
    (granted,) = table(s3, completed(client, create(client, "ledger", filters={"kind": "grant"})))
    assert ";'=1+1" in granted["reference"]
    rows = table(s3, completed(client, create(client)))
    assert [(row["operation_response"], row["amount"]) for row in rows] == [
        ("-5", "-1"),
        ("'=HYPERLINK(1)", "-1"),
    ]


def test_filter_values_are_text_and_never_sql(client: Client, s3: httpx.Client) -> None:
    for value in ("x' OR '1'='1", "\\' OR true --", ":owner", "'; DROP TABLE records; --"):
        members = {"filters": {"operation": value}, "format": "jsonl"}
        assert download(s3, completed(client, create(client, **members))) == ""


def test_client_exports_only_own_rows_and_admin_those_of_all(
    account: Callable[..., Client], buyer: Client, other: Client, s3: httpx.Client
) -> None:
    assert other.compute().status_code == 200
    assert {row["user_id"] for row in table(s3, completed(buyer, create(buyer)))} == {buyer.id}
    assert download(s3, completed(buyer, create(buyer, format="jsonl", filters={"user_id": other.id}))) == ""
    chief = account(role="admin")
    path = create(chief, filters={"user_id__in": f"{buyer.id},{other.id}"})
    assert {row["user_id"] for row in table(s3, completed(chief, path))} == {buyer.id, other.id}
    export_id = path.rpartition("/")[2]
    expect.problem(buyer.get(f"{EXPORTS}/{export_id}"), 404)
    assert export_id not in {export["id"] for export in buyer.rows("exports")}


def test_export_of_all_rows_is_not_found_without_the_admin_scope(
    account: Callable[..., Client], connect: Connect
) -> None:
    chief = account(role="admin")
    path = create(chief, filters={"user_id": chief.id})
    key = chief.post(f"{API}/api_keys", json={"name": "reader", "scopes": ["read"]}).json()["key"]
    reader = connect(bearer=key)
    expect.problem(reader.get(path), 404)
    assert reader.rows("exports") == []


def test_demoted_admin_cannot_read_an_export_of_all_rows(
    account: Callable[..., Client], admin: Client
) -> None:
    demoted = account(role="admin")
    path = create(demoted, filters={"user_id": demoted.id})
    change = {"role": "client"}
    assert admin.patch(f"{API}/users/{demoted.id}", json=change).status_code == 204
    expect.problem(demoted.get(path), 404)


def test_export_that_is_not_completed_has_no_link(client: Client) -> None:
    response = client.post(EXPORTS, json={"resource": "records"})
    assert "url" not in response.json()
    path = response.headers["Location"]
    before = exact(client.get(path))
    assert (before["url"] is None) == (before["status"] != "completed")
    export = completed(client, path)
    assert export["expires_at"] > export["finished_at"]


def test_retried_export_is_written_once(client: Client) -> None:
    for _ in range(3):
        response = client.post(
            EXPORTS, json={"resource": "records"}, headers={"Idempotency-Key": "the export"}
        )
        assert response.status_code == 202
    assert len(client.rows("exports")) == 1


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"resource": "users"}, "#/resource"),
        ({"resource": "records", "format": "xlsx"}, "#/format"),
        ({"resource": "records", "filters": {"colour": "red"}}, "#/filters/colour"),
        ({"resource": "records", "filters": {"page": "1"}}, "#/filters/page"),
        ({"resource": "records", "filters": {"amount": "much"}}, "#/filters/amount"),
        ({"resource": "ledger", "filters": {"task_id": "1"}}, "#/filters/task_id"),
        ({"resource": "records", "filters": {"search": "1"}}, "#/filters/search"),
        ({"resource": "records", "filters": {"sort": "date"}}, "#/filters/sort"),
        ({"resource": "records", "filters": {"deleted": "true"}}, "#/filters/deleted"),
        ({"resource": "records", "fields": ["colour"]}, "#/fields"),
        ({"resource": "records", "fields": ["date", "amount", "date"]}, "#/fields"),
        ({"resource": "records", "filters": {"operation": "a" * 9_999}}, "#/filters"),
    ],
)
def test_invalid_export_is_rejected(client: Client, members: dict[str, Any], pointer: str) -> None:
    assert expect.pointers(client.post(EXPORTS, json=members)) == [pointer]


def test_too_many_exports_at_once_are_throttled(client: Client) -> None:
    responses = [client.post(EXPORTS, json={"resource": "records"}) for _ in range(7)]
    assert [response.status_code for response in responses] == [202] * 6 + [429]
    assert int(responses[-1].headers["Retry-After"]) >= 1


def test_export_has_the_rows_of_files(rich_with_file: tuple[Client, int], s3: httpx.Client) -> None:
    client, rows = rich_with_file
    export = completed(client, create(client, fields=["task_row"]))
    assert sorted(int(row["task_row"]) for row in table(s3, export)) == list(range(1, rows + 1))


@pytest.fixture
def rich_with_file(account: Callable[..., Client]) -> tuple[Client, int]:
    client, rows = account(balance=10_000), 1000
    path = upload(client, HEADER + b'addition,"[1, 2]"\n' * rows)
    assert ended(client, path)["status"] == "completed"
    return client, rows
