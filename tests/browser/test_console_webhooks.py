"""Journeys through the console's pages of webhooks, with a receiver on this machine."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from threading import Event

import pytest
from playwright.sync_api import Locator, Page, expect
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from localstack.stack import Stack
from tests.support.console import Complaints, first, hold_next, new_client, open_page, respond_late, rows
from tests.support.eventually import eventually
from tests.support.http_client import API, Client
from tests.support.receiver import Receiver, status
from tests.support.stack_database import run_sql
from tests.support.webhooks import create_webhook


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver.running() as running:
        yield running


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


def open_webhook(page: Page, url: str) -> None:
    """Open the page of the webhook with this URL."""
    open_page(page, "Webhooks")
    rows(page, "Webhooks").get_by_role("link", name=url).click()
    expect(page.get_by_role("heading", level=1, name=url)).to_be_visible()


def new_secret(page: Page) -> str:
    """Return the secret that the page shows once."""
    return page.get_by_role("region", name="The new secret").locator("code").first.inner_text()


def state(page: Page) -> Locator:
    return page.get_by_role("region", name="Webhook", exact=True)


def paused_link(page: Page) -> Locator:
    """The link of the navigation, if it is marked."""
    return page.get_by_role("navigation", name="Main").get_by_role("link", name="Webhooks 1 paused")


def test_new_webhook_gets_a_test_event_whose_delivery_is_shown_and_repeated(
    console: Page, admin: Client, complaints: Complaints, receiver: Receiver
) -> None:
    complaints.expect("status of 422")
    receiver.respond = status(200, b"thanks <b>a lot</b>")
    with new_client(console, admin):
        open_page(console, "Webhooks")
        button(console, "Create a webhook").click()
        dialog = console.get_by_role("dialog")
        dialog.get_by_label("URL").fill("http://example.com/hook")
        dialog.get_by_label("balance.low").check()
        dialog.get_by_label("Description").fill("the order system")
        button(dialog, "Create the webhook").click()
        expect(dialog.get_by_label("URL")).to_have_attribute("aria-invalid", "true")
        dialog.get_by_label("URL").fill(receiver.url)
        button(dialog, "Create the webhook").click()
        secret = new_secret(console)
        button(console, "I have copied it").click()
        expect(rows(console, "Webhooks")).to_contain_text(["the order system"])
        expect(rows(console, "Webhooks")).to_contain_text(["balance.low"])

        open_webhook(console, receiver.url)
        assert secret not in console.content()
        expect(state(console)).to_contain_text("Active")
        button(console, "Send a test event").click()
        delivery = rows(console, "Deliveries")
        expect(delivery).to_contain_text(["webhook.test"])
        expect(delivery).to_contain_text(["Delivered"])
        Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)

        button(delivery, "Redeliver webhook.test").click()
        eventually(lambda: len(receiver.ids) == 2)
        assert receiver.ids[0] == receiver.ids[1]
        expect(delivery).to_contain_text(["Delivered"])
        button(delivery, "Details of webhook.test").click()
        attempts = console.get_by_role("dialog").get_by_role("list", name="Attempts").get_by_role("listitem")
        expect(attempts).to_have_count(2)
        expect(attempts.first).to_contain_text("200")
        expect(attempts.first).to_contain_text("thanks <b>a lot</b>")


def test_webhook_is_changed_paused_resumed_and_deleted(console: Page, admin: Client) -> None:
    with new_client(console, admin) as api:
        webhook = create_webhook(api, description="old")
        path = f"{API}/webhooks/{webhook['id']}"
        open_webhook(console, webhook["url"])
        button(console, "Edit").click()
        dialog = console.get_by_role("dialog")
        dialog.get_by_label("Description").fill("new")
        dialog.get_by_label("credit.granted").check()
        button(dialog, "Save").click()
        expect(dialog).to_have_count(0)
        expect(state(console)).to_contain_text("credit.granted")
        changed = api.get(path).json()
        assert (changed["description"], changed["events"]) == ("new", ["task.completed", "credit.granted"])
        button(console, "Edit").click()
        dialog.get_by_label("Description").fill("")
        button(dialog, "Save").click()
        expect(dialog).to_have_count(0)
        assert api.get(path).json()["description"] is None

        button(console, "Pause").click()
        expect(state(console)).to_contain_text("Paused by you")
        expect(button(console, "Send a test event")).to_have_count(0)
        assert api.get(path).json()["paused"] is True
        button(console, "Resume").click()
        expect(state(console)).to_contain_text("Active")
        assert api.get(path).json()["paused"] is False

        button(console, "Delete").click()
        button(console.get_by_role("dialog"), "Delete").click()
        expect(console.get_by_role("heading", name="No webhooks yet")).to_be_visible()
        assert api.rows("webhooks") == []


def test_rotated_secret_is_shown_and_the_previous_one_still_signs(
    console: Page, admin: Client, receiver: Receiver
) -> None:
    with new_client(console, admin) as api:
        previous = create_webhook(api, url=receiver.url)["secret"]
        open_webhook(console, receiver.url)
        button(console, "Rotate the secret").click()
        button(console.get_by_role("dialog"), "Rotate").click()
        shown = console.get_by_role("region", name="The new secret")
        expect(shown).to_contain_text("the previous secret signs each request too")
        secret = new_secret(console)
        button(console, "I have copied it").click()
        expect(state(console)).to_contain_text("Previous secret")
        button(console, "Send a test event").click()
        expect(rows(console, "Deliveries")).to_contain_text(["Delivered"])
        (request,) = receiver.received
        assert secret != previous
        for valid in (secret, previous):
            Webhook(valid).verify(request.body, request.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_b3RoZXI=").verify(request.body, request.headers)


@pytest.mark.parametrize(
    ("code", "days_failing", "reason"), [(410, 0, "Paused after a 410"), (500, 4, "Paused after failures")]
)
def test_webhook_that_the_service_paused_is_marked_everywhere_until_it_is_resumed(
    console: Page,
    admin: Client,
    stack: Stack,
    receiver: Receiver,
    code: int,
    days_failing: int,
    reason: str,
) -> None:
    receiver.respond = status(code)
    with new_client(console, admin) as api:
        webhook = create_webhook(api, url=receiver.url)
        run_sql(
            stack,
            "UPDATE webhooks SET failing_since = now() - :days * interval '1 day' WHERE id = :id",
            id=webhook["id"],
            days=days_failing,
        )
        open_webhook(console, receiver.url)
        button(console, "Send a test event").click()
        expect(state(console)).to_contain_text(reason)
        expect(paused_link(console)).to_be_visible()
        expect(rows(console, "Deliveries")).to_contain_text([str(code)])

        open_page(console, "Home")
        console.reload()
        expect(paused_link(console)).to_be_visible()
        console.get_by_role("main").get_by_role("link", name=receiver.url).click()
        expect(state(console)).to_contain_text(reason)
        receiver.respond = status(200)
        button(console, "Resume").click()
        expect(state(console)).to_contain_text("Active")
        expect(paused_link(console)).to_have_count(0)


def test_older_read_does_not_show_a_resumed_webhook_as_paused(
    console: Page, admin: Client, stack: Stack
) -> None:
    with new_client(console, admin) as api:
        webhook = create_webhook(api)
        pause = "UPDATE webhooks SET paused_at = now(), paused_reason = 'gone' WHERE id = :id"
        run_sql(stack, pause, id=webhook["id"])
        held = hold_next(console, "**/api/v1/webhooks?paused_reason__in=*")
        console.reload()
        in_navigation = first(console, held)
        older_in_navigation = in_navigation.fetch()
        open_webhook(console, webhook["url"])
        held = hold_next(console, f"**/api/v1/webhooks/{webhook['id']}")
        button(console, "Rotate the secret").click()
        button(console.get_by_role("dialog"), "Rotate").click()
        on_page = first(console, held)
        older_on_page = on_page.fetch()
        with console.expect_response("**/api/v1/webhooks?paused_reason__in=*"):
            button(console, "Resume").click()
        expect(state(console)).to_contain_text("Active")
        respond_late(console, on_page, older_on_page)
        respond_late(console, in_navigation, older_in_navigation)
        assert "Active" in state(console).inner_text()
        assert paused_link(console).count() == 0


def test_webhook_is_read_if_its_test_ended_before_the_list_was_read(
    console: Page, admin: Client, stack: Stack, receiver: Receiver
) -> None:
    with new_client(console, admin) as api:
        webhook = create_webhook(api, url=receiver.url)
        fail = "UPDATE webhooks SET failing_since = now() - interval '1 day' WHERE id = :id"
        run_sql(stack, fail, id=webhook["id"])
        open_webhook(console, receiver.url)
        expect(console.get_by_role("heading", name="No deliveries yet")).to_be_visible()
        failing = console.get_by_text("All requests since")
        expect(failing).to_be_visible()
        held = hold_next(console, "**/deliveries?*")
        button(console, "Send a test event").click()
        read = first(console, held)
        path = f"{API}/webhooks/{webhook['id']}"
        eventually(lambda: api.get(f"{path}/deliveries?status=delivered").json()["deliveries"])
        read.continue_()
        expect(rows(console, "Deliveries")).to_contain_text(["Delivered"])
        expect(failing).to_be_hidden()


def test_older_read_of_a_delivery_does_not_replace_its_repetition(
    console: Page, admin: Client, receiver: Receiver
) -> None:
    may_respond = Event()

    def fail_later(handler: BaseHTTPRequestHandler) -> None:
        may_respond.wait()
        status(503, Retry_After="300")(handler)

    receiver.respond = fail_later
    with new_client(console, admin) as api:
        path = f"{API}/webhooks/{create_webhook(api, url=receiver.url)['id']}/deliveries"
        open_webhook(console, receiver.url)
        held = hold_next(console, "**/deliveries?id__in=*")
        button(console, "Send a test event").click()
        read = first(console, held)
        receiver.respond = status(200)
        may_respond.set()
        eventually(lambda: api.get(path).json()["deliveries"][0]["attempts"])
        older = read.fetch()
        with console.expect_response("**/redeliver"):
            button(console, "Redeliver webhook.test").click()
        respond_late(console, read, older)
        assert "next attempt" not in rows(console, "Deliveries").inner_text()  # it is due at once


def test_threshold_of_a_low_balance_is_set_and_removed(
    console: Page, admin: Client, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    with new_client(console, admin) as api:
        open_page(console, "Account")
        form = console.get_by_role("region", name="Low balance")
        threshold = form.get_by_label("Threshold")
        threshold.fill("0")
        button(form, "Save").click()
        expect(threshold).to_have_attribute("aria-invalid", "true")
        for value, stored in (("7.5", 7.5), ("", None)):
            threshold.fill(value)
            button(form, "Save").click()
            expect(form).to_contain_text("Saved.")
            assert api.get(f"{API}/users/me").json()["low_balance_threshold"] == stored
            console.reload()
            expect(threshold).to_have_value(value)
