"""Journeys of a client through the console, against the whole service."""

from playwright.sync_api import BrowserContext, Page, Route, expect

from localstack.stack import Stack
from tests.support.console import (
    Complaints,
    after_frame,
    balance,
    compute,
    figure,
    fill_numbers,
    fill_sign_in,
    first,
    hold_next,
    new_client,
    open_page,
    result,
    rows,
    sign_in,
)
from tests.support.http_client import API, PASSWORD, Client, new_email
from tests.support.uploads import HEADER, ended, upload


def test_new_client_signs_up_computes_and_finds_the_call_everywhere(
    console: Page, complaints: Complaints
) -> None:
    complaints.expect("status of 422")
    console.goto("/")
    policy = console.get_by_role("listitem").filter(has_text="a digit")
    console.get_by_label("Password").fill("without")
    expect(policy).to_contain_text("(not met)")
    email = new_email()
    fill_sign_in(console, email, "without-digit")
    expect(console.get_by_role("alert")).to_contain_text("digit")
    console.get_by_label("Password").fill(PASSWORD)
    expect(policy).to_contain_text("(met)")
    console.keyboard.press("Enter")
    expect(balance(console)).to_have_text("20")

    open_page(console, "Compute")
    compute(console, "0.1", "0.2")
    expect(result(console)).to_contain_text("0.3")
    expect(figure(result(console), "Cost")).to_have_text("5")
    expect(balance(console)).to_have_text("15")

    open_page(console, "Home")
    expect(console.get_by_role("region", name="Newest calls").get_by_role("link")).to_have_count(2)
    open_page(console, "History")
    expect(rows(console, "Records")).to_have_count(1)
    expect(rows(console, "Records")).to_contain_text("[0.1,0.2]")
    rows(console, "Records").get_by_role("link").click()
    expect(figure(console.locator("main"), "Balance after")).to_have_text("15")
    open_page(console, "Statement")
    movements = rows(console, "Movements of credit")
    expect(movements).to_have_count(2)
    assert [row.split()[-2:] for row in movements.all_inner_texts()] == [["-5", "15"], ["+20", "20"]]
    open_page(console, "Usage")
    expect(console.get_by_role("region", name="By operation").get_by_role("row")).to_have_count(2)

    console.get_by_role("button", name="Sign out").click()
    expect(console.get_by_role("heading", name="Sign in or sign up")).to_be_visible()
    fill_sign_in(console, email)
    expect(balance(console)).to_have_text("15")


def test_double_click_charges_once(console: Page, admin: Client) -> None:
    with new_client(console, admin) as api:
        console.goto("/#/compute?operation=multiplication")
        fill_numbers(console, "6", "7")
        send = console.get_by_role("button", name="Compute", exact=True)
        send.dblclick()
        expect(result(console)).to_contain_text("42")
        expect(send).to_be_enabled()
        assert len(api.rows("records")) == 1
        expect(figure(result(console), "Balance")).to_have_text(balance(console).inner_text())


def test_double_click_charges_once_if_the_first_click_is_answered_before_the_second(
    console: Page, admin: Client
) -> None:
    with new_client(console, admin) as api:
        console.goto("/#/compute?operation=multiplication")
        fill_numbers(console, "6", "7")
        send = console.get_by_role("button", name="Compute", exact=True)
        send.hover()
        for click in (1, 2):
            console.mouse.down(click_count=click)
            console.mouse.up(click_count=click)
            expect(result(console)).to_contain_text("42")
            expect(send).to_be_enabled()
        assert len(api.rows("records")) == 1


def test_call_that_the_balance_does_not_cover_says_so_before_it_is_sent(console: Page, admin: Client) -> None:
    with new_client(console, admin, balance=4):
        open_page(console, "Compute")
        expect(console.get_by_role("button", name="Compute", exact=True)).to_be_disabled()
        expect(console.get_by_role("status")).to_contain_text(["Ask an admin for credit."])


def test_error_of_the_api_is_next_to_its_field(console: Page, admin: Client, complaints: Complaints) -> None:
    complaints.expect("status of 422")
    with new_client(console, admin):
        console.goto("/#/compute?operation=division")
        compute(console, "1", "0")
        expect(console.get_by_label("Number 2")).to_have_attribute("aria-invalid", "true")
        expect(balance(console)).to_have_text("20")


def test_history_is_searched_filtered_sorted_and_scrolled_to_its_end(console: Page, admin: Client) -> None:
    with new_client(console, admin, balance=2000) as api:
        sums = b"".join(b'addition,"[%d, 1000]"\n' % number for number in range(110))
        task = ended(api, upload(api, HEADER + sums + b'multiplication,"[3, 4]"\nsquare_root,[81]\n'))
        assert task["rows_done"] == 112
        open_page(console, "History")
        table = rows(console, "Records")
        expect(table).to_have_count(50)
        for count in (100, 112):
            table.last.scroll_into_view_if_needed()
            expect(table).to_have_count(count)

        console.get_by_label("Search").fill("1042")
        expect(table).to_have_count(1)
        expect(table).to_contain_text("[42,1000]")
        console.get_by_role("button", name="Clear filters").click()
        console.get_by_role("search").get_by_label("Operation").select_option("multiplication")
        expect(table).to_have_count(1)
        expect(table).to_contain_text("[3,4]")
        console.get_by_role("button", name="Clear filters").click()
        expect(table).to_have_count(50)

        cost = console.get_by_role("columnheader", name="Cost")
        costs = {row["amount"] for row in api.rows("records")}
        for direction, extreme in (("descending", max(costs)), ("ascending", min(costs))):
            cost.get_by_role("button").click()
            expect(cost).to_have_attribute("aria-sort", direction)
            expect(table.first.locator("[data-label=Cost]")).to_have_text(str(extreme))

        held = hold_next(console, "**/api/v1/records?*")
        cost.get_by_role("button").click()
        read = first(console, held)
        table.last.scroll_into_view_if_needed()  # while the list is read
        after_frame(console)
        read.continue_()
        expect(table).to_have_count(100)


def test_search_without_a_hit_reads_on_only_when_asked(console: Page, admin: Client) -> None:
    """As for a text that is in no row of a long list: each page is empty, and has a cursor."""
    searches = list[str]()

    def nothing(route: Route) -> None:
        searches.append(route.request.url)
        route.fulfill(json={"status": "success", "records": [], "next_cursor": "further"})

    with new_client(console, admin):
        open_page(console, "History")
        console.route("**/api/v1/records?*search=*", nothing)
        console.get_by_label("Search").fill("rare")
        for times in (1, 2):
            expect(console.get_by_text("Nothing found so far.")).to_be_visible()
            more = console.get_by_role("button", name="Show more")
            expect(more).to_be_enabled()
            for _ in range(3):  # in which the end of the list would be seen, and read
                after_frame(console)
            assert len(searches) == times
            with console.expect_response("**/api/v1/records?*cursor=further*"):
                more.click()


def test_api_key_is_shown_once_and_works_until_it_is_revoked(
    console: Page, admin: Client, stack: Stack
) -> None:
    with new_client(console, admin):
        open_page(console, "API keys")
        console.get_by_role("button", name="Create a key").click()
        dialog = console.get_by_role("dialog")
        dialog.get_by_label("Name").fill("nightly report")
        dialog.get_by_label("read").uncheck()
        dialog.get_by_label("Spending limit").fill("5")
        dialog.get_by_role("button", name="Create the key").click()
        shown = console.get_by_role("region", name="The new key")
        secret = shown.locator("code").first.inner_text()
        expect(shown).to_contain_text(f"curl {console.evaluate('origin')}/api/v1/process_operation")
        with Client(stack.url, bearer=secret) as program:
            assert program.compute().is_success
            assert program.compute().status_code == 402  # the spending limit
            shown.get_by_role("button", name="I have copied it").click()
            console.reload()
            expect(rows(console, "API keys")).to_contain_text("nightly report")
            assert secret not in console.content()
            rows(console, "API keys").get_by_role("button", name="Revoke").click()
            console.get_by_role("dialog").get_by_role("button", name="Revoke").click()
            expect(console.get_by_role("heading", name="No keys yet")).to_be_visible()
            assert program.compute().status_code == 401


def test_client_ends_another_session_and_changes_the_password(
    console: Page, admin: Client, context: BrowserContext, stack: Stack
) -> None:
    with new_client(console, admin) as elsewhere, Client(stack.url) as phone:
        email = elsewhere.email
        open_page(console, "Account")
        sessions = console.get_by_role("region", name="Sessions").get_by_role("listitem")
        expect(sessions).to_have_count(2)
        sessions.get_by_role("button", name="End").click()
        expect(sessions).to_have_count(1)
        assert elsewhere.get(f"{API}/users/me").status_code == 401

        assert phone.sign_in(email).is_success
        form = console.get_by_role("region", name="Password")
        for current, message in (("not-the-password", "password is wrong"), (PASSWORD, "is changed")):
            form.get_by_label("Current password").fill(current)
            form.get_by_label("New password").fill("another-horse-2!")
            form.get_by_role("button", name="Change the password").click()
            expect(form).to_contain_text(message)
        assert phone.get(f"{API}/users/me").status_code == 401
        console.get_by_role("main").get_by_role("button", name="Sign out").click()
        expect(console.get_by_role("heading", name="Sign in or sign up")).to_be_visible()
        context.clear_cookies()
        sign_in(console, email, "another-horse-2!")
