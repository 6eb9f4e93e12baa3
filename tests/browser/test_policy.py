"""The web pages under their Content-Security-Policy, as Chromium enforces it."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import Error as BrowserError

from tests.browser.test_results import CSV, FETCH_RESULTS_SCRIPT, RESULTS, completed
from tests.support.console import Complaints, drop_access_token, fill_sign_in, sign_in
from tests.support.docs_page import DocsPage
from tests.support.eventually import eventually
from tests.support.http_client import API, PASSWORD, Client, new_email


@pytest.fixture
def refusals(page: Page) -> list[str]:
    """What the page's console says about its policy, filled while the test runs."""
    texts = list[str]()
    page.on("console", lambda message: texts.append(message.text) if "Security" in message.text else None)
    return texts


@pytest.fixture
def docs(console: Page, url: str) -> Iterator[DocsPage]:
    """The page at /docs without a session. The test fails if it sends a request to another origin."""
    docs = DocsPage(console)
    yield docs
    assert [request.url for request in docs.requests if not request.url.startswith(url)] == []


def test_console_starts_uploads_and_reads_results_without_a_violation(
    page: Page, url: str, refusals: list[str]
) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    path = completed(page, "", direct=True)
    assert page.evaluate(FETCH_RESULTS_SCRIPT, ["", path]) == RESULTS
    page.reload()
    expect(page.get_by_role("navigation").first).to_be_visible()
    assert refusals == []


@pytest.mark.parametrize("target", ["another host", "another bucket"])
def test_console_sends_nothing_elsewhere(
    page: Page, url: str, refusals: list[str], other_origin: str, target: str
) -> None:
    page.goto(url)
    address = other_origin
    if target == "another bucket":
        policy = page.evaluate("async () => (await fetch('/')).headers.get('Content-Security-Policy')")
        bucket = policy.partition("connect-src 'self' ")[2].partition(" ")[0]
        address = f"{bucket}-of-another/key"
    with pytest.raises(BrowserError, match="Failed to fetch"):
        page.evaluate("([address, body]) => fetch(address, { method: 'POST', body })", [address, CSV])
    eventually(lambda: page.evaluate("true") and refusals)  # evaluate() lets Playwright fill the list
    assert "connect-src" in refusals[0]


def test_docs_sign_in_try_routes_and_refresh_an_expired_token_once(
    docs: DocsPage, admin: Client, context: BrowserContext
) -> None:
    email = new_email()
    assert admin.post(f"{API}/users", json={"email": email, "password": PASSWORD}).status_code == 201
    docs.open()
    docs.button("Sign in").click()
    form = docs.page.locator("dialog")
    fill_sign_in(form, email, "not-the-password-1!")
    expect(form.get_by_role("alert")).to_contain_text("The e-mail or the password is wrong.")
    fill_sign_in(form, email)
    expect(docs.credentials).to_contain_text(f"{email} 20 credits")
    charged = docs.run("processOperation", body={"type": "addition", "arguments": [0.1, 0.2]})
    assert (charged.status, charged.body["result"], charged.body["user_balance"]) == (200, Decimal("0.3"), 15)
    expect(docs.credentials).to_contain_text("15 credits")
    records = docs.run("listRecords").body["records"]
    assert [record["id"] for record in records] == [charged.body["record_id"]]
    drop_access_token(context)
    uploaded = docs.run("processCsv", file=CSV)
    assert (uploaded.status, uploaded.body["filename"]) == (202, "a.csv")
    assert len(docs.sent("POST", "/refresh")) == 1
    assert docs.run("refreshTokens").status == 200
    docs.button("Sign out").click()
    expect(docs.button("Sign in")).to_be_visible()


def test_docs_use_the_session_of_the_console_or_an_api_key(
    docs: DocsPage, admin: Client, complaints: Complaints
) -> None:
    complaints.expect("status of 403")
    sign_in(docs.page, "defaultadmin@admin.as", "adminpass")
    docs.open()
    expect(docs.credentials).to_contain_text("defaultadmin@admin.as")
    email = new_email()
    created = docs.run("createUser", body={"email": email, "password": PASSWORD, "role": "client"})
    assert (created.status, created.body["email"]) == (201, email)
    with Client(str(admin.base_url)) as created_user:
        assert created_user.sign_in(email).is_success
        key = created_user.post(f"{API}/api_keys", json={"name": "docs"}).json()["key"]
    docs.button("Use an API key").click()
    field = docs.page.locator("dialog").get_by_role("textbox")
    field.fill("a password")
    docs.page.keyboard.press("Enter")
    assert field.evaluate("field => field.validity.patternMismatch")
    field.fill(f" {key} ")
    docs.page.keyboard.press("Enter")
    assert docs.run("deleteUser", id=created.body["id"]).status == 403  # not the admin's session
    (request,) = docs.sent("DELETE", created.body["id"])
    sent = request.all_headers()
    assert sent["authorization"] == f"Bearer {key}"
    assert not {"cookie", "x-csrf-token"} & set(sent)
    assert key not in docs.page.content()
    route = docs.open_route("deleteUser")
    expect(route.locator(".curl-command")).to_contain_text("'Authorization: Bearer YOUR_API_KEY'")
    route.locator(".opblock-summary-control").click()
    docs.button("Remove the key").click()
    assert docs.run("deleteUser", id=created.body["id"]).status == 200
    assert admin.get(f"{API}/users/{created.body['id']}").status_code == 404
