"""Files in the console: dropped, quoted, followed to their end, and downloaded, against the whole service."""

import csv
import re
from decimal import Decimal
from pathlib import Path
from threading import Event

from playwright.sync_api import BrowserContext, Page, Route, expect

from localstack.stack import Stack
from tests.support.console import (
    Complaints,
    balance,
    figure,
    first,
    hold_next,
    new_client,
    open_page,
    rows,
)
from tests.support.eventually import eventually
from tests.support.http_client import API, Client
from tests.support.uploads import ended

ROWS = 100_000
BAD_EVERY = 1_000
"""Each thousandth row divides by 0."""

DROP_SCRIPT = """
([name, rows, every]) => {
  let text = "operation,arguments\\n";
  for (let row = 1; row <= rows; row += 1) {
    text += row % every ? `addition,"[${row}, 1]"\\n` : `division,"[${row}, 0]"\\n`;
  }
  const dragged = new DataTransfer();
  dragged.items.add(new File([text], name, { type: "text/csv" }));
  for (const type of ["dragenter", "dragover", "drop"]) {
    const options = { dataTransfer: dragged, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent(type, options));
  }
}
"""


def drop(page: Page, name: str, count: int, *, bad_every: int = 10**9) -> None:
    """Drop a file of so many rows on the page. Each addition costs 5 credits."""
    page.evaluate(DROP_SCRIPT, [name, count, bad_every])


def status(page: Page, text: str) -> None:
    """Wait for the task's status on its page."""
    expect(page.locator("main .badge").first).to_have_text(text, timeout=120_000)


def held_upload(page: Page, stack: Stack) -> list[Route]:
    """Hold the page's next upload. Return the list that will contain it."""
    return hold_next(page, f"{stack.environment['AWS_ENDPOINT_URL']}/**")


def downloaded(page: Page, folder: Path) -> list[dict[str, str]]:
    """Download the results by the button of a task's page, and return their rows."""
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("^Download")).click()
    path = folder / "results.csv"
    download.value.save_as(path)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_dropped_file_of_100_000_rows_is_followed_to_its_end(
    console: Page, admin: Client, tmp_path: Path
) -> None:
    with new_client(console, admin, balance=ROWS * 5) as api:
        open_page(console, "Files")
        console.get_by_label("Check the price first").uncheck()
        drop(console, "large.csv", ROWS, bad_every=BAD_EVERY)
        console.get_by_role("link", name="large.csv").click()
        progress = console.get_by_role("progressbar", name="Progress of large.csv")
        expect(progress.or_(console.get_by_text("Completed")).first).to_be_visible()
        console.reload()
        expect(balance(console)).not_to_have_text("500,000")
        status(console, "Completed")

        details = console.get_by_role("region", name="Details")
        good = ROWS - ROWS // BAD_EVERY
        expect(figure(details, "Rows done")).to_have_text(f"{ROWS:,}")
        expect(figure(details, "Bad rows")).to_have_text(f"{ROWS - good:,}")
        expect(figure(details, "Spent")).to_have_text(f"{good * 5:,}")
        expect(balance(console)).to_have_text(f"{(ROWS - good) * 5:,}")
        assert api.balance == (ROWS - good) * 5

        bad = console.get_by_role("region", name="Bad rows").get_by_role("row")
        expect(bad).to_have_count(1 + ROWS // BAD_EVERY)
        expect(bad.nth(1)).to_contain_text("1001")  # its line, after the header
        results = downloaded(console, tmp_path)
        assert len(results) == ROWS
        assert results[0]["result"] == "2"
        assert sum(row["error"] != "" for row in results) == ROWS // BAD_EVERY
        assert sum(Decimal(row["amount"] or 0) for row in results) == good * 5


def test_quote_charges_nothing_until_it_is_started_once(console: Page, admin: Client, tmp_path: Path) -> None:
    with new_client(console, admin, balance=1000) as api:
        open_page(console, "Files")
        expect(console.get_by_label("Check the price first")).to_be_checked()
        drop(console, "quoted.csv", 20, bad_every=10)
        console.get_by_role("link", name="quoted.csv").click()
        status(console, "Quoted")
        price = console.get_by_role("region", name="Price")
        expect(figure(price, "Price")).to_have_text("90")
        expect(figure(price, "Bad rows")).to_have_text("2")
        assert len(downloaded(console, tmp_path)) == 2
        assert api.balance == 1000
        price.get_by_role("button", name="Start and pay 90").dblclick()
        status(console, "Completed")
        expect(balance(console)).to_have_text("910")
        assert api.balance == 910
        assert len(downloaded(console, tmp_path)) == 20


def test_file_goes_on_during_a_lost_connection(
    console: Page, admin: Client, context: BrowserContext, stack: Stack, complaints: Complaints
) -> None:
    complaints.expect("net::ERR_INTERNET_DISCONNECTED")
    held = held_upload(console, stack)
    with new_client(console, admin, balance=1000) as api:
        open_page(console, "Files")
        console.get_by_label("Check the price first").uncheck()
        drop(console, "offline.csv", 100)
        console.get_by_role("link", name="offline.csv").click()
        expect(console.get_by_role("heading", level=1, name="offline.csv")).to_be_visible()
        expect(console.get_by_role("progressbar", name="Upload of offline.csv")).to_be_visible()
        upload = first(console, held)
        arrived = upload.fetch()
        context.set_offline(True)
        upload.fulfill(response=arrived)
        expect(console.get_by_text("can't be reached")).to_be_visible()
        (task,) = api.rows("tasks")
        ended(api, f"{API}/tasks/{task['id']}")
        context.set_offline(False)
        status(console, "Completed")
        expect(console.get_by_text("can't be reached")).to_be_hidden()
        expect(balance(console)).to_have_text("500")
        assert api.balance == 500


def test_upload_whose_connection_is_lost_is_sent_again(
    console: Page, admin: Client, stack: Stack, complaints: Complaints
) -> None:
    complaints.expect("net::ERR_FAILED")
    with new_client(console, admin) as api:
        open_page(console, "Files")
        console.get_by_label("Check the price first").uncheck()
        bucket = f"{stack.environment['AWS_ENDPOINT_URL']}/**"
        console.route(bucket, lambda route: route.abort())
        drop(console, "again.csv", 2)
        expect(console.get_by_role("alert")).to_contain_text("The connection was lost")
        console.unroute(bucket)
        console.get_by_role("button", name="Try again").click()
        table = rows(console, "Files")
        expect(table).to_have_count(1)
        expect(table).to_contain_text("Completed")
        expect(balance(console)).to_have_text("10")
        assert [task["status"] for task in api.rows("tasks")] == ["completed"]


def test_file_that_runs_out_of_credit_resumes_after_a_grant(console: Page, admin: Client) -> None:
    with new_client(console, admin, balance=12) as api:
        open_page(console, "Files")
        console.get_by_label("Check the price first").uncheck()
        drop(console, "short.csv", 4)
        console.get_by_role("link", name="short.csv").click()
        status(console, "Out of credit")
        expect(balance(console)).to_have_text("2")
        grant = admin.post(f"{API}/users/{api.id}/credits", json={"amount": 100, "reason": "More"})
        assert grant.is_success
        console.get_by_role("button", name="Resume").click()
        console.get_by_role("dialog").get_by_role("button", name="Resume").click()
        status(console, "Completed")
        expect(balance(console)).to_have_text("92")


def test_balance_is_read_if_a_file_ended_before_the_list_was_read(console: Page, admin: Client) -> None:
    held = list[Route]()
    has_ended = Event()

    def hold(route: Route) -> None:
        if has_ended.is_set():
            route.continue_()
        else:
            held.append(route)

    with new_client(console, admin) as api:
        open_page(console, "Files")
        console.get_by_label("Check the price first").uncheck()
        console.route("**/api/v1/tasks?*", hold)
        drop(console, "small.csv", 2)
        first(console, held)
        (task,) = api.rows("tasks")
        eventually(lambda: api.get(f"{API}/tasks/{task['id']}").json()["results"])
        has_ended.set()
        for read in held:
            read.continue_()
        expect(rows(console, "Files")).to_contain_text("Completed")
        expect(balance(console)).to_have_text("10")


def test_several_files_are_uploaded_at_once_and_one_is_cancelled(
    console: Page, admin: Client, stack: Stack
) -> None:
    with new_client(console, admin) as api:
        open_page(console, "Files")
        console.get_by_label("Check the price first").uncheck()
        held = held_upload(console, stack)
        drop(console, "cancelled.csv", 3)
        first(console, held)
        drop(console, "first.csv", 1)
        drop(console, "second.csv", 2)
        cancel = console.get_by_role("button", name="Cancel the upload of cancelled.csv")
        expect(rows(console, "Files").filter(has_text="Completed")).to_have_count(2)
        cancel.click()
        expect(cancel).to_be_hidden()
        expect(rows(console, "Files").filter(has_text="Cancelled")).to_have_count(1)
        expect(balance(console)).to_have_text("5")
        assert sorted(task["status"] for task in api.rows("tasks")) == ["cancelled", "completed", "completed"]
