"""The console's session: a lost connection, expired cookies, and two tabs."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

from tests.support.console import (
    Complaints,
    balance,
    compute,
    drop_access_token,
    fill_numbers,
    fill_sign_in,
    first,
    hold_next,
    new_client,
    open_page,
    result,
    rows,
    send_numbers,
)
from tests.support.http_client import PASSWORD, Client, new_email


@pytest.fixture
def requests(console: Page) -> list[str]:
    """The requests of the tab: `POST /login`."""
    sent = list[str]()

    def note(request: Request) -> None:
        sent.append(f"{request.method} /{request.url.partition('//')[2].partition('/')[2]}")

    console.on("request", note)
    return sent


def test_expired_access_token_is_refreshed_without_the_user_noticing(
    console: Page, admin: Client, context: BrowserContext, requests: list[str]
) -> None:
    with new_client(console, admin) as api:
        open_page(console, "Compute")
        fill_numbers(console, "1", "2")
        drop_access_token(context)
        send_numbers(console)
        expect(result(console)).to_contain_text("3")
        assert requests.count("POST /refresh") == 1
        # Several requests at once share one refresh: a second one would end the session as a stolen token.
        drop_access_token(context)
        open_page(console, "Home")
        expect(console.get_by_role("region", name="Newest calls")).to_be_visible()
        assert requests.count("POST /refresh") == 2
        assert len(api.rows("records")) == 1


def test_session_that_ends_in_a_filled_form_asks_to_sign_in_and_goes_on(
    console: Page, admin: Client, context: BrowserContext
) -> None:
    with new_client(console, admin) as api:
        open_page(console, "Compute")
        fill_numbers(console, "1.5", "2")
        context.clear_cookies()
        console.keyboard.press("Enter")
        dialog = console.get_by_role("dialog", name="Your session has ended")
        expect(dialog.get_by_label("E-mail")).to_have_value(api.email)
        console.keyboard.press("Escape")
        dialog.get_by_label("Password").fill("not-the-password-1!")
        dialog.get_by_role("button", name="Continue").click()
        expect(dialog.get_by_role("alert")).to_be_visible()
        dialog.get_by_label("Password").fill(PASSWORD)
        dialog.get_by_role("button", name="Continue").click()
        expect(result(console)).to_contain_text("3.5")
        expect(dialog).to_be_hidden()
        expect(console.get_by_label("Number 1", exact=True)).to_have_value("1.5")
        assert len(api.rows("records")) == 1
        expect(balance(console)).to_have_text("15")


def test_call_during_a_lost_connection_is_charged_once_after_it_returns(
    console: Page, admin: Client, context: BrowserContext, complaints: Complaints
) -> None:
    complaints.expect("net::ERR_INTERNET_DISCONNECTED")
    with new_client(console, admin) as api:
        open_page(console, "Compute")
        fill_numbers(console, "1", "2")
        # The console gives up after 4.3 s offline. Pause its timers, so that a slow machine has no deadline.
        console.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
        context.set_offline(True)
        with console.expect_event("requestfailed", lambda one: one.url.endswith("/process_operation")):
            send_numbers(console)
        expect(console.get_by_role("button", name="Computing …")).to_be_disabled()
        context.set_offline(False)
        console.clock.resume()
        expect(result(console)).to_contain_text("3")
        assert len(api.rows("records")) == 1


def test_call_whose_responses_are_lost_is_charged_once_when_it_is_sent_again(
    console: Page, admin: Client, complaints: Complaints
) -> None:
    complaints.expect("net::ERR_FAILED")
    lost = list[str]()

    def lose(route: Route) -> None:
        lost.append(route.fetch().text())
        route.abort()

    with new_client(console, admin) as api:
        open_page(console, "Compute")
        console.route("**/process_operation", lose)
        compute(console, "1", "2")
        expect(console.get_by_role("alert")).to_contain_text("can't be reached")
        assert len(lost) > 1  # the console has repeated it by itself
        console.unroute("**/process_operation")
        send_numbers(console)
        expect(result(console)).to_contain_text("3")
        assert len(api.rows("records")) == 1
        expect(balance(console)).to_have_text("15")


def test_list_that_was_not_reached_is_read_when_asked_again(
    console: Page, admin: Client, context: BrowserContext, complaints: Complaints
) -> None:
    complaints.expect("net::ERR_INTERNET_DISCONNECTED")
    with new_client(console, admin) as api:
        assert api.compute().is_success
        open_page(console, "History")
        expect(rows(console, "Records")).to_have_count(1)
        context.set_offline(True)
        console.get_by_role("columnheader", name="Cost").get_by_role("button").click()
        expect(console.get_by_role("alert")).to_contain_text("can't be reached")
        context.set_offline(False)
        console.get_by_role("button", name="Try again").click()
        expect(console.get_by_role("alert")).to_be_hidden()
        expect(rows(console, "Records")).to_have_count(1)


def test_two_tabs_share_the_balance_and_the_sign_out(
    console: Page, admin: Client, context: BrowserContext
) -> None:
    with new_client(console, admin):
        other = context.new_page()
        other.goto("/#/records")
        expect(balance(other)).to_have_text("20")
        open_page(console, "Compute")
        compute(console, "1", "2")
        expect(balance(console)).to_have_text("15")
        expect(balance(other)).to_have_text("15")
        console.get_by_role("button", name="Sign out").click()
        for tab in (console, other):
            expect(tab.get_by_role("heading", name="Sign in or sign up")).to_be_visible()


def test_signing_in_again_in_one_tab_continues_the_other(
    console: Page, admin: Client, context: BrowserContext
) -> None:
    with new_client(console, admin) as api:
        other = context.new_page()
        other.goto("/#/compute")
        open_page(console, "Compute")
        for tab in (console, other):
            fill_numbers(tab, "1", "2")
        context.clear_cookies()
        for tab in (console, other):
            send_numbers(tab)
            expect(tab.get_by_role("dialog")).to_be_visible()
        console.get_by_role("dialog").get_by_label("Password").fill(PASSWORD)
        console.get_by_role("dialog").get_by_role("button", name="Continue").click()
        for tab in (console, other):
            expect(result(tab)).to_contain_text("3")
            expect(tab.get_by_role("dialog")).to_be_hidden()
        assert len(api.rows("records")) == 2
        for tab in (console, other):
            expect(balance(tab)).to_have_text("10")


@pytest.mark.parametrize("charged", ["this tab", "the other tab"])
def test_read_of_the_balance_does_not_replace_a_newer_one(
    console: Page, admin: Client, context: BrowserContext, charged: str
) -> None:
    with new_client(console, admin):
        other = context.new_page()
        other.goto("/#/compute")
        open_page(console, "Compute")
        held = hold_next(console, "**/users/me")
        compute(other, "1", "2")  # and the first tab reads the balance of 15
        expect(result(other)).to_contain_text("3")
        read = first(console, held)
        older = read.fetch()
        compute(console if charged == "this tab" else other, "3", "4")
        expect(balance(console)).to_have_text("10")
        with console.expect_request("**/users/me") as newer:
            read.fulfill(response=older)
        newer.value.response()
        for tab in (console, other):
            expect(balance(tab)).to_have_text("10")


def test_another_user_in_another_tab_replaces_the_page(
    console: Page, admin: Client, context: BrowserContext
) -> None:
    with new_client(console, admin, balance=7):
        other = context.new_page()
        other.goto("/")
        expect(balance(other)).to_have_text("7")
        context.clear_cookies()
        console.reload()
        email = new_email()
        fill_sign_in(console, email)
        for tab in (console, other):
            expect(balance(tab)).to_have_text("20")
            expect(tab.get_by_role("navigation", name="Main")).to_contain_text(email)
