"""Money under concurrency: many callers and several processes share one balance."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from localstack.stack import Stack
from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.audit import run_audit
from tests.support.http_client import API, Client, exact

COST, PAID, CALLS = 5, 10, 50


def test_50_concurrent_calls_with_credit_for_10_are_charged_10_times(
    account: Callable[..., Client], connect: Connect
) -> None:
    client = account(balance=COST * PAID)
    callers = [connect(bearer=client.access_token) for _ in range(CALLS)]
    with ThreadPoolExecutor(CALLS) as pool:
        responses = list(pool.map(lambda caller: caller.compute(), callers))

    assert Counter(response.status_code for response in responses) == {200: PAID, 402: CALLS - PAID}
    left = sorted(exact(response)["user_balance"] for response in responses if response.is_success)
    assert left == [COST * n for n in range(PAID)], "every charge must see a different balance"
    for response in responses:
        if not response.is_success:
            problem = expect.problem(response, 402)
            assert problem["balance"] < problem["cost"] == COST
    assert client.balance == 0

    records = client.rows("records")
    assert len(records) == PAID
    assert sorted(record["user_balance"] for record in records) == left
    statement = client.rows("ledger")
    *charges, opening = statement
    assert (opening["kind"], opening["amount"]) == ("opening", COST * PAID)
    assert [(entry["kind"], entry["amount"]) for entry in charges] == [("charge", -COST)] * PAID
    assert {e["reference"]["record_id"] for e in charges} == {record["id"] for record in records}
    expect.sound_statement(statement, Decimal(0))


def test_concurrent_charges_grants_and_adjustments_keep_the_ledger_consistent(
    admin: Client, account: Callable[..., Client], connect: Connect
) -> None:
    client = account(balance=30)
    users = f"{API}/users/{client.id}"
    admins = [connect(bearer=admin.access_token) for _ in range(8)]
    callers = [connect(bearer=client.access_token) for _ in range(16)]
    grant = {"amount": 2.5, "reason": "a present"}
    take = {"amount": -1.25, "reason": "taken back"}
    with ThreadPoolExecutor(24) as pool:
        computed = [pool.submit(caller.compute) for caller in callers]
        granted = [pool.submit(one.post, f"{users}/credits", json=grant) for one in admins[:4]]
        granted += [pool.submit(one.post, f"{users}/credits", json=take) for one in admins[4:6]]
        adjusted = [pool.submit(one.patch, users, json={"balance": 17.5}) for one in admins[6:]]
    assert {job.result().status_code for job in computed} <= {200, 402}
    assert {job.result().status_code for job in granted} <= {200, 422}
    assert {job.result().status_code for job in adjusted} == {204}
    statement = client.rows("ledger")
    expect.sound_statement(statement, client.balance)
    paid = [entry for entry in statement if entry["kind"] == "charge"]
    assert len(paid) == sum(job.result().status_code == 200 for job in computed)


@pytest.mark.local
def test_audit_finds_no_wrong_balance(client: Client, stack: Stack) -> None:
    client.compute()
    audit = run_audit(stack)
    assert audit.returncode == 0, audit.stdout
