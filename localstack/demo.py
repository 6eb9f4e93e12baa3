"""Fill the running service with a month of realistic use: `make demo`.

The demo calls the API, a part of a day at a time, oldest first. After each part it moves the part's times
into the past by whole hours, so that usage, ledger and records still agree (`make audit`).
"""

import random
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.progress import track

from localstack.stack_settings import CannotStart
from localstack.time_shift import hours_ago
from shared.database.connection import Database

DAYS = 30
WORKING_HOURS = (9, 13, 16)
"""Hours after the present time of day at which people work. Below 24, so that the days keep their order."""
PASSWORD = "Demo1234!"  # noqa: S105  of accounts that exist only in a local demo
OPERATIONS = {"addition": 6, "multiplication": 4, "division": 3, "square_root": 2, "random_string": 1}
"""Operations of single calls by weight."""
CALLS_A_DAY = {
    "ada@example.com": 14,
    "grace@example.com": 9,
    "katherine@example.com": 6,
    "edsger@example.com": 3,
    "barbara@example.com": 2,
}
"""Users by the single calls that each makes on a working day, at most."""
TASK_SECONDS = 60
"""Timeout for the task of one file."""


@dataclass
class Person:
    """A signed-in user. `calls` holds the ids of the user's records."""

    id: str
    http: httpx.Client
    calls: list[str] = field(default_factory=list)


class Demo:
    """One demo: its people, its random choices, and the service that it fills."""

    def __init__(self, url: str, database: Database, admin_password: str, exits: ExitStack) -> None:
        self._url = url
        self._database = database
        self._exits = exits
        self._random = random.Random(1815)  # noqa: S311  the same demo each time
        self._admin = self._sign_in("defaultadmin@admin.as", admin_password)
        self._people: dict[str, Person] = {}

    def run(self) -> None:
        """Create the users, let them work for a month, and end with today's work and two exports."""
        if self._admin.http.get("/api/v1/users?email=ada@example.com").json()["users"]:
            raise CannotStart("The demo data exists already. `make build-local-db` deletes all data.")
        with hours_ago(self._database, DAYS * 24):
            self._create_users()
        for day in track(range(DAYS - 1, 0, -1), "A month of use"):
            for hour in WORKING_HOURS:
                with hours_ago(self._database, day * 24 - hour):
                    self._work(is_weekend=day % 7 in (1, 2))
            with hours_ago(self._database, (day - 1) * 24 + 2):
                self._send_files(day)
                self._administer(day)
        self._work(is_weekend=False)
        for resource, format in (("records", "csv"), ("ledger", "jsonl")):
            body = {"resource": resource, "format": format}
            _post(self._people["ada@example.com"], "/api/v1/exports", json=body)
        self._create_webhook(self._people["ada@example.com"])

    def _create_users(self) -> None:
        for email in CALLS_A_DAY:
            body = {"email": email, "password": PASSWORD, "balance": 2000}
            _post(self._admin, "/api/v1/users", json=body)
            self._people[email] = self._sign_in(email, PASSWORD)
        for name, limit in (("nightly report", 50), ("spreadsheet add-in", 400)):
            body = {"name": name, "spend_limit": {"amount": limit, "per": "month"}}
            _post(self._people["ada@example.com"], "/api/v1/api_keys", json=body)

    def _create_webhook(self, person: Person) -> None:
        """Create a paused webhook, to which the service sends nothing."""
        body = {"url": "https://hooks.example.com/orders", "events": ["task.completed", "balance.low"]}
        webhook = _post(person, "/api/v1/webhooks", json=body)
        person.http.patch(f"/api/v1/webhooks/{webhook['id']}", json={"paused": True}).raise_for_status()

    def _work(self, *, is_weekend: bool) -> None:
        for email, person in self._people.items():
            limit = 1 if is_weekend else CALLS_A_DAY[email] // len(WORKING_HOURS) + 1
            for _ in range(self._random.randint(0, limit)):
                self._call(person)

    def _send_files(self, day: int) -> None:
        if day % 4 == 0:
            rows = self._random.randint(20, 60)
            self._upload(self._people["grace@example.com"], f"invoices-{day}.csv", rows=rows)
        if day % 9 == 0:
            self._upload(self._people["ada@example.com"], "measurements.csv", rows=40, bad_rows=5)

    def _administer(self, day: int) -> None:
        """Change prices, grant credit, refund, and deactivate a user, each on certain days."""
        grace = self._people["grace@example.com"]
        if day in (21, 8):
            self._price("addition", 4 if day == 21 else 4.5)
        if day % 10 == 0:
            for person in self._people.values():
                body = {"amount": 1500, "reason": "Monthly plan"}
                _post(self._admin, f"/api/v1/users/{person.id}/credits", json=body)
        if day == 12 and grace.calls:
            body = {"reason": "Charged by mistake"}
            _post(self._admin, f"/api/v1/records/{grace.calls[-1]}/refund", json=body)
        if day == 6:
            task = grace.http.get("/api/v1/tasks?page_size=1&status=completed").json()["tasks"][0]
            body = {"reason": "The file was a duplicate"}
            _post(self._admin, f"/api/v1/tasks/{task['id']}/refund", json=body)
        if day == 3:
            edsger = self._people.pop("edsger@example.com")
            body = {"status": "inactive"}
            self._admin.http.patch(f"/api/v1/users/{edsger.id}", json=body).raise_for_status()

    def _price(self, type_: str, cost: float) -> None:
        (row,) = self._admin.http.get(f"/api/v1/operations?type={type_}").json()["operations"]
        self._admin.http.patch(f"/api/v1/operations/{row['id']}", json={"cost": cost}).raise_for_status()

    def _call(self, person: Person) -> None:
        type_ = self._random.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
        body = {"type": type_, "arguments": self._arguments(type_)}
        person.calls.append(_post(person, "/api/v1/process_operation", json=body)["record_id"])

    def _arguments(self, type_: str) -> list[float]:
        count = {"square_root": 1, "random_string": 0}.get(type_, 2)
        return [self._random.randint(1, 99_999) / self._random.choice((1, 10, 100)) for _ in range(count)]

    def _upload(self, person: Person, filename: str, *, rows: int, bad_rows: int = 0) -> None:
        """Send a file, and wait until its task has ended."""
        lines = ["operation,arguments"]
        for row in range(rows):
            type_ = "division" if row < bad_rows else self._random.choice(["addition", "multiplication"])
            arguments = [1, 0] if row < bad_rows else self._arguments(type_)
            lines.append(f'{type_},"{arguments}"')
        file = {"file": (filename, "\n".join(lines), "text/csv")}
        task = _post(person, "/api/v1/process_csv", files=file)["task_id"]
        deadline = time.monotonic() + TASK_SECONDS
        while person.http.get(f"/api/v1/tasks/{task}").json()["finished_at"] is None:
            if time.monotonic() > deadline:
                raise CannotStart(f"The task of {filename} has not ended within {TASK_SECONDS} s.")
            time.sleep(0.1)

    def _sign_in(self, email: str, password: str) -> Person:
        http = self._exits.enter_context(httpx.Client(base_url=self._url, trust_env=False, timeout=30))
        body = {"email": email, "password": password, "token": True}
        response = http.post("/login", json=body)
        if response.status_code != httpx.codes.OK:
            raise CannotStart(f"{email} can't sign in: {response.json()['detail']}")
        http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        return Person(http.get("/api/v1/users/me").json()["id"], http)


def _post(person: Person, path: str, **body: Any) -> Any:
    """Return the body of the response. Wait and retry while the service returns 429."""
    while (response := person.http.post(path, **body)).status_code == httpx.codes.TOO_MANY_REQUESTS:
        time.sleep(int(response.headers["Retry-After"]))
    return response.raise_for_status().json()


def fill(url: str, database_url: str, admin_password: str) -> None:
    """Fill the service at `url`, which uses this database. Raises: CannotStart."""
    with ExitStack() as exits:
        database = Database(database_url)
        exits.callback(database.dispose)
        Demo(url, database, admin_password, exits).run()
