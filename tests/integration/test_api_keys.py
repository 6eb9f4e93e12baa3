"""API keys: scopes, expiry, the time of the last use, and the spending limit of single calls."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.auth import api_keys
from shared.auth import caller as auth
from shared.billing import charges
from shared.database import UnitOfWork
from shared.errors import (
    Forbidden,
    InsufficientScope,
    InvalidInput,
    NotSignedIn,
    SpendLimitReached,
)
from shared.schemas.field_types import Scope
from shared.schemas.requests import NewApiKey
from tests.support.audit import mismatches
from tests.support.charging import balance_and_counts, charge, outcome_of
from tests.support.users import ApiKey, Person, create_api_key, create_person, run_concurrently

pytestmark = pytest.mark.usefixtures("database_url")

Sql = Callable[..., list[list[Any]]]
NOW = datetime.now(UTC)
SCOPES: tuple[Scope, ...] = ("read", "compute", "batch", "admin")


def limited(person: Person, amount: Decimal | int, per: str = "total", **parameters: Any) -> ApiKey:
    return create_api_key(person.id, limit_amount=Decimal(amount), limit_per=per, **parameters)


def spent(sql: Sql, key: ApiKey) -> Decimal:
    """Return what the API shows as spent in the current period."""
    ((body,),) = sql("SELECT api_key_json(k) FROM api_keys k WHERE id = :id", id=key.id)
    return Decimal(json.loads(body, parse_float=Decimal)["spent"])


def test_new_key_shows_its_scopes_expiry_and_limit(client: Person) -> None:
    wanted = {
        "name": "nightly",
        "scopes": ["compute"],
        "expires_at": (NOW + timedelta(days=1)).isoformat(),
        "spend_limit": {"amount": Decimal("0.0001"), "per": "day"},
    }
    _, body = api_keys.create(client.credentials, client.id, NewApiKey.model_validate(wanted))
    created = json.loads(body, parse_float=Decimal)
    assert created["scopes"] == ["compute"]
    assert created["spend_limit"] == {"amount": Decimal("0.0001"), "per": "day"}
    assert datetime.fromisoformat(created["expires_at"]) == NOW + timedelta(days=1)
    assert (created["spent"], created["last_used_at"]) == (0, None)


def test_key_has_no_admin_scope_by_default_even_for_an_admin(admin: Person) -> None:
    _, body = api_keys.create(admin.credentials, admin.id, NewApiKey(name="x"))
    created = json.loads(body)
    assert created["scopes"] == ["read", "compute", "batch"]
    assert (created["expires_at"], created["spend_limit"]) == (None, None)


def test_expiry_in_the_past_is_rejected(client: Person) -> None:
    with pytest.raises(InvalidInput) as caught:
        api_keys.create(client.credentials, client.id, NewApiKey(name="x", expires_at=NOW.isoformat()))
    assert caught.value.errors[0]["pointer"] == "#/expires_at"


def test_only_an_admin_can_choose_the_admin_scope(client: Person, admin: Person, sql: Sql) -> None:
    wanted = NewApiKey(name="x", scopes=["admin"])
    with pytest.raises(Forbidden):
        api_keys.create(client.credentials, client.id, wanted)
    assert sql("SELECT count(*) FROM api_keys") == [[0]]
    api_keys.create(admin.credentials, admin.id, wanted)


@pytest.mark.parametrize("scope", SCOPES)
def test_key_has_exactly_its_scopes(admin: Person, scope: Scope) -> None:
    caller = auth.look_up(create_api_key(admin.id, scopes=[scope]).credentials)
    for other in SCOPES:
        if other == scope:
            auth.check_scope(caller, other)
            continue
        with pytest.raises(InsufficientScope, match=f"scope '{other}'"):
            auth.check_scope(caller, other)
    with pytest.raises(InsufficientScope, match="no API key"):
        auth.check_scope(caller, None)


@pytest.mark.parametrize("scope", [*SCOPES, None])
def test_session_has_all_scopes(client: Person, scope: Scope | None) -> None:
    auth.check_scope(auth.look_up(client.credentials), scope)


def test_key_of_an_admin_without_the_admin_scope_acts_as_a_client(admin: Person, sql: Sql) -> None:
    plain = create_api_key(admin.id)
    full = create_api_key(admin.id, scopes=["read", "admin"])
    assert auth.look_up(plain.credentials).visible_owner == admin.id
    assert auth.look_up(full.credentials).visible_owner is None
    sql("UPDATE users SET role = 'client' WHERE id = :id", id=admin.id)
    assert auth.look_up(full.credentials).visible_owner == admin.id
    with pytest.raises(Forbidden):
        auth.look_up(full.credentials, admin=True)


def test_key_without_the_compute_scope_charges_nothing(client: Person, sql: Sql) -> None:
    key = create_api_key(client.id, scopes=["read", "batch"])
    charge(client, "key")
    for idempotency_key in (None, "key"):
        with pytest.raises(InsufficientScope, match="'compute'"):
            charge(key.credentials, idempotency_key)
    assert (spent(sql, key), balance_and_counts(sql, client)) == (0, (15, 1, 1))


def test_key_works_until_it_expires(client: Person, sql: Sql) -> None:
    key = create_api_key(client.id, expires_at=datetime.now(UTC) + timedelta(hours=1))
    charge(key.credentials)
    sql("UPDATE api_keys SET expires_at = now()")
    for use in (charge, auth.look_up):
        with pytest.raises(NotSignedIn):
            use(key.credentials)


@pytest.mark.parametrize("use", [charge, auth.look_up], ids=["charge", "look_up"])
@pytest.mark.parametrize(
    ("age", "stored"), [(None, True), ("59 minutes", False), ("61 minutes", True)], ids=str
)
def test_last_use_is_stored_at_most_once_an_hour(
    client: Person, sql: Sql, use: Callable[[Any], Any], age: str | None, stored: bool
) -> None:
    key = create_api_key(client.id)
    sql("UPDATE api_keys SET last_used_at = now() - CAST(:age AS interval)", age=age)
    before = sql("SELECT last_used_at FROM api_keys")
    use(key.credentials)
    assert (sql("SELECT last_used_at FROM api_keys") != before) == stored
    assert sql("SELECT last_used_at > now() - interval '1 hour' FROM api_keys") == [[True]]


def test_call_over_the_limit_charges_nothing_and_names_limit_spent_and_cost(client: Person, sql: Sql) -> None:
    key = limited(client, "9.9999")
    charge(key.credentials)
    for idempotency_key in (None, "key"):
        with pytest.raises(SpendLimitReached) as caught:
            charge(key.credentials, idempotency_key)
        assert (caught.value.balance, caught.value.cost) == (15, 5)
        assert caught.value.detail == (
            "This API key may spend 9.9999 in total. 5 of it are spent, and this call costs 5. Use another"
            " key."
        )
    assert (spent(sql, key), balance_and_counts(sql, client)) == (5, (15, 1, 1))
    assert outcome_of(lambda: charge(client)) == "charged"
    assert outcome_of(lambda: charge(limited(client, 5).credentials)) == "charged"


def test_detail_says_when_the_period_ends(client: Person, sql: Sql) -> None:
    key = limited(client, 4, "month")
    with pytest.raises(SpendLimitReached) as caught:
        charge(key.credentials)
    (((end),),) = sql("SELECT rfc3339(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month')")
    assert f"The month ends at {end}. " in caught.value.detail


def test_quote_rejects_what_the_charge_would_reject(client: Person) -> None:
    for key, error in (
        (limited(client, 4), SpendLimitReached),
        (create_api_key(client.id, scopes=["read"]), InsufficientScope),
    ):
        with pytest.raises(error):
            charges.quote(charges.Call(key.credentials, "addition", "[1, 2]", None))


def test_free_call_is_possible_with_an_exhausted_limit(client: Person, sql: Sql) -> None:
    key = limited(client, 5)
    charge(key.credentials)
    sql("UPDATE operations SET cost = 0 WHERE type = 'addition'")
    assert outcome_of(lambda: charge(key.credentials)) == "charged"
    assert spent(sql, key) == 5


def test_replay_does_not_count(client: Person, sql: Sql) -> None:
    key = limited(client, 5)
    charge(key.credentials, "key")
    assert charge(key.credentials, "key").replayed
    assert spent(sql, key) == 5


def test_insufficient_credit_does_not_count(sql: Sql) -> None:
    person = create_person(balance=6)
    key = limited(person, 100)
    outcomes = [outcome_of(lambda: charge(key.credentials)) for _ in range(2)]
    assert outcomes == ["charged", "InsufficientCredit"]
    assert spent(sql, key) == 5


def test_key_without_a_limit_counts_too(client: Person, sql: Sql) -> None:
    key = create_api_key(client.id)
    for _ in range(2):
        charge(key.credentials)
    assert spent(sql, key) == 10


@pytest.mark.parametrize("per", ["day", "month"])
def test_limit_is_available_again_in_the_next_period(client: Person, sql: Sql, per: str) -> None:
    key = limited(client, 5, per)
    charge(key.credentials)
    assert outcome_of(lambda: charge(key.credentials)) == "SpendLimitReached"
    # As if the call had been in the previous period.
    sql("UPDATE api_keys SET spent_since = spent_since - CAST('1 ' || limit_per AS interval)")
    assert spent(sql, key) == 0
    assert outcome_of(lambda: charge(key.credentials)) == "charged"
    assert spent(sql, key) == 5
    assert sql("SELECT spent_since = date_trunc(limit_per, now(), 'UTC') FROM api_keys") == [[True]]


def test_call_that_waited_for_the_next_period_counts_in_it(client: Person, sql: Sql) -> None:
    key = limited(client, 5, "day")
    charge(key.credentials)
    # A call of the next day was charged while this one, which began before midnight, waited for the row.
    sql("UPDATE api_keys SET spent_since = spent_since + interval '1 day'")
    assert outcome_of(lambda: charge(key.credentials)) == "SpendLimitReached"
    assert spent(sql, key) == 5


def test_total_limit_has_no_period(client: Person, sql: Sql) -> None:
    key = limited(client, 5)
    charge(key.credentials)
    assert sql("SELECT spent_since FROM api_keys") == [[None]]


@pytest.mark.parametrize("keys", [1, 2])
def test_fifty_concurrent_calls_on_a_key_with_room_for_ten_charge_ten_times(sql: Sql, keys: int) -> None:
    person = create_person(balance=1000)
    found = [limited(person, 50, "day") for _ in range(keys)]
    outcomes = run_concurrently(
        50, lambda number: outcome_of(lambda: charge(found[number % keys].credentials))
    )
    assert Counter(outcomes) == {"charged": 10 * keys, "SpendLimitReached": 50 - 10 * keys}
    assert [spent(sql, key) for key in found] == [50] * keys
    assert balance_and_counts(sql, person) == (1000 - 50 * keys, 10 * keys, 10 * keys)
    assert mismatches() == []


def test_concurrent_calls_count_only_what_the_balance_covers(sql: Sql) -> None:
    """The balance covers less than the limit, and a session spends it at the same time."""
    person = create_person(balance=50)
    key = limited(person, 1000)
    payers = (key.credentials, person.credentials)
    outcomes = run_concurrently(30, lambda number: outcome_of(lambda: charge(payers[number % 2])))
    assert Counter(outcomes) == {"charged": 10, "InsufficientCredit": 20}
    assert spent(sql, key) == 5 * Counter(outcomes[::2])["charged"]
    assert balance_and_counts(sql, person) == (0, 10, 10)


@pytest.mark.parametrize("idempotency_key", [None, "key"])
def test_call_that_waited_for_the_revocation_of_its_key_is_rejected(
    client: Person,
    sql: Sql,
    another_uow: Callable[[], UnitOfWork],
    idempotency_key: str | None,
) -> None:
    key = limited(client, 100)
    other = another_uow()
    other.one("revoke_api_key", id=key.id, user_id=client.id, admin_id=None, audit_id=None)

    def act(number: int) -> str:
        if number:
            return outcome_of(lambda: charge(key.credentials, idempotency_key))
        while not sql("SELECT FROM pg_locks WHERE NOT granted"):
            pass
        other.commit()
        return "revoked"

    assert run_concurrently(2, act) == ["revoked", "NotSignedIn"]
    assert balance_and_counts(sql, client) == (20, 0, 0)
