"""Calls and lists: exact numbers, typed rows, all pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest

from restcalc import Client, InsufficientCredit, InvalidInput, SpendLimitReached, to_json
from restcalc.models import LedgerKind, Operation, Record, Role, Scope, SpendLimit

DIGITS = "0.1234567890123456789012345678901234"
ROWS = 23
FILE = b"operation,arguments\n" + b"".join(b'addition,"[%d, 0.5]"\n' % row for row in range(ROWS))


@pytest.fixture(scope="module")
def rich(admin: Client, connect: Callable[..., Client]) -> Client:
    """A client whose history has the rows of a file, and a call of its own."""
    user = admin.create_user("rich@client.example", "correct-horse-1!", balance="1000")
    client = connect()
    client.login(user.email, "correct-horse-1!")
    client.wait(client.upload(BytesIO(FILE)).id)
    client.compute("square_root", 2)
    return client


def test_charge_is_typed_and_exact(client: Client) -> None:
    charged = client.compute("addition", 0.1, "0.2")
    assert charged.result == Decimal("0.3")
    assert (charged.amount, charged.user_balance) == (5, 15)
    assert isinstance(client.compute("addition", 1, 2).result, Decimal)
    assert isinstance(client.compute("random_string").result, str)
    record = client.get_record(charged.record_id)
    assert (record.operation, record.arguments) == ("addition", [Decimal("0.1"), Decimal("0.2")])


@pytest.mark.parametrize("argument", [Decimal(DIGITS), DIGITS], ids=["Decimal", "text"])
def test_all_digits_of_an_argument_arrive(client: Client, argument: Decimal | str) -> None:
    charged = client.compute("addition", argument, 0)
    assert client.get_record(charged.record_id).arguments == [Decimal(DIGITS), 0]


@pytest.mark.parametrize("argument", [float("nan"), float("inf"), "one", "", True, None, [1]], ids=repr)
def test_what_is_no_number_is_rejected_without_a_request(argument: object) -> None:
    with (
        Client("http://localhost:1", retries=0) as client,
        pytest.raises((TypeError, ValueError), match="number"),
    ):
        client.compute("addition", argument)  # type: ignore[arg-type]


def test_money_has_all_its_digits(client: Client, admin: Client) -> None:
    granted = admin.grant_credit(client.get_current_user().id, "123456789012.3456", "a test")
    assert granted.user_balance == client.get_current_user().balance == Decimal("123456789032.3456")
    assert next(iter(client.list_ledger())).balance_after == Decimal("123456789032.3456")


def test_same_key_is_charged_once(client: Client) -> None:
    first = client.compute("random_string", idempotency_key="order 1")
    again = client.compute("random_string", idempotency_key="order 1")
    assert again == first
    assert (first.replayed, again.replayed) == (False, True)
    assert to_json(again) == to_json(first)
    assert client.get_current_user().balance == 15


def test_call_without_enough_credit_says_what_is_missing(client: Client, admin: Client) -> None:
    admin.update_user(client.get_current_user().id, balance=3)
    with pytest.raises(InsufficientCredit, match="The balance is 3 and this call costs 5") as caught:
        client.compute("addition", 1, 2)
    assert (caught.value.balance, caught.value.cost) == (3, 5)


def test_key_with_a_limit_stops_at_it(client: Client, connect: Callable[..., Client]) -> None:
    created = client.create_api_key(
        "a program", scopes=["compute"], spend_limit=SpendLimit(Decimal(5), "day")
    )
    program = connect(api_key=created.key)
    program.compute("addition", 1, 2)
    with pytest.raises(SpendLimitReached, match=r"may spend 5 per day\. 5 of it are spent"):
        program.compute("addition", 1, 2)
    key = client.get_api_key(created.id)
    assert (key.scopes, key.spent, key.spend_limit) == ([Scope.COMPUTE], 5, created.spend_limit)
    client.revoke_api_key(created.id)
    assert list(client.list_api_keys()) == []


def test_invalid_input_has_its_faults(client: Client) -> None:
    with pytest.raises(InvalidInput) as caught:
        client.create_task("", 0)
    assert [fault.pointer for fault in caught.value.errors] == ["#/filename", "#/size"]


def test_iteration_returns_the_rows_of_all_pages(rich: Client) -> None:
    rows = list(rich.list_records(page_size=10))
    assert len({row.id for row in rows}) == ROWS + 1
    assert [row.task_row for row in rows] == [None, *range(ROWS, 0, -1)]
    assert all(isinstance(row, Record) for row in rows)


def test_page_has_a_total_and_a_cursor(rich: Client) -> None:
    records = rich.list_records(page_size=10)
    first = records.page()
    assert (len(first.rows), first.total, first.total_relation, first.total_pages) == (10, ROWS + 1, "eq", 3)
    second = records.page(cursor=first.next_cursor)
    assert second.rows == records.page(2).rows
    assert second.total is None
    assert records.page(3).next_cursor is None


def test_filters_select_rows(rich: Client) -> None:
    now = datetime.now(UTC)
    assert [row.operation for row in rich.list_records(task_id=None)] == ["square_root"]
    assert len(list(rich.list_records(task_row__in=[1, 2], operation="addition"))) == 2
    assert list(rich.list_records(date__gte=now)) == []
    assert len(list(rich.list_records(date__gte=now - timedelta(hours=1), date__lt=now))) == ROWS + 1
    assert [row.task_row for row in rich.list_records(search="22.5")] == [ROWS]
    assert [row.task_row for row in rich.list_records(sort=["task_row"], task_row__lte=2)] == [1, 2]
    assert next(iter(rich.list_ledger(kind=LedgerKind.OPENING))).balance_after == 1000
    with pytest.raises(InvalidInput, match="unknown parameter"):
        list(rich.list_records(colour="red"))
    with pytest.raises(ValueError, match="has no time zone"):
        rich.list_records(date__gte=datetime.now())


def test_selected_fields_are_the_only_ones(rich: Client) -> None:
    row = rich.list_records(fields=["amount", "operation"], task_id=None).page().rows[0]
    assert (row.amount, row.operation) == (5, "square_root")
    assert not hasattr(row, "id")
    assert to_json(row) == b'{"amount":5,"operation":"square_root"}'


def test_usage_sums_up_calls_and_rows(rich: Client) -> None:
    usage = rich.get_usage(by="month", from_=datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
    assert {(one.operation, one.calls, one.rows, one.spent) for one in usage.usage} == {
        ("square_root", 1, 0, Decimal(5)),
        ("addition", 0, ROWS, Decimal(5 * ROWS)),
    }


def test_admin_sees_prices_users_and_changes(admin: Client, rich: Client) -> None:
    user = next(iter(admin.list_users(email="rich@client.example")))
    assert user == admin.get_user(user.id) == rich.get_current_user()
    assert user.role is Role.CLIENT
    prices = list(admin.list_operations(sort="type"))
    assert prices[0] == admin.get_operation(prices[0].id)
    assert isinstance(prices[0], Operation)
    entry = next(iter(admin.list_audit_log(resource="user", resource_id=user.id)))
    assert (entry.action, entry.before) == ("create", None)
    assert entry.after
    assert entry.after["balance"] == 1000
