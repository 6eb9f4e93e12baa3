"""The response to a change is lost: the client sends the request again only if that changes nothing twice."""

import io
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, cast
from uuid import UUID

import pytest

from restcalc import Client, Unreachable
from tests.client.conftest import ADMIN_PASSWORD, Service
from tests.support.documented_client import OPERATION_IDS, method_name, parameters
from tests.support.http_client import PASSWORD, new_email
from tests.support.totals import totals
from tests.support.webhooks import UNKNOWN_HOST

FILE = b'operation,arguments\naddition,"[1, 2]"\n'
REASON = "a mistake"
THRESHOLDS = count(1)
"""Each is one more than the last, so that each change moves the total by one."""

Send = Callable[[], Any]
Prepare = Callable[[Client, Client], Send]
"""Prepares a change by an admin and a client. Returns the call that sends it."""


@pytest.fixture(scope="module")
def rich(admin: Client, connect: Callable[..., Client]) -> Client:
    """A client with enough credit for all tests of this file."""
    client = connect()
    client.login(new_email(), PASSWORD)
    admin.grant_credit(client.get_current_user().id, 1000, "for the tests")
    return client


@pytest.fixture
def caller(request: pytest.FixtureRequest, name: str) -> Client:
    """The client of a change. A new account for tasks and webhooks, of which a user may have only some."""
    is_limited = "task" in name or "webhook" in name or name == "process_csv"
    return cast(Client, request.getfixturevalue("client" if is_limited else "rich"))


def priced(admin: Client) -> UUID:
    """Return the id of the price of the square root."""
    return next(iter(admin.list_operations(type="square_root"))).id


def unpriced(admin: Client, client: Client) -> Send:
    admin.delete_operation(priced(admin))
    return partial(admin.create_operation, "square_root", 5)


def deleted_price(admin: Client, client: Client) -> Send:
    """Delete the price of the square root, and set it again."""
    operation = priced(admin)
    return lambda: (admin.delete_operation(operation), admin.create_operation("square_root", 5))


def changed_price(admin: Client, client: Client) -> Send:
    admin.update_operation(priced(admin), cost=6)
    return partial(admin.update_operation, priced(admin), cost=5)


def manual_record(admin: Client, client: Client) -> Send:
    return partial(admin.create_record, priced(admin), own_id(client), 1, 2, 3)


def record(client: Client) -> UUID:
    return client.compute("addition", 1, 2).record_id


def cancelled_task(client: Client) -> UUID:
    return client.cancel_task(client.create_task("a.csv", 9).id).id


def processed(client: Client, **options: Any) -> UUID:
    """Return the id of a task that has ended."""
    return client.wait(client.upload(io.BytesIO(FILE), **options).id).id


def other_session(client: Client) -> UUID:
    client.login(client.get_current_user().email, PASSWORD)
    return next(session.id for session in client.list_sessions() if not session.current)


def own_id(client: Client) -> UUID:
    return client.get_current_user().id


def new_user(admin: Client) -> UUID:
    return admin.create_user(new_email(), PASSWORD).id


def signed_in_again(client: Client) -> Client:
    other = Client(client.url, api_key="")
    other.login(client.get_current_user().email, PASSWORD)
    return other


def signed_out(admin: Client, client: Client) -> Send:
    other = signed_in_again(client)
    return lambda: (other.logout(), other.close())


def changed_password(admin: Client, client: Client) -> Send:
    """Leave one other session, which the change ends."""
    for session in client.list_sessions():
        if not session.current:
            client.end_session(session.id)
    other_session(client)
    return partial(client.change_password, PASSWORD, PASSWORD)


def webhook(client: Client) -> UUID:
    return client.create_webhook(UNKNOWN_HOST, ["task.failed"]).id


def redelivered(admin: Client, client: Client) -> Send:
    id = webhook(client)
    return partial(client.redeliver_webhook, id, client.test_webhook(id).id)


KEYED: dict[str, Prepare] = {
    "process_operation": lambda admin, client: partial(client.process_operation, "addition", [1, 2]),
    "process_csv": lambda admin, client: lambda: client.wait(client.process_csv(FILE).id),
    "create_task": lambda admin, client: partial(client.create_task, "a.csv", 9),
    "start_task": lambda admin, client: quoted(client),
    "create_export": lambda admin, client: lambda: client.wait_export(client.create_export("ledger").id),
    "create_operation": unpriced,
    "create_record": manual_record,
    "create_user": lambda admin, client: partial(admin.create_user, new_email(), PASSWORD),
    "refund_task": lambda admin, client: partial(admin.refund_task, processed(client), REASON),
    "refund_record": lambda admin, client: partial(admin.refund_record, record(client), REASON),
    "grant_credit": lambda admin, client: partial(admin.grant_credit, own_id(client), 7, REASON),
}
"""Changes that the client repeats with the same Idempotency-Key."""

HARMLESS: dict[str, Prepare] = {
    "login": lambda admin, client: partial(client.login, client.get_current_user().email, PASSWORD),
    "logout": signed_out,
    "refresh_tokens": lambda admin, client: client.refresh_tokens,
    "cancel_task": lambda admin, client: partial(client.cancel_task, client.create_task("a.csv", 9).id),
    "revoke_api_key": lambda admin, client: partial(client.revoke_api_key, client.create_api_key("a").id),
    "end_session": lambda admin, client: partial(client.end_session, other_session(client)),
    "delete_operation": deleted_price,
    "delete_record": lambda admin, client: partial(admin.delete_record, record(client)),
    "delete_user": lambda admin, client: partial(admin.delete_user, new_user(admin)),
    "update_operation": changed_price,
    "update_record": lambda admin, client: partial(admin.update_record, record(client), amount=3),
    "update_user": lambda admin, client: partial(admin.update_user, new_user(admin), email=new_email()),
    "update_current_user": lambda admin, client: partial(client.update_current_user, next(THRESHOLDS)),
    "update_webhook": lambda admin, client: partial(client.update_webhook, webhook(client), paused=True),
    "delete_webhook": lambda admin, client: partial(client.delete_webhook, webhook(client)),
    "redeliver_webhook": redelivered,
}
"""Changes that the client repeats, because a second one has no further effect."""

SENT_ONCE: dict[str, Prepare] = {
    "create_admin": lambda admin, client: partial(client.create_admin, new_email(), PASSWORD, ADMIN_PASSWORD),
    "create_api_key": lambda admin, client: partial(client.create_api_key, "a program"),
    "create_webhook": lambda admin, client: partial(client.create_webhook, UNKNOWN_HOST, ["task.failed"]),
    "change_password": changed_password,
    "resume_task": lambda admin, client: partial(client.resume_task, cancelled_task(client)),
    "update_user": lambda admin, client: partial(admin.update_user, new_user(admin), balance=7),
    "rotate_webhook_secret": lambda admin, client: partial(client.rotate_webhook_secret, webhook(client)),
    "test_webhook": lambda admin, client: partial(client.test_webhook, webhook(client)),
}
"""Changes that the client does not repeat."""


def quoted(client: Client) -> Send:
    task = processed(client, dry_run=True)
    return lambda: client.wait(client.start_task(task).id)


def test_every_change_is_tested() -> None:
    changes = {name: route for name, route in OPERATION_IDS.items() if route.method != "GET"}
    assert {method_name(name) for name in changes} == KEYED.keys() | HARMLESS.keys() | SENT_ONCE.keys()
    keyed = {method_name(name) for name, route in changes.items() if "idempotency_key" in parameters(route)}
    assert keyed == KEYED.keys()


def moved(service: Service, send: Send, *, lost: bool) -> dict[str, Any]:
    """Send a change, whose first response is lost or not. Return the differences of the totals."""
    before = totals(service.sql)
    with service.gateway.breaking("responses", *([0] if lost else [])):
        send()
    after = totals(service.sql)
    return {name: after[name] - before[name] for name in after}


@pytest.mark.parametrize("name", [*KEYED, *HARMLESS])
def test_repeated_change_has_one_effect(service: Service, admin: Client, caller: Client, name: str) -> None:
    prepare = (KEYED | HARMLESS)[name]
    undisturbed = moved(service, prepare(admin, caller), lost=False)
    assert any(undisturbed.values()) or name in ("refresh_tokens", "redeliver_webhook")
    lost = moved(service, prepare(admin, caller), lost=True)
    if name == "login":  # no client uses the session of the lost response
        undisturbed["sessions"] += 1
    assert lost == undisturbed


@pytest.mark.parametrize("name", SENT_ONCE)
def test_change_that_would_act_twice_is_sent_once(
    service: Service, admin: Client, caller: Client, name: str
) -> None:
    undisturbed = moved(service, SENT_ONCE[name](admin, caller), lost=False)
    send = SENT_ONCE[name](admin, caller)

    def sent_once() -> None:
        with pytest.raises(Unreachable, match="Check before you repeat it") as caught:
            send()
        assert caught.value.uncertain

    assert moved(service, sent_once, lost=True) == undisturbed


def test_error_of_an_uncertain_call_names_its_key(
    service: Service, client: Client, connect: Callable[..., Client]
) -> None:
    impatient = connect(retries=0, api_key=client.create_api_key("a program").key)
    with service.gateway.breaking("responses", 0), pytest.raises(Unreachable) as caught:
        impatient.compute("addition", 1, 2)
    key = caught.value.idempotency_key
    assert f"idempotency_key={key!r}" in str(caught.value)
    assert client.get_current_user().balance == 15
    assert client.compute("addition", 1, 2, idempotency_key=key).user_balance == 15
