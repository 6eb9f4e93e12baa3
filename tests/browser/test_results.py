"""A page of another origin uploads a file and reads its results."""

from uuid import uuid4

import boto3
import pytest
from playwright.sync_api import Error, Page

from localstack.stack import Stack
from tests.support.docs_page import DocsPage

CSV = 'operation,arguments\naddition,"[1, 2]"\n'
RESULTS = 'row,operation,arguments,result,amount,user_balance,error\n1,addition,"[1, 2]",3,5,15,\n'
TIMEOUT_SECONDS = 60

# The requests of a front end, as plain fetch calls.
COMPLETE_TASK_SCRIPT = """
async ([api, email, csv, direct, seconds]) => {
  const send = (path, how = {}) => fetch(api + path, { credentials: "include", ...how });
  const json = async (response) => {
    if (!response.ok) throw new Error(response.status + " " + (await response.text()));
    return response.json();
  };
  const type = { "Content-Type": "application/json" };
  const credentials = JSON.stringify({ email, password: "correct-horse-1!" });
  const login = await json(await send("/login", { method: "POST", headers: type, body: credentials }));
  const csrf = { "X-CSRF-TOKEN": login.csrf_token };
  const form = new FormData();
  let task;
  if (direct) {
    const body = JSON.stringify({ filename: "a.csv", size: csv.length });
    const headers = { ...type, ...csrf };
    task = await json(await send("/api/v1/tasks", { method: "POST", headers, body }));
    Object.entries(task.fields).forEach(([name, value]) => form.append(name, value));
    form.append("file", new File([csv], "a.csv"));
    const stored = await fetch(task.url, { method: "POST", body: form });
    if (!stored.ok) throw new Error("the bucket returned " + stored.status);
  } else {
    form.append("file", new File([csv], "a.csv"));
    task = await json(await send("/api/v1/process_csv", { method: "POST", headers: csrf, body: form }));
  }
  const path = "/api/v1/tasks/" + task.task_id;
  for (const end = Date.now() + seconds * 1000; task.status !== "completed"; ) {
    if (Date.now() > end) throw new Error("the task is still " + task.status);
    await new Promise((resolve) => setTimeout(resolve, 100));
    task = await json(await send(path));
  }
  return path;
}
"""
FETCH_RESULTS_SCRIPT = """
async ([api, path]) => {
  const headers = { Accept: "application/json" };
  const response = await fetch(api + path + "/results", { credentials: "include", headers });
  const { url, expires_at } = await response.json();
  if (!(new Date(expires_at) > new Date())) throw new Error("expired at " + expires_at);
  return (await fetch(url)).text();
}
"""


def completed(page: Page, api: str, *, direct: bool = False) -> str:
    """Complete a task of a new account by scripts of the page. Return its path."""
    email = f"{uuid4().hex}@browser.example"
    return str(page.evaluate(COMPLETE_TASK_SCRIPT, [api, email, CSV, direct, TIMEOUT_SECONDS]))


@pytest.mark.parametrize("direct", [False, True], ids=["through the API", "straight to the bucket"])
def test_page_of_the_front_end_uploads_a_file_and_reads_its_results(
    page: Page, frontend: str, url: str, direct: bool
) -> None:
    page.goto(frontend)
    path = completed(page, url, direct=direct)
    assert page.evaluate(FETCH_RESULTS_SCRIPT, [url, path]) == RESULTS


def test_docs_page_follows_the_redirect_and_its_scripts_read_the_results(page: Page, url: str) -> None:
    page.goto(f"{url}/docs")
    path = completed(page, "")
    assert DocsPage(page).run("getTaskResults", task_id=path.rpartition("/")[2]).status == 200
    assert page.evaluate(FETCH_RESULTS_SCRIPT, ["", path]) == RESULTS


def test_page_of_another_origin_cannot_call_the_api(page: Page, other_origin: str, url: str) -> None:
    page.goto(other_origin)
    with pytest.raises(Error, match="Failed to fetch"):
        completed(page, url)


def test_bucket_allows_the_front_end_and_the_docs_page(stack: Stack, frontend: str, url: str) -> None:
    # MiniStack stores the rule but allows every origin, so the tests above do not verify it.
    environment = stack.environment
    s3 = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    (rule,) = s3.get_bucket_cors(Bucket=environment["BUCKET"])["CORSRules"]
    s3.close()
    assert {frontend, url} <= set(rule["AllowedOrigins"])
    assert rule["AllowedMethods"] == ["GET", "POST"]
