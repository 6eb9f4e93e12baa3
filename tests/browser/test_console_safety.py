"""The console in a hurry: waiting requests, the keyboard's focus, filters, late responses, long numbers."""

import re

from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from localstack.stack import Stack
from tests.support.console import (
    after_frame,
    compute,
    fill_numbers,
    fill_sign_in,
    first,
    hold_next,
    new_client,
    open_page,
    respond_late,
    result,
    rows,
    send_numbers,
    sign_in,
)
from tests.support.http_client import API, PASSWORD, Client, new_email


def button(container: Page | Locator, name: str) -> Locator:
    return container.get_by_role("button", name=name, exact=True)


def test_waiting_call_is_not_sent_when_another_user_signs_in(
    console: Page, admin: Client, context: BrowserContext
) -> None:
    with new_client(console, admin) as api:
        open_page(console, "Compute")
        fill_numbers(console, "1", "2")
        context.clear_cookies()
        send_numbers(console)
        expect(console.get_by_role("dialog", name="Your session has ended")).to_be_visible()
        other = context.new_page()
        other.goto("/")
        email = new_email()
        fill_sign_in(other, email)
        expect(console.get_by_role("navigation", name="Main")).to_contain_text(email)
        assert other.request.get("/api/v1/records").json()["records"] == []
        assert api.rows("records") == []


def test_dialog_of_an_ended_session_stays_open_on_escape(
    console: Page, admin: Client, context: BrowserContext
) -> None:
    with new_client(console, admin):
        open_page(console, "Compute")
        fill_numbers(console, "1", "2")
        context.clear_cookies()
        send_numbers(console)
        dialog = console.get_by_role("dialog", name="Your session has ended")
        expect(dialog).to_be_visible()
        for _ in range(3):
            console.keyboard.press("Escape")
        button(dialog, "Continue").click(trial=True)


def test_focus_returns_to_the_button_that_opened_a_dialog(console: Page, admin: Client) -> None:
    with new_client(console, admin):
        open_page(console, "API keys")
        for close in ("Escape", "button"):
            button(console, "Create a key").click()
            dialog = console.get_by_role("dialog", name="Create an API key")
            expect(dialog.get_by_label("Name")).to_be_focused()
            if close == "Escape":
                console.keyboard.press("Escape")
            else:
                button(dialog, "Close").click()
            expect(button(console, "Create a key")).to_be_focused()


def test_focus_moves_to_the_page_of_a_row(console: Page, admin: Client) -> None:
    with new_client(console, admin):
        open_page(console, "Compute")
        compute(console, "1", "2")
        expect(result(console)).to_be_visible()
        open_page(console, "History")
        rows(console, "Records").get_by_role("link").first.click()
        expect(console.get_by_role("heading", level=1, name="Addition")).to_be_visible()
        expect(console.get_by_role("main")).to_be_focused()


def test_file_links_to_its_own_rows(console: Page, admin: Client) -> None:
    with new_client(console, admin):
        open_page(console, "Compute")
        compute(console, "1", "2")
        expect(result(console)).to_be_visible()
        open_page(console, "Files")
        console.get_by_label("Check the price first").uncheck()
        file = {
            "name": "own.csv",
            "mimeType": "text/csv",
            "buffer": b'operation,arguments\naddition,"[3, 4]"\n',
        }
        console.get_by_label("CSV files").set_input_files(file)  # type: ignore[arg-type]
        rows(console, "Files").get_by_role("link", name="own.csv").click()
        console.get_by_role("link", name="Its rows in the history").click()
        expect(rows(console, "Records")).to_have_count(1)
        expect(rows(console, "Records")).to_contain_text("[3,4]")


def test_typed_filter_is_kept_by_a_choice_that_follows_at_once(console: Page, admin: Client) -> None:
    sign_in(console, "defaultadmin@admin.as", "adminpass")
    open_page(console, "Users")
    filters = console.get_by_role("search", name="Filters")
    filters.get_by_label("E-mail").fill("defaultadmin")
    filters.get_by_label("Role").select_option("admin")
    expect(console).to_have_url(re.compile("email__like=.*role=admin"))


def test_usage_of_a_range_that_was_left_does_not_replace_the_present_one(
    console: Page, admin: Client
) -> None:
    held = list[Route]()

    def hold_hours(route: Route) -> None:
        if "by=hour" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    with new_client(console, admin):
        open_page(console, "Compute")
        compute(console, "1", "2")
        expect(result(console)).to_be_visible()
        console.route("**/api/v1/usage?*", hold_hours)
        open_page(console, "Usage")
        button(console, "24 hours").click()
        button(console, "12 months").click()
        chart = console.get_by_role("img", name="Credits spent by month")
        expect(chart).to_be_visible()
        with console.expect_response(lambda response: "by=hour" in response.url) as late:
            held[0].continue_()
        late.value.finished()
        after_frame(console)
        assert chart.is_visible()


def test_older_read_of_the_files_does_not_replace_a_newer_one(
    console: Page, admin: Client, stack: Stack
) -> None:
    with new_client(console, admin):
        open_page(console, "Files")
        expect(console.get_by_role("heading", name="No files yet")).to_be_visible()
        upload = hold_next(console, f"{stack.environment['AWS_ENDPOINT_URL']}/**")
        tasks = hold_next(console, "**/api/v1/tasks?*")
        file = {"name": "cancelled.csv", "mimeType": "text/csv", "buffer": b"operation,arguments\n"}
        console.get_by_label("CSV files").set_input_files(file)  # type: ignore[arg-type]
        first(console, upload)
        read = first(console, tasks)
        older = read.fetch()
        button(console, "Cancel the upload of cancelled.csv").click()
        expect(rows(console, "Files")).to_contain_text("Cancelled")
        respond_late(console, read, older)
        assert "Cancelled" in rows(console, "Files").inner_text()


def test_first_read_of_the_files_does_not_replace_a_newer_one(console: Page, admin: Client) -> None:
    with new_client(console, admin):
        tasks = hold_next(console, "**/api/v1/tasks?page_size=50")
        open_page(console, "Files")
        read = first(console, tasks)
        older = read.fetch()
        file = {"name": "new.csv", "mimeType": "text/csv", "buffer": b"operation,arguments\n"}
        console.get_by_label("CSV files").set_input_files(file)  # type: ignore[arg-type]
        expect(rows(console, "Files")).to_have_count(1)
        respond_late(console, read, older)
        assert rows(console, "Files").count() == 1


def test_older_read_of_a_user_does_not_replace_a_newer_one(console: Page, admin: Client) -> None:
    sign_in(console, "defaultadmin@admin.as", "adminpass")
    created = admin.post(f"{API}/users", json={"email": new_email(), "password": PASSWORD}).json()
    console.goto(f"/#/users/{created['id']}")
    credit = console.get_by_role("region", name="Credit")
    credit.get_by_label("Amount").fill("1")
    credit.get_by_label("Reason").fill("Thanks")
    users = hold_next(console, "**/api/v1/users?id=*")
    button(credit, "Grant credit").click()
    read = first(console, users)
    older = read.fetch()
    button(console, "Suspend …").click()
    button(console.get_by_role("dialog"), "Suspend").click()
    expect(button(console, "Activate")).to_be_visible()
    respond_late(console, read, older)
    assert button(console, "Activate").is_visible()


def test_older_read_of_a_price_does_not_replace_a_newer_one(console: Page, admin: Client) -> None:
    sign_in(console, "defaultadmin@admin.as", "adminpass")
    price = admin.get(f"{API}/operations?type=square_root").json()["operations"][0]
    console.goto(f"/#/operations/{price['id']}")
    console.get_by_label("New credits per call").fill("7")
    prices = hold_next(console, "**/api/v1/operations?id=*")
    button(console, "Change").click()
    read = first(console, prices)
    older = read.fetch()
    button(console, "Delete …").click()
    button(console.get_by_role("dialog"), "Delete the price").click()
    try:
        expect(button(console, "Delete …")).to_be_hidden()
        respond_late(console, read, older)
        assert button(console, "Delete …").is_hidden()
    finally:
        body = {"type": "square_root", "cost": price["cost"]}
        assert admin.post(f"{API}/operations", json=body).is_success


def test_numbers_are_sent_with_all_their_digits(console: Page, admin: Client) -> None:
    with new_client(console, admin):
        console.goto("/#/compute?operation=substraction")
        compute(console, "12345678901234567891", "12345678901234567890")
        expect(result(console).locator(".figure")).to_have_text("1")
