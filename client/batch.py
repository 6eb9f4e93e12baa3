"""A client for files: `python -m client.batch FILE` uploads it, follows it, and fetches the results.

    RESTCALCULATOR_EMAIL=… RESTCALCULATOR_PASSWORD=… python -m client.batch operations.csv

The results go to FILE.results.csv. Ends with 0 when every row was done, 1 when some failed, and 2
when the task did not come to its end. Works on any deployment: --url, or RESTCALCULATOR_URL.
"""

import argparse
import getpass
import json
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

from localstack.settings import CannotStart, Settings

ALL_DONE, ROWS_FAILED, NOT_COMPLETED = 0, 1, 2
POLL = 0.5
"""Seconds between two looks at a task."""
ENDED = ("completed", "out_of_credit", "failed", "cancelled")
PATIENCE = 20
"""Looks that may fail in a row (a service that is being deployed, a network that changes)."""


class CannotGoOn(Exception):
    """What went wrong, in words for the user; `status` is that of the answer, if there was one."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """The service over HTTP, signed in by the session's cookies. Every method raises CannotGoOn."""

    def __init__(self, url: str) -> None:
        # A service on this machine has a bucket on it: no certificate to verify, no proxy that leads there.
        local = not url.startswith("https")
        tls: ssl.SSLContext | bool = False if local else ssl.create_default_context()
        self._http = httpx.Client(base_url=url, verify=tls, trust_env=not local, timeout=30)
        # Signed links need no session, and may take their time.
        slow = httpx.Timeout(30, read=300, write=300)
        self._bucket = httpx.Client(verify=tls, trust_env=not local, timeout=slow)
        self._csrf = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()
        self._bucket.close()

    def sign_in(self, email: str, password: str) -> None:
        answer = self._ask("POST", "/login", json={"email": email, "password": password})
        self._csrf = answer.json()["csrf_token"]

    def call(self, method: str, path: str, **how: Any) -> httpx.Response:
        """An answer of the API; a session that has run out meanwhile is refreshed."""
        try:
            return self._ask(method, path, **how)
        except CannotGoOn as error:
            refresh = self._http.cookies.get("csrf_refresh_token")
            if error.status != HTTPStatus.UNAUTHORIZED or refresh is None:
                raise
        self._csrf = refresh
        self._csrf = self._ask("POST", "/refresh").json()["csrf_token"]
        return self._ask(method, path, **how)

    def upload(self, grant: Mapping[str, Any], file: Any) -> None:
        """Send a file to where a new task says."""
        try:
            answer = self._bucket.post(grant["url"], data=grant["fields"], files={"file": file})
        except httpx.HTTPError as error:
            raise CannotGoOn(f"The upload broke off: {error or type(error).__name__}") from None
        if answer.is_error:
            raise CannotGoOn(f"The bucket refused the file ({answer.status_code}): {answer.text[:300]}")

    def download(self, task_id: str, to: Path, advance: Callable[[int, int], None]) -> None:
        """Fetch a task's results; the file appears when they are whole."""
        link = self.call("GET", f"/api/v1/tasks/{task_id}/results").headers["Location"]
        part = to.with_name(f"{to.name}.part")
        try:
            with self._bucket.stream("GET", link) as answer, part.open("wb") as sink:
                answer.raise_for_status()
                for block in answer.iter_bytes(1 << 20):
                    sink.write(block)
                    advance(sink.tell(), int(answer.headers.get("Content-Length", 0)))
            part.replace(to)
        except httpx.HTTPError as error:
            raise CannotGoOn(f"The results could not be fetched: {error}") from None
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        headers = {"X-CSRF-TOKEN": self._csrf} if self._csrf and method != "GET" else {}
        try:
            answer = self._http.request(method, path, headers=headers, **how)
        except httpx.HTTPError as error:
            raise CannotGoOn(f"{self._http.base_url} can't be reached: {error}") from None
        if answer.is_error:
            raise CannotGoOn(_problem(answer), answer.status_code)
        return answer


def run(service: Service, file: Path, progress: Progress) -> dict[str, Any]:
    """Upload a file and follow it to its end; the task as it is then."""
    size = file.stat().st_size
    task = _task(service.call("POST", "/api/v1/tasks", json={"filename": file.name[:255], "size": size}))
    progress.console.print(f"task {task['id']}")
    sending = progress.add_task("uploading", total=size, told="")
    with file.open("rb") as content:
        service.upload(task, progress.wrap_file(content, task_id=sending, total=size))
    progress.update(sending, visible=False)
    return follow(service, task["id"], progress)


def follow(service: Service, task_id: str, progress: Progress) -> dict[str, Any]:
    """Wait for a task's end, and show how far it is."""
    bar, failures = progress.add_task("queued", total=None, told=""), 0
    while True:
        try:
            task = _task(service.call("GET", f"/api/v1/tasks/{task_id}"))
            failures = 0
        except CannotGoOn:
            failures += 1
            if failures >= PATIENCE:
                raise
        else:
            progress.update(
                bar,
                description=task["status"].replace("_", " "),
                total=task["bytes_total"],
                completed=task["bytes_done"],
                told=_told(task),
            )
            if task["status"] in ENDED:
                return task
        time.sleep(POLL)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m client.batch", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="a CSV of operation,arguments")
    parser.add_argument(
        "--url",
        default=os.environ.get("RESTCALCULATOR_URL"),
        help="the service; that of `make up` by default",
    )
    parser.add_argument("--email", default=os.environ.get("RESTCALCULATOR_EMAIL"))
    parser.add_argument("--results", type=Path, help="where the results go; FILE.results.csv by default")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        return _work(options, console)
    except CannotGoOn as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return NOT_COMPLETED
    except KeyboardInterrupt:
        console.print("\nLeft alone: a task that was begun goes on by itself.")
        return 130


def _work(options: argparse.Namespace, console: Console) -> int:
    file: Path = options.file
    if not file.is_file():
        raise CannotGoOn(f"{file} is no file.")
    if not file.stat().st_size:
        raise CannotGoOn(f"{file} is empty.")
    url = options.url or _local_url()
    email = options.email or _asked("E-mail: ", input)
    password = os.environ.get("RESTCALCULATOR_PASSWORD") or _asked("Password: ", getpass.getpass)
    columns = (
        TextColumn("{task.description:13}"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[told]}"),
    )
    results = options.results or file.with_name(f"{file.name}.results.csv")
    with Service(url) as service, Progress(*columns, console=console) as progress:
        service.sign_in(email, password)
        task = run(service, file, progress)
        if task["status"] == "completed":
            fetching = progress.add_task("fetching", total=None, told="")
            service.download(
                task["id"],
                results,
                lambda done, total: progress.update(fetching, completed=done, total=total or None),
            )
    console.print(
        f"{task['status'].replace('_', ' ')}: {task['rows_done']} rows, {task['rows_failed']} failed,"
        f" {task['spent']} credits spent. {task['error'] or ''}".rstrip(),
        markup=False,
        soft_wrap=True,
    )
    if task["status"] != "completed":
        return NOT_COMPLETED
    print(results)
    return ROWS_FAILED if task["rows_failed"] else ALL_DONE


def _local_url() -> str:
    """Where `make up` serves with the same settings."""
    try:
        return f"http://localhost:{Settings.from_environment().port}"
    except CannotStart as error:
        raise CannotGoOn(str(error)) from None


def _asked(prompt: str, ask: Callable[[str], str]) -> str:
    if not sys.stdin.isatty():
        raise CannotGoOn("Set RESTCALCULATOR_EMAIL and RESTCALCULATOR_PASSWORD: there is nobody to ask.")
    return ask(prompt)


def _task(answer: httpx.Response) -> dict[str, Any]:
    """Parse a task; credits keep all their digits, of which a float would lose some."""
    task: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return task


def _told(task: Mapping[str, Any]) -> str:
    parts = [f"{task['rows_done']} rows"]
    if task["rows_per_second"]:
        parts.append(f"{task['rows_per_second']:.0f} rows/s")
    if task["seconds_left"] is not None:
        minutes, seconds = divmod(task["seconds_left"], 60)
        parts.append(f"{minutes}:{seconds:02} left")
    return ", ".join(parts)


def _problem(answer: httpx.Response) -> str:
    """What an error says (RFC 9457), and how long to wait when it says so."""
    try:
        problem = answer.json()
        said = problem.get("detail") or problem["title"]
    except (ValueError, KeyError, AttributeError):
        said = answer.text[:300] or answer.reason_phrase
    wait = answer.headers.get("Retry-After")
    return f"{said} ({answer.status_code}{f', try again in {wait} s' if wait else ''})"


if __name__ == "__main__":
    sys.exit(main())
