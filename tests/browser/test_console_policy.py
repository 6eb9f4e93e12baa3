"""The Content-Security-Policy of the console's page, as Chromium enforces it."""

import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.test_results import CSV, FETCH_RESULTS_SCRIPT, RESULTS, completed


@pytest.fixture
def refusals(page: Page) -> list[str]:
    """What the page's console says about its policy, filled while the test runs."""
    texts = list[str]()
    page.on("console", lambda message: texts.append(message.text) if "Security" in message.text else None)
    return texts


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
    with pytest.raises(Error, match="Failed to fetch"):
        page.evaluate("([address, body]) => fetch(address, { method: 'POST', body })", [address, CSV])
    assert "connect-src" in refusals[0]
