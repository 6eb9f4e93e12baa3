"""Webhooks: subscriptions, signed deliveries and their log, over HTTP."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.eventually import eventually
from tests.support.http_client import API, Client, exact
from tests.support.receiver import Receiver, status
from tests.support.uploads import HEADER, SUM, ended, upload
from tests.support.webhooks import UNKNOWN_HOST, create_webhook

WEBHOOKS = f"{API}/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.running() as running:
        yield running


def deliveries(client: Client, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = exact(client.get(f"{WEBHOOKS}/{webhook['id']}/deliveries"))["deliveries"]
    return found


def test_new_webhook_shows_its_secret_only_once(client: Client) -> None:
    created = create_webhook(client, description="the nightly import")
    assert created["secret"].startswith("whsec_")
    assert (created["url"], created["events"], created["description"]) == (
        UNKNOWN_HOST,
        ["task.completed"],
        "the nightly import",
    )
    shown = {name: value for name, value in created.items() if name != "secret"}
    response = client.get(WEBHOOKS)
    assert exact(response)["webhooks"] == [shown]
    assert exact(client.get(f"{WEBHOOKS}/{created['id']}")) == shown
    assert created["secret"] not in response.text


def test_webhook_is_changed_paused_and_deleted(client: Client) -> None:
    path = f"{WEBHOOKS}/{create_webhook(client)['id']}"
    changed = exact(client.patch(path, json={"events": ["balance.low"], "description": "x", "paused": True}))
    assert (changed["events"], changed["paused"], changed["paused_reason"]) == (
        ["balance.low"],
        True,
        "owner",
    )
    assert changed["paused_at"] is not None
    expect.problem(client.post(f"{path}/test"), 409)
    changed = exact(client.patch(path, json={"paused": False}))
    assert (changed["paused"], changed["paused_at"], changed["paused_reason"]) == (False, None, None)
    assert (changed["events"], changed["description"]) == (["balance.low"], "x")
    changed = exact(client.patch(path, json={"description": None}))
    assert (changed["events"], changed["description"]) == (["balance.low"], None)
    assert exact(client.delete(path))["status"] == "success"
    for response in (client.get(path), client.delete(path), client.post(f"{path}/rotate_secret")):
        expect.problem(response, 404)
    expect.problem(client.get(f"{path}/deliveries"), 404)
    assert client.rows("webhooks") == []


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"url": "http://example.com/"}, "#/url"),
        ({"url": "https://169.254.169.254/"}, "#/url"),
        ({"url": "https://[2606:4700:4700::1111]/"}, "#/url"),
        ({"url": "https://user@example.com/"}, "#/url"),
        ({"url": ""}, "#/url"),
        ({"url": None}, "#/url"),
        ({"events": []}, "#/events"),
        ({"events": ["task.completed", "task.completed"]}, "#/events"),
        ({"events": ["webhook.test"]}, "#/events/0"),
        ({"events": "task.completed"}, "#/events"),
        ({"description": ""}, "#/description"),
        ({"secret": "whsec_mine"}, "#/secret"),
    ],
    ids=str,
)
def test_invalid_member_is_rejected(client: Client, members: dict[str, Any], pointer: str) -> None:
    body = {"url": UNKNOWN_HOST, "events": ["task.completed"], **members}
    assert expect.pointers(client.post(WEBHOOKS, json=body)) == [pointer]
    assert client.rows("webhooks") == []


def test_user_has_at_most_ten_webhooks(client: Client) -> None:
    created = [create_webhook(client) for _ in range(10)]
    expect.problem(client.post(WEBHOOKS, json={"url": UNKNOWN_HOST, "events": ["balance.low"]}), 409)
    assert client.delete(f"{WEBHOOKS}/{created[0]['id']}").is_success
    create_webhook(client)


def test_webhook_of_another_user_is_neither_shown_nor_changeable_even_for_an_admin(
    client: Client, other: Client, admin: Client
) -> None:
    created = create_webhook(client)
    path = f"{WEBHOOKS}/{created['id']}"
    for outsider in (other, admin):
        assert created["id"] not in [webhook["id"] for webhook in outsider.rows("webhooks")]
        expect.problem(outsider.get(path), 404)
        expect.problem(outsider.patch(path, json={"paused": True}), 404)
        expect.problem(outsider.post(f"{path}/test"), 404)
        expect.problem(outsider.get(f"{path}/deliveries"), 404)
        expect.problem(outsider.delete(path), 404)
    assert exact(client.get(path))["paused"] is False


@pytest.mark.local
def test_test_event_arrives_signed_and_is_in_the_log(client: Client, receiver: Receiver) -> None:
    webhook = create_webhook(client, url=receiver.url)
    response = client.post(f"{WEBHOOKS}/{webhook['id']}/test")
    assert response.status_code == 202
    delivery = exact(response)
    assert (delivery["type"], delivery["status"], delivery["attempts"]) == ("webhook.test", "pending", [])
    (received,) = eventually(lambda: receiver.received)
    body = Webhook(webhook["secret"]).verify(received.body, received.headers)
    assert (body["type"], body["data"]) == ("webhook.test", {"webhook_id": webhook["id"]})
    assert received.headers["webhook-id"] == delivery["event_id"]
    eventually(lambda: deliveries(client, webhook)[0]["status"] == "delivered")
    (logged,) = deliveries(client, webhook)
    (attempt,) = logged["attempts"]
    assert (attempt["status"], attempt["response"], attempt["error"]) == (200, "ok", None)
    assert (logged["next_attempt_at"], logged["ended_at"] is not None) == (None, True)


@pytest.mark.local
def test_end_of_a_task_is_sent_at_once_and_can_be_sent_again(client: Client, receiver: Receiver) -> None:
    webhook = create_webhook(client, url=receiver.url)
    path = upload(client, HEADER + SUM * 2)
    ended(client, path)
    (received,) = eventually(lambda: receiver.received)
    body = Webhook(webhook["secret"]).verify(received.body, received.headers)
    assert (body["type"], body["data"]["rows_done"], body["data"]["spent"]) == ("task.completed", 2, 10)
    assert body["data"]["id"] == path.rpartition("/")[2]
    eventually(lambda: deliveries(client, webhook)[0]["status"] == "delivered")
    (delivery,) = deliveries(client, webhook)
    location = f"{WEBHOOKS}/{webhook['id']}/deliveries/{delivery['id']}"
    assert client.post(f"{location}/redeliver").status_code == 202
    eventually(lambda: len(receiver.received) == 2)
    assert receiver.ids == [delivery["event_id"]] * 2
    eventually(lambda: len(deliveries(client, webhook)[0]["attempts"]) == 2)
    expect.problem(client.post(f"{WEBHOOKS}/{webhook['id']}/deliveries/{uuid4()}/redeliver"), 404)


@pytest.mark.local
def test_low_balance_and_granted_credit_are_events(admin: Client, client: Client, receiver: Receiver) -> None:
    """They have no worker that requests their dispatch, so a test event does."""
    webhook = create_webhook(client, url=receiver.url, events=["balance.low", "credit.granted"])
    assert client.patch(f"{API}/users/me", json={"low_balance_threshold": 18.5}).status_code == 204
    assert client.me["low_balance_threshold"] == Decimal("18.5")
    assert client.compute().is_success
    grant = {"amount": 10, "reason": "a voucher"}
    assert admin.post(f"{API}/users/{client.id}/credits", json=grant).is_success
    assert client.post(f"{WEBHOOKS}/{webhook['id']}/test").status_code == 202
    eventually(lambda: len(receiver.received) == 3)
    found = [Webhook(webhook["secret"]).verify(it.body, it.headers) for it in receiver.received]
    assert [event["type"] for event in found] == ["balance.low", "credit.granted", "webhook.test"]
    low, granted, _ = (event["data"] for event in found)
    assert (low["balance"], low["low_balance_threshold"]) == (15, 18.5)
    assert (granted["kind"], granted["amount"], granted["reference"]["reason"]) == ("grant", 10, "a voucher")
    assert client.patch(f"{API}/users/me", json={"low_balance_threshold": None}).status_code == 204
    assert client.me["low_balance_threshold"] is None


@pytest.mark.parametrize("threshold", [0, -1, 0.00001, "5"])
def test_invalid_threshold_is_rejected(client: Client, threshold: Any) -> None:
    body = {"low_balance_threshold": threshold}
    assert expect.pointers(client.patch(f"{API}/users/me", json=body)) == ["#/low_balance_threshold"]


@pytest.mark.local
def test_failed_attempt_is_in_the_log_with_the_next_time(client: Client, receiver: Receiver) -> None:
    receiver.respond = status(503, b"busy", Retry_After="3600")
    webhook = create_webhook(client, url=receiver.url)
    client.post(f"{WEBHOOKS}/{webhook['id']}/test")
    eventually(lambda: deliveries(client, webhook)[0]["attempts"])
    (delivery,) = deliveries(client, webhook)
    assert (delivery["status"], delivery["next_attempt_at"] is not None) == ("pending", True)
    assert [(it["status"], it["response"]) for it in delivery["attempts"]] == [(503, "busy")]
    assert exact(client.get(f"{WEBHOOKS}/{webhook['id']}"))["failing_since"] is not None


@pytest.mark.local
def test_gone_receiver_pauses_the_webhook(client: Client, receiver: Receiver) -> None:
    receiver.respond = status(410)
    webhook = create_webhook(client, url=receiver.url)
    path = f"{WEBHOOKS}/{webhook['id']}"
    client.post(f"{path}/test")
    eventually(lambda: exact(client.get(path))["paused_reason"] == "gone")


@pytest.mark.local
def test_rotated_secret_signs_with_the_previous_one(client: Client, receiver: Receiver) -> None:
    webhook = create_webhook(client, url=receiver.url)
    rotated = exact(client.post(f"{WEBHOOKS}/{webhook['id']}/rotate_secret"))
    assert rotated["secret"] != webhook["secret"]
    assert rotated["previous_secret_expires_at"] is not None
    shown = {name: value for name, value in rotated.items() if name != "secret"}
    assert exact(client.get(f"{WEBHOOKS}/{webhook['id']}")) == shown
    assert exact(client.get(WEBHOOKS))["webhooks"] == [shown]
    filters = {"fields": "id", "previous_secret_expires_at__gt": shown["created_at"]}
    assert exact(client.get(WEBHOOKS, params=filters))["webhooks"] == [{"id": webhook["id"]}]
    client.post(f"{WEBHOOKS}/{webhook['id']}/test")
    (received,) = eventually(lambda: receiver.received)
    for secret in (webhook["secret"], rotated["secret"]):
        assert Webhook(secret).verify(received.body, received.headers)


def test_seventh_test_at_once_is_throttled(client: Client) -> None:
    path = f"{WEBHOOKS}/{create_webhook(client)['id']}/test"
    assert [client.post(path).status_code for _ in range(7)] == [202] * 6 + [429]


def test_changes_of_an_admins_webhook_are_audited_without_the_secret(
    account: Callable[..., Client], admin: Client
) -> None:
    owner = account(role="admin")
    webhook = create_webhook(owner)
    path = f"{WEBHOOKS}/{webhook['id']}"
    assert owner.patch(path, json={"paused": True}).is_success
    rotated = exact(owner.post(f"{path}/rotate_secret"))
    assert owner.delete(path).is_success
    response = admin.get(f"{API}/audit_log", params={"resource_id": webhook["id"]})
    entries = exact(response)["audit_log"]
    assert [entry["action"] for entry in entries] == ["delete", "rotate", "update", "create"]
    assert {entry["resource"] for entry in entries} == {"webhook"}
    assert webhook["secret"] not in response.text
    assert rotated["secret"] not in response.text


def test_api_key_reads_webhooks_but_changes_none(client: Client, connect: Connect) -> None:
    key = exact(client.post(f"{API}/api_keys", json={"name": "x"}))["key"]
    program, webhook = connect(bearer=key), create_webhook(client)
    assert [it["id"] for it in program.rows("webhooks")] == [webhook["id"]]
    assert deliveries(program, webhook) == []
    problem = expect.problem(program.post(f"{WEBHOOKS}/{webhook['id']}/test"), 403)
    assert problem["type"] == "/problems/insufficient-scope"
