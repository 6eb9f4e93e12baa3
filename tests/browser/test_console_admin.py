"""The journey of an admin through the console, against the whole service."""

from decimal import Decimal

from playwright.sync_api import Page, expect

from localstack.stack import Stack
from tests.support.console import Complaints, figure, new_client, open_page, rows, sign_in
from tests.support.http_client import API, PASSWORD, Client, exact, new_email

ADMIN = ("defaultadmin@admin.as", "adminpass")


def audited(page: Page) -> list[str]:
    """The actions of the audit log that the page shows, newest first."""
    return page.locator("main td[data-label=Action]").all_inner_texts()


def test_admin_creates_a_user_grants_credit_and_suspends(
    console: Page, complaints: Complaints, stack: Stack
) -> None:
    complaints.expect("status of 409")
    sign_in(console, *ADMIN)
    open_page(console, "Users")
    console.get_by_role("button", name="Create a user").click()
    dialog = console.get_by_role("dialog", name="Create a user")
    email = new_email()
    dialog.get_by_label("E-mail").fill(ADMIN[0])
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Create the user").click()
    expect(dialog.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("E-mail").fill(email)
    dialog.get_by_label("Opening credit").fill("7.5")
    dialog.get_by_role("button", name="Create the user").dblclick()
    expect(console.get_by_role("heading", level=1, name=email)).to_be_visible()

    credit = console.get_by_role("region", name="Credit")
    credit.get_by_label("Amount").fill("0.0001")
    credit.get_by_label("Reason").fill("Thanks for the report")
    expect(credit).to_contain_text("Balance after: 7.5001")
    credit.get_by_role("button", name="Grant credit").dblclick()
    expect(credit).to_contain_text("The balance is 7.5001")
    with Client(stack.url) as user:
        assert user.sign_in(email).is_success
        assert user.balance == Decimal("7.5001")
        assert [entry["reference"].get("reason") for entry in user.rows("ledger")] == [
            "Thanks for the report",
            None,
        ]
        console.get_by_role("button", name="Suspend …").click()
        console.get_by_role("dialog").get_by_role("button", name="Suspend").click()
        expect(console.get_by_role("button", name="Activate")).to_be_visible()
        assert user.get(f"{API}/users/me").status_code == 401
    expect(rows(console, "Changes of this user")).to_have_count(3)
    assert audited(console) == ["Update", "Grant", "Create"]

    open_page(console, "Users")
    console.get_by_role("searchbox", name="E-mail").fill(email[:20])
    expect(rows(console, "Users")).to_have_count(1)
    expect(rows(console, "Users")).to_contain_text("Inactive")


def test_admin_changes_a_price_and_refunds_a_record(console: Page, stack: Stack) -> None:
    with Client(stack.url) as user:
        user.sign_up()
        sign_in(console, *ADMIN)
        open_page(console, "Prices")
        console.get_by_role("link", name="Change: Square root").click()  # priced in no other test
        change = console.get_by_role("region", name="Change the price")
        change.get_by_label("New credits per call").fill("6.25")
        change.get_by_role("button", name="Change").dblclick()
        price = console.get_by_role("region", name="Price", exact=True)
        expect(price.locator(".figure")).to_have_text("6.25")
        expect(rows(console, "Changes of the price")).to_contain_text("after: 6.25")

        record = exact(user.compute("square_root", 9))
        assert record["amount"] == Decimal("6.25")
        console.goto(f"/#/records?user_id={user.id}")
        rows(console, "Records").get_by_role("link").first.click()
        console.get_by_role("button", name="Refund …").click()
        dialog = console.get_by_role("dialog", name="Refund")
        dialog.get_by_label("Reason").fill("A wrong price")
        dialog.get_by_role("button", name="Refund").dblclick()
        expect(dialog).to_be_hidden()
        expect(figure(console.locator("main"), "Refunded")).to_be_visible()
        assert user.balance == 20
        assert [entry["kind"] for entry in user.rows("ledger")] == ["refund", "charge", "opening"]

    open_page(console, "Audit log")
    expect(rows(console, "Changes by admins").first).to_be_visible()
    assert audited(console)[:2] == ["Refund", "Update"]
    console.get_by_role("search").get_by_label("Action").select_option("refund")
    expect(rows(console, "Changes by admins")).to_have_count(1)
    expect(rows(console, "Changes by admins")).to_contain_text("A wrong price")


def test_client_sees_no_page_of_admins(console: Page, admin: Client) -> None:
    with new_client(console, admin):
        for page, path in (("Users", "users"), ("Audit log", "audit_log")):
            expect(console.get_by_role("link", name=page, exact=True)).to_have_count(0)
            console.goto(f"/#/{path}")
            expect(console.get_by_role("heading", level=1, name="There is no such page")).to_be_visible()
