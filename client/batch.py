"""Upload a file, show its progress and download its results: `python -m client.batch FILE`.

    RESTCALCULATOR_EMAIL=… RESTCALCULATOR_PASSWORD=… python -m client.batch operations.csv

Writes the results of all rows done to FILE.results.csv. The exit status is 0 if all rows succeeded, 1 if some
failed, and 2 if the task did not complete. Set --url or RESTCALCULATOR_URL for a deployed service.

With --quote, all rows are checked and priced, and none is charged. It prints the price by operation and the
bad rows. `python -m client.batch FILE --start TASK` then charges the rows without another upload.
"""

import argparse
import getpass
import json
import math
import os
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TransferSpeedColumn,
)

from client.quote import print_quote
from localstack.stack_settings import CannotStart, Settings

ALL_DONE, ROWS_FAILED, NOT_COMPLETED = 0, 1, 2
POLL_SECONDS = 0.5
"""Interval between two requests of the task's status."""
FAILURE_LIMIT = 20
"""Consecutive requests that may fail, for example during a deploy, before the client stops with an error."""


class ClientError(Exception):
    """An error with a message for the user. `status` is the HTTP status of the response, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """Calls the service over HTTP with the session's cookies. Every method raises ClientError."""

    def __init__(self, url: str) -> None:
        # A local service uses a local bucket, which needs neither TLS nor a proxy.
        local = not url.startswith("https")
        tls: ssl.SSLContext | bool = False if local else ssl.create_default_context()
        self._http = httpx.Client(base_url=url, verify=tls, trust_env=not local, timeout=30)
        # Presigned URLs need no session. Large files need longer timeouts.
        slow = httpx.Timeout(30, read=300, write=300)
        self._bucket = httpx.Client(verify=tls, trust_env=not local, timeout=slow)
        self._csrf = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()
        self._bucket.close()

    def sign_in(self, email: str, password: str) -> None:
        response = self._request("POST", "/login", json={"email": email, "password": password})
        self._csrf = response.json()["csrf_token"]

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API and return its response. Refresh an expired session once."""
        try:
            return self._request(method, path, **options)
        except ClientError as error:
            refresh = self._http.cookies.get("csrf_refresh_token")
            if error.status != HTTPStatus.UNAUTHORIZED or refresh is None:
                raise
        self._csrf = refresh
        self._csrf = self._request("POST", "/refresh").json()["csrf_token"]
        return self._request(method, path, **options)

    def upload(self, grant: Mapping[str, Any], file: Any) -> None:
        """Upload a file to the bucket with the form fields of a new task."""
        try:
            response = self._bucket.post(grant["url"], data=grant["fields"], files={"file": file})
        except httpx.HTTPError as error:
            raise ClientError(f"The upload failed: {error or type(error).__name__}") from None
        if response.is_error:
            raise ClientError(f"The bucket rejected the file ({response.status_code}): {response.text[:300]}")

    def download(self, task_id: str, to: Path, advance: Callable[[int, int], None]) -> None:
        """Download a task's results. The file `to` is created only after the whole download."""
        link = self.call("GET", f"/api/v1/tasks/{task_id}/results").headers["Location"]
        part = to.with_name(f"{to.name}.part")
        try:
            with self._bucket.stream("GET", link) as response, part.open("wb") as sink:
                response.raise_for_status()
                for block in response.iter_bytes(1 << 20):
                    sink.write(block)
                    advance(sink.tell(), int(response.headers.get("Content-Length", 0)))
            part.replace(to)
        except httpx.HTTPError as error:
            raise ClientError(f"The download of the results failed: {error}") from None
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"X-CSRF-TOKEN": self._csrf} if self._csrf and method != "GET" else {}
        try:
            response = self._http.request(method, path, headers=headers, **options)
        except httpx.HTTPError as error:
            raise ClientError(f"{self._http.base_url} can't be reached: {error}") from None
        if response.is_error:
            raise ClientError(_problem(response), response.status_code)
        return response


def run(service: Service, options: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Upload a file, wait until its task has ended, and return the task."""
    file: Path = options.file
    size = file.stat().st_size
    body = {
        "filename": file.name[:255],
        "size": size,
        "dry_run": options.quote,
        "max_spend": options.max_spend,
    }
    task = _parse(service.call("POST", "/api/v1/tasks", json=body))
    progress.console.print(f"task {task['id']}")
    sending = progress.add_task("uploading", total=size, detail="")
    with file.open("rb") as content:
        service.upload(task, progress.wrap_file(content, task_id=sending, total=size))
    progress.update(sending, visible=False)
    return follow(service, task["id"], progress)


def start(service: Service, task_id: str, progress: Progress) -> dict[str, Any]:
    """Start a quoted task, wait until it has ended, and return it."""
    service.call("POST", f"/api/v1/tasks/{task_id}/start")
    return follow(service, task_id, progress)


def follow(service: Service, task_id: str, progress: Progress) -> dict[str, Any]:
    """Show the progress of a task, wait until it has ended and its results are written, and return it."""
    bar, failures = progress.add_task("queued", total=None, detail=""), 0
    while True:
        try:
            task = _parse(service.call("GET", f"/api/v1/tasks/{task_id}"))
            failures = 0
        except ClientError:
            failures += 1
            if failures >= FAILURE_LIMIT:
                raise
        else:
            progress.update(
                bar,
                description=task["status"].replace("_", " "),
                total=task["bytes_total"],
                completed=task["bytes_done"],
                detail=_detail(task),
            )
            if task["results"]:
                return task
        time.sleep(POLL_SECONDS)


def main(arguments: list[str] | None = None) -> int:
    options, console = _options(arguments), Console(stderr=True)
    try:
        return _work(options, console)
    except ClientError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return NOT_COMPLETED
    except KeyboardInterrupt:
        console.print("\nStopped. The service continues a task that has started.")
        return 130


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m client.batch", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a CSV of operation,arguments")
    parser.add_argument(
        "--url",
        default=os.environ.get("RESTCALCULATOR_URL"),
        help="the service's URL; by default that of `make up`",
    )
    parser.add_argument("--email", default=os.environ.get("RESTCALCULATOR_EMAIL"))
    parser.add_argument("--quote", action="store_true", help="check and price all rows, and charge none")
    parser.add_argument(
        "--start", metavar="TASK", help="start the quoted task of FILE instead of uploading it"
    )
    parser.add_argument(
        "--max-spend", type=credits, metavar="CREDITS", help="end the task before it would spend more"
    )
    parser.add_argument("--results", type=Path, help="the file for the results; by default FILE.results.csv")
    options = parser.parse_args(arguments)
    if options.start and (options.quote or options.max_spend):
        parser.error("use --start alone: the task has the max_spend of its quote")
    return options


def _work(options: argparse.Namespace, console: Console) -> int:
    file: Path = options.file
    if not file.is_file():
        raise ClientError(f"{file} is not a file.")
    if not file.stat().st_size:
        raise ClientError(f"{file} is empty.")
    url = options.url or _local_url()
    email = options.email or _prompt("E-mail: ", input)
    password = os.environ.get("RESTCALCULATOR_PASSWORD") or _prompt("Password: ", getpass.getpass)
    columns = (
        TextColumn("{task.description:13}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    results = options.results or file.with_name(f"{file.name}.results.csv")
    with Service(url) as service, Progress(*columns, console=console) as progress:
        service.sign_in(email, password)
        task = start(service, options.start, progress) if options.start else run(service, options, progress)
        _fetch(service, task["id"], results, progress)
        prices = _prices(service) if options.quote else {}
    console.print(
        f"{task['status'].replace('_', ' ')}: {task['rows_done']} rows, {task['rows_failed']} failed,"
        f" {task['spent']} credits spent. {task['error'] or ''}".rstrip(),
        markup=False,
        soft_wrap=True,
    )
    if task["status"] == "quoted":
        print_quote(task, file, results, prices)
        console.print(f"Charge these rows with --start {task['id']}", soft_wrap=True)
    print(results)
    if task["status"] != ("quoted" if options.quote else "completed"):
        return NOT_COMPLETED
    return ROWS_FAILED if task["rows_failed"] else ALL_DONE


def _fetch(service: Service, task_id: str, results: Path, progress: Progress) -> None:
    bar = progress.add_task("fetching", total=None, detail="")
    service.download(
        task_id, results, lambda done, total: progress.update(bar, completed=done, total=total or None)
    )


def _prices(service: Service) -> dict[str, Decimal]:
    operations = _parse(service.call("GET", "/api/v1/operations?page_size=100"))["operations"]
    return {operation["type"]: operation["cost"] for operation in operations}


def _local_url() -> str:
    """Return the URL of `make up` with the same settings."""
    try:
        return f"http://localhost:{Settings.from_environment().port}"
    except CannotStart as error:
        raise ClientError(str(error)) from None


def _prompt(prompt: str, read: Callable[[str], str]) -> str:
    if not sys.stdin.isatty():
        raise ClientError(
            "Set RESTCALCULATOR_EMAIL and RESTCALCULATOR_PASSWORD: standard input is not a terminal."
        )
    return read(prompt)


def credits(text: str) -> float:
    """Parse a positive number of credits. Raises: ValueError."""
    if not 0 < (amount := float(text)) < math.inf:
        raise ValueError
    return amount


def _parse(response: httpx.Response) -> dict[str, Any]:
    """Parse a response. Credits become Decimal, because a float would lose digits."""
    body: dict[str, Any] = json.loads(response.text, parse_float=Decimal)
    return body


def _detail(task: Mapping[str, Any]) -> str:
    parts = [f"{task['rows_done']} rows"]
    if task["rows_per_second"]:
        parts.append(f"{task['rows_per_second']:.0f} rows/s")
    if task["seconds_left"] is not None:
        minutes, seconds = divmod(task["seconds_left"], 60)
        parts.append(f"{minutes}:{seconds:02} left")
    return ", ".join(parts)


def _problem(response: httpx.Response) -> str:
    """Return the detail of an error response (RFC 9457), and its Retry-After."""
    try:
        problem = response.json()
        detail = problem.get("detail") or problem["title"]
    except (ValueError, KeyError, AttributeError):
        detail = response.text[:300] or response.reason_phrase
    wait = response.headers.get("Retry-After")
    return f"{detail} ({response.status_code}{f', try again in {wait} s' if wait else ''})"


if __name__ == "__main__":
    sys.exit(main())
