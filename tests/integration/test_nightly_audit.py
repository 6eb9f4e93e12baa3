"""The nightly audit reads only what is new and finds all damage; a full audit continues where it stopped."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.housekeeping import audit as nightly
from shared import database
from shared.billing import audit
from shared.database import UnitOfWork, dispose_connections
from tests.support.audit import mismatches
from tests.support.charging import charge, hold_charge
from tests.support.users import Person, create_person

Sql = Callable[..., list[list[Any]]]
SETTLED = audit.SETTLED_SECONDS


@pytest.fixture(autouse=True)
def all_entries_are_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SETTLED_SECONDS", 0.0)


@pytest.fixture
def tamper(sql: Sql) -> Callable[..., None]:
    """Return a function that runs SQL without the trigger that protects the ledger."""

    def run(statement: str, **parameters: Any) -> None:
        sql("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")
        sql(statement, **parameters)
        sql("ALTER TABLE ledger ENABLE TRIGGER ledger_append_only")

    return run


def passes() -> bool:
    """Run the nightly audit and return whether it found nothing."""
    try:
        return nightly.handler({}, None) == {"status": audit.PASSED}
    except nightly.LedgerMismatch:
        return False


def verified_seq(sql: Sql) -> int:
    ((seq,),) = sql("SELECT verified_seq FROM audit_state")
    return int(seq)


NEWEST = "seq = (SELECT max(seq) FROM ledger WHERE user_id = :id)"
OLDER = "seq = (SELECT max(seq) - 1 FROM ledger WHERE user_id = :id)"
CHANGED_CHAIN = "balance_before = balance_before + 1, balance_after = balance_after + 1"
DAMAGE = {
    "balance": "UPDATE users SET balance = balance + 0.0001 WHERE id = :id",
    "missing entry": f"DELETE FROM ledger WHERE {NEWEST}",
    "missing entry before the newest": f"DELETE FROM ledger WHERE {OLDER}",
    "all entries": "DELETE FROM ledger WHERE user_id = :id",
    "changed entry": f"UPDATE ledger SET {CHANGED_CHAIN} WHERE {NEWEST}",
    "changed entry before the newest": f"UPDATE ledger SET {CHANGED_CHAIN} WHERE {OLDER}",
    "kind": f"UPDATE ledger SET kind = 'grant' WHERE {NEWEST}",
    "usage": "UPDATE usage_hours SET spent = spent - 0.0001 WHERE user_id = :id",
    "missing usage": "DELETE FROM usage_hours WHERE user_id = :id",
    "usage without a charge": (
        "INSERT INTO usage_hours (user_id, hour, type, spent)"
        " VALUES (:id, date_trunc('hour', now(), 'UTC'), 'x', 1)"
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
@pytest.mark.parametrize("settled_seconds", [0.0, SETTLED])
@pytest.mark.parametrize("verified", [False, True])
def test_damage_is_found_the_same_night_and_every_night_after(
    client: Person,
    tamper: Callable[..., None],
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
    settled_seconds: float,
    verified: bool,
) -> None:
    monkeypatch.setattr(audit, "SETTLED_SECONDS", settled_seconds if verified else 0.0)
    if verified:
        assert passes()
    monkeypatch.setattr(audit, "SETTLED_SECONDS", settled_seconds)
    create_person()
    charge(client)
    charge(client)
    tamper(damage, id=client.id)
    assert not passes()
    assert not passes()
    monkeypatch.setattr(audit, "SETTLED_SECONDS", 0.0)
    charge(client)
    assert not passes()
    assert sql("SELECT user_id FROM audit_points WHERE is_suspect") == [[client.id]]


def test_repaired_damage_is_no_longer_found(client: Person, tamper: Callable[..., None], sql: Sql) -> None:
    charge(client)
    assert passes()
    tamper(f"UPDATE ledger SET {CHANGED_CHAIN} WHERE user_id = :id", id=client.id)
    assert not passes()
    tamper(
        "UPDATE ledger SET balance_before = balance_before - 1, balance_after = balance_after - 1"
        " WHERE user_id = :id",
        id=client.id,
    )
    assert passes()
    charge(client)
    assert passes()
    assert sql("SELECT count(*) FROM audit_points WHERE is_suspect") == [[0]]


@pytest.mark.parametrize("damaged_hours_ago", [None, 5, 3, 0])
def test_usage_of_each_hour_since_the_last_night_is_compared(
    client: Person, tamper: Callable[..., None], sql: Sql, damaged_hours_ago: int | None
) -> None:
    def charge_hours_ago(hours: int) -> None:
        charge(client)
        ago = timedelta(hours=hours)
        tamper(
            f"UPDATE ledger SET date = date - CAST(:ago AS interval) WHERE {NEWEST}", id=client.id, ago=ago
        )
        sql(
            "INSERT INTO usage_hours AS u (user_id, hour, type, calls, spent)"
            " SELECT user_id, hour - CAST(:ago AS interval), type, 1, 5 FROM usage_hours WHERE calls = 1"
            "   AND hour = (SELECT max(hour) FROM usage_hours)"
            " ON CONFLICT (user_id, hour, type) DO UPDATE SET spent = u.spent + 5",
            ago=ago,
        )
        sql("DELETE FROM usage_hours WHERE hour = date_trunc('hour', now(), 'UTC')")

    charge_hours_ago(5)
    assert passes()
    charge_hours_ago(5)  # in the hour of the point
    charge_hours_ago(3)
    charge(client)
    if damaged_hours_ago is not None:
        sql(
            "UPDATE usage_hours SET spent = spent + 1"
            " WHERE hour = date_trunc('hour', now() - CAST(:ago AS interval), 'UTC')",
            ago=timedelta(hours=damaged_hours_ago),
        )
    expected = damaged_hours_ago is None
    assert passes() is expected
    assert passes() is expected
    assert (mismatches() == []) is expected


def test_young_entries_are_verified_for_good_only_when_they_have_settled(
    client: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SETTLED_SECONDS", SETTLED)
    charge(client)
    assert passes()
    assert verified_seq(sql) == 0
    monkeypatch.setattr(audit, "SETTLED_SECONDS", 0.0)
    assert passes()
    assert [[verified_seq(sql)]] == sql("SELECT max(seq) FROM ledger")


@pytest.mark.parametrize("is_damaged", [False, True])
def test_entry_that_a_long_transaction_commits_late_is_not_missed(
    client: Person, tamper: Callable[..., None], sql: Sql, is_damaged: bool
) -> None:
    other = create_person(balance=100)
    with UnitOfWork() as uow:
        hold_charge(uow, client, "late")
        sql(
            "INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)"
            " SELECT gen_random_uuid(), :id, 'grant', 0, 100, 100, '{}'",
            id=other.id,
        )
        assert passes()
        before = verified_seq(sql)
        uow.commit()
    ((late,),) = sql("SELECT max(seq) FROM ledger WHERE user_id = :id", id=client.id)
    assert late < before
    if is_damaged:
        tamper(f"UPDATE ledger SET {CHANGED_CHAIN} WHERE seq = :late", late=late)
    assert passes() is not is_damaged
    charge(client)
    assert passes() is not is_damaged
    assert passes() is not is_damaged


def insert_entries(sql: Sql, person: Person, count: int) -> None:
    sql(
        "INSERT INTO ledger (id, user_id, kind, amount, balance_before, balance_after, reference)"
        " SELECT gen_random_uuid(), CAST(:id AS uuid), 'grant', 0, 20, 20, '{}'"
        " FROM generate_series(1, CAST(:count AS int))",
        id=person.id,
        count=count,
    )


def test_a_night_reads_entries_in_proportion_to_the_new_ones(client: Person, sql: Sql) -> None:
    def entries_read() -> int:
        """Run one step, which is a whole audit here, and return how many rows of the ledger it read."""
        with UnitOfWork() as uow:
            uow.only("lock_audit")
            uow.only("audit_entries", row_limit=100_000, settled_seconds=0)
            uow.only("audit_users", row_limit=1000)
            (row,) = uow.query(
                "SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables"
                " WHERE relname = 'ledger'",
                {},
            )
            uow.commit()
        return int(row["rows"])

    people = [client, *(create_person() for _ in range(3))]
    for person in people:
        insert_entries(sql, person, 5000)
    sql("ANALYZE")
    assert entries_read() >= 20_000
    sql("ANALYZE")
    dispose_connections()
    assert entries_read() < 50
    insert_entries(sql, client, 100)
    assert 100 <= entries_read() < 500


def test_short_night_continues_the_next_night(
    client: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nightly, "SECONDS", 0.0)
    monkeypatch.setattr(audit, "ENTRIES_LIMIT", 10)
    monkeypatch.setattr(audit, "USERS_LIMIT", 2)
    insert_entries(sql, client, 25)
    statuses = [nightly.handler({}, None)["status"] for _ in range(4)]
    assert ["continues" in status for status in statuses] == [True, True, True, False]


def test_interrupted_full_audit_continues_and_finds_damage_of_any_user(
    sql: Sql, tamper: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [create_person(balance=100) for _ in range(6)]
    for person in people * 2:
        charge(person)
    assert passes()
    monkeypatch.setattr(audit, "ENTRIES_LIMIT", 4)
    monkeypatch.setattr(audit, "USERS_LIMIT", 3)
    for person in people:
        entry = {"id": person.id}
        first = "seq = (SELECT min(seq) FROM ledger WHERE user_id = :id)"
        tamper(f"UPDATE ledger SET {CHANGED_CHAIN} WHERE {first}", **entry)
        calls = 0
        while True:
            progress, lines = audit.continue_full_audit(0)
            dispose_connections()  # each call is another process
            calls += 1
            if progress.is_finished:
                break
            assert lines == []
        assert calls >= 20 // 4 + 8 // 3
        (line,) = lines
        assert person.email in line
        back = CHANGED_CHAIN.replace("+", "-")
        tamper(f"UPDATE ledger SET {back} WHERE {first}", **entry)
        assert audit.findings() == []


def test_new_full_audit_begins_at_the_first_entry(client: Person, sql: Sql) -> None:
    assert audit.findings() == []
    before = verified_seq(sql)
    sql("UPDATE audit_points SET balance = 1, is_suspect = true")
    file = sql("SELECT pg_relation_filenode('audit_points')")
    assert audit.findings() == []
    assert sql("SELECT pg_relation_filenode('audit_points')") != file  # truncated, whatever its size
    assert verified_seq(sql) == before
    assert sql("SELECT count(*) FROM audit_points WHERE balance = 1 OR is_suspect") == [[0]]


def test_parallel_audits_beside_charges_find_nothing(
    client: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "ENTRIES_LIMIT", 3)
    monkeypatch.setattr(audit, "USERS_LIMIT", 2)
    rich = create_person(balance=Decimal(1000))

    def charges_of_rich() -> bool:
        for _ in range(40):
            charge(rich)
        return True

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(job) for job in (charges_of_rich, passes, passes)]
        full = pool.submit(audit.findings)
        assert all(job.result(60) for job in jobs)
        assert full.result(60) == []
    assert passes()
    assert database.run("audit_suspects", after=None, row_limit=1) == []
